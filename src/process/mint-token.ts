import { createSigner } from 'fast-jwt';

export interface Claims {
  /** User id, or the name of a back end. */
  sub: string;
  /** Separated by spaces. */
  scope: string;
  /** Seconds. */
  ttl: number;
  issuer?: string | undefined;
  audience?: string | undefined;
}

/** An HS256 token for the given claims. `expiresAt` is ISO 8601. */
export function mintToken(secret: string, claims: Claims): { token: string; expiresAt: string } {
  const now = Math.floor(Date.now() / 1000);
  const exp = now + claims.ttl;
  const token = createSigner({ key: secret, algorithm: 'HS256' })({
    sub: claims.sub,
    scope: claims.scope,
    iat: now,
    exp,
    ...(claims.issuer !== undefined && { iss: claims.issuer }),
    ...(claims.audience !== undefined && { aud: claims.audience }),
  });
  return { token, expiresAt: new Date(exp * 1000).toISOString() };
}
