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

/**
 * The keys for service-signed URLs when none is configured. HKDF, so that they do not help to forge a JWT. Earlier versions signed
 * with the id `jwt`; that key verifies until their URLs have expired.
 */
export function derivedSigningKeys(jwtSecret: string): SigningKey[] {
  const bytes = hkdfSync('sha256', jwtSecret, '', 'mediakeep signed URLs', 32);
  const secret = Buffer.from(bytes).toString('base64url');
  return ['derived', 'jwt'].map((id) => ({ id, secret }));
}

/** What a token is for: how it begins, and the purpose that earlier versions signed. */
const URL_TOKEN = { prefix: 'mku_', formerly: 'url' };
const CURSOR = { prefix: 'mkc_', formerly: 'cursor' };

/**
 * HMAC-SHA256 with key rotation: the first key signs, all verify.
 * @throws Error when there is no key
 */
export function createSigner(keys: readonly SigningKey[], now: () => number = Date.now): Signer {
  const [current] = keys;
  if (!current) throw new Error('No key to sign URLs with');
  const mac = (key: SigningKey, purpose: string, payload: string) =>
    createHmac('sha256', key.secret).update(`${purpose}\n${key.id}\n${payload}`).digest('base64url');
  // Neither dots nor `eyJ`: people and secret scanners would take it for a JWT.
  const seal = ({ prefix }: typeof URL_TOKEN, text: string) => {
    const payload = Buffer.from(text).toString('base64url');
    return `${prefix}${current.id}~${payload}~${mac(current, prefix, payload)}`;
  };
  const unseal = ({ prefix, formerly }: typeof URL_TOKEN, sealed: string) => {
    const today = sealed.startsWith(prefix);
    // Earlier versions wrote `id.payload.mac`.
    const [id, payload, given, ...rest] = today ? sealed.slice(prefix.length).split('~') : sealed.split('.');
    const key = keys.find((candidate) => candidate.id === id);
    if (!key || payload === undefined || given === undefined || rest.length > 0) return undefined;
    return equal(given, mac(key, today ? prefix : formerly, payload))
      ? Buffer.from(payload, 'base64url').toString()
      : undefined;
  };
  return {
    sign: (grant) =>
      seal(
        URL_TOKEN,
        JSON.stringify([grant.method, grant.itemId, grant.variant, grant.download ? 1 : 0, grant.expires]),
      ),
    verify(token) {
      const text = unseal(URL_TOKEN, token);
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
    seal: (text) => seal(CURSOR, text),
    unseal: (sealed) => unseal(CURSOR, sealed),
  };
}

function equal(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
