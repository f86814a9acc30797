import { type KeyObject, createHash, createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '../../errors.ts';

/** What a webhook brings to prove who sent it. */
export interface WebhookProof {
  raw: Buffer;
  /** In lower case. */
  headers: Readonly<Record<string, string | undefined>>;
  /** The `secret` of its address. */
  secret: string | undefined;
}

/** Public keys of a provider, fetched when they are first needed. */
export interface KeySource {
  /** @param fresh fetch them again, for the provider may have changed them */
  keys(fresh: boolean): Promise<KeyObject[]>;
}

const TOLERANCE_SECONDS = 300;

function refused(why: string): AppError {
  return new AppError('webhook_refused', why);
}

export function hasStandardSignature({ headers }: WebhookProof): boolean {
  return headers['webhook-signature'] !== undefined;
}

/** The headers of a signature that is not too old. @throws AppError webhook_refused */
export function standardHeaders({ headers }: Pick<WebhookProof, 'headers'>) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signature = headers['webhook-signature'];
  if (id === undefined || timestamp === undefined || signature === undefined)
    throw refused('The webhook lacks its signature: webhook-id, webhook-timestamp and webhook-signature are needed.');
  checkAge(timestamp);
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
}

function checkAge(timestamp: string): void {
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS)
    throw refused('The webhook is more than five minutes old, or from the future.');
}

/**
 * Checks a signature as of Standard Webhooks. The secret is base64, with or without `whsec_`, or any text.
 * Answers the id of the message, the same for each of its repetitions.
 * @throws AppError webhook_refused: missing, altered, or more than five minutes old
 */
export async function checkStandardSignature({ raw, headers }: WebhookProof, secret: string): Promise<string> {
  const signed = standardHeaders({ headers });
  const id = signed['webhook-id'];
  const hmacs = readings(secret).map((key) =>
    createHmac('sha256', key).update(`${id}.${Number(signed['webhook-timestamp'])}.`),
  );
  await updateInTurns(hmacs, raw);
  const expected = hmacs.map((hmac) => hmac.digest());
  const given = signed['webhook-signature'].split(' ').flatMap((entry) => {
    const [version, signature = ''] = entry.split(',');
    return version === 'v1' ? [Buffer.from(signature, 'base64')] : [];
  });
  if (given.some((bytes) => expected.some((own) => bytes.length === own.length && timingSafeEqual(bytes, own))))
    return id;
  throw refused(
    'The signature of the webhook was refused: its body was altered, it is more than five minutes old, or it was signed with another secret.',
  );
}

/** The keys that a secret may stand for: one that could be base64 as well as plain text is tried as both. */
function readings(secret: string): Buffer[] {
  const marked = secret.startsWith('whsec_');
  const encoded = marked ? secret.slice('whsec_'.length) : secret;
  const plain = Buffer.from(secret, 'latin1');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return [plain];
  const decoded = Buffer.from(encoded, 'base64');
  return marked ? [decoded] : [decoded, plain];
}

const PIECE_BYTES = 1024 ** 2;

/** Hashes a body without holding up others: anybody may send a large one with a signature that is none. */
async function updateInTurns(hashes: readonly { update(piece: Uint8Array): unknown }[], raw: Buffer): Promise<void> {
  for (let at = 0; at < raw.length; at += PIECE_BYTES) {
    if (at > 0) await nextTick();
    for (const hash of hashes) hash.update(raw.subarray(at, at + PIECE_BYTES));
  }
}

/** Compares the `secret` of the address, in constant time. @throws AppError webhook_refused */
export function checkSecret({ secret }: WebhookProof, expected: string): void {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  if (secret === undefined || !timingSafeEqual(hash(secret), hash(expected)))
    throw refused("The 'secret' in the webhook's address is missing or wrong.");
}

/** The headers of a signature of FAL's that is not too old. @throws AppError webhook_refused */
export function falHeaders({ headers }: Pick<WebhookProof, 'headers'>) {
  const [requestId, account, timestamp, signature] = ['request-id', 'user-id', 'timestamp', 'signature'].map(
    (name) => headers[`x-fal-webhook-${name}`],
  );
  if (requestId === undefined || account === undefined || timestamp === undefined || signature === undefined)
    throw refused('The webhook lacks one of the headers x-fal-webhook-request-id, -user-id, -timestamp, -signature.');
  checkAge(timestamp);
  if (!/^[0-9a-f]{128}$/i.test(signature)) throw refused('x-fal-webhook-signature is not the hexadecimal of 64 bytes.');
  return { requestId, account, timestamp, signature };
}

/**
 * Checks FAL's signature: Ed25519 over request id, user id, timestamp and the body's sha256. Answers the request id and the account.
 * @throws AppError webhook_refused; keys_unavailable when the keys cannot be fetched
 */
export async function checkFalSignature(
  { raw, headers }: WebhookProof,
  source: KeySource,
): Promise<{ requestId: string; account: string }> {
  const { requestId, account, timestamp, signature } = falHeaders({ headers });
  const hash = createHash('sha256');
  await updateInTurns([hash], raw);
  const digest = hash.digest('hex');
  const message = Buffer.from([requestId, account, timestamp, digest].join('\n'));
  const bytes = Buffer.from(signature, 'hex');
  for (const fresh of [false, true]) {
    const keys = await source.keys(fresh);
    if (keys.some((key) => verify(null, message, key, bytes))) return { requestId, account };
  }
  throw refused('The signature of the webhook was refused: it was altered, or signed with another key.');
}

const KEYS_LIVE_MS = 24 * 60 * 60_000;
/** Whoever sends nonsense must not have the keys fetched each time. */
const COOL_DOWN_MS = 60_000;

/** The Ed25519 keys at a JWKS address that the operator has chosen. */
export function createKeySource(url: string): KeySource {
  let held: { keys: KeyObject[]; at: number } | undefined;
  let fetching: Promise<KeyObject[]> | undefined;
  const fetchKeys = async (): Promise<KeyObject[]> => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000), redirect: 'error' });
      const { keys } = (await response.json()) as { keys?: unknown };
      const found = (Array.isArray(keys) ? keys : []).flatMap((jwk: unknown) => {
        try {
          const key = createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' });
          return key.asymmetricKeyType === 'ed25519' ? [key] : [];
        } catch {
          return [];
        }
      });
      if (found.length === 0) throw new Error('the key set holds no Ed25519 key');
      held = { keys: found, at: Date.now() };
      return found;
    } catch (error) {
      // Old keys are better than none.
      if (held) return held.keys;
      throw new AppError(
        'keys_unavailable',
        'The keys that webhooks are checked with cannot be fetched at the moment.',
        {
          cause: error,
          retryAfter: 10,
        },
      );
    } finally {
      fetching = undefined;
    }
  };
  return {
    async keys(fresh) {
      const age = held ? Date.now() - held.at : Infinity;
      if (held && age < (fresh ? COOL_DOWN_MS : KEYS_LIVE_MS)) return held.keys;
      fetching ??= fetchKeys();
      return fetching;
    },
  };
}
