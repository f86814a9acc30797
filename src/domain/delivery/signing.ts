import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { AppError } from '../../errors.ts';

export interface SigningKey {
  id: string;
  secret: string;
}

/** What a service-signed URL allows. */
export interface Grant {
  method: 'GET' | 'PUT';
  /** The item or upload. */
  itemId: string;
  variant: 'content' | 'upload';
  download: boolean;
  /** Seconds since 1970 from which the URL is refused. */
  expires: number;
}

export interface Signer {
  /** Returns a token for a path segment. */
  sign(grant: Grant): string;
  /** @throws AppError signature_invalid or signature_expired */
  verify(token: string): Grant;
  /** Authenticates a short text that comes back later (a cursor). */
  seal(text: string): string;
  /** The sealed text; undefined when it was changed. */
  unseal(sealed: string): string | undefined;
}

/** The key for service-signed URLs when none is configured. HKDF, so that the key does not help to forge a JWT. */
export function derivedSigningKey(jwtSecret: string): SigningKey {
  const bytes = hkdfSync('sha256', jwtSecret, '', 'mediakeep signed URLs', 32);
  return { id: 'jwt', secret: Buffer.from(bytes).toString('base64url') };
}

/**
 * HMAC-SHA256 with key rotation: the first key signs, all verify.
 * @throws Error when there is no key
 */
export function createSigner(keys: readonly SigningKey[], now: () => number = Date.now): Signer {
  const [current] = keys;
  if (!current) throw new Error('No key to sign URLs with');
  const mac = (key: SigningKey, purpose: string, payload: string) =>
    createHmac('sha256', key.secret).update(`${purpose}\n${key.id}\n${payload}`).digest('base64url');
  const seal = (purpose: string, text: string) => {
    const payload = Buffer.from(text).toString('base64url');
    return `${current.id}.${payload}.${mac(current, purpose, payload)}`;
  };
  const unseal = (purpose: string, sealed: string) => {
    const [id, payload, given, ...rest] = sealed.split('.');
    const key = keys.find((candidate) => candidate.id === id);
    if (!key || payload === undefined || given === undefined || rest.length > 0) return undefined;
    return equal(given, mac(key, purpose, payload)) ? Buffer.from(payload, 'base64url').toString() : undefined;
  };
  return {
    sign: (grant) =>
      seal('url', JSON.stringify([grant.method, grant.itemId, grant.variant, grant.download ? 1 : 0, grant.expires])),
    verify(token) {
      const text = unseal('url', token);
      if (text === undefined)
        throw new AppError(
          'signature_invalid',
          'The signed URL was changed or its key has been retired; ask for a new one.',
        );
      const [method, itemId, variant, download, expires] = JSON.parse(text) as [
        Grant['method'],
        string,
        Grant['variant'],
        0 | 1,
        number,
      ];
      if (now() >= expires * 1000)
        throw new AppError('signature_expired', 'The signed URL has expired; ask for a new one.');
      return { method, itemId, variant, download: download === 1, expires };
    },
    seal: (text) => seal('cursor', text),
    unseal: (sealed) => unseal('cursor', sealed),
  };
}

function equal(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
