import { createHmac, timingSafeEqual } from 'node:crypto';
import { type WebhookProof, checkRecent, hashInPieces, webhookRefused } from './webhook-proof.ts';

// Signatures as https://www.standardwebhooks.com specifies them.

export function hasStandardSignature({ headers }: WebhookProof): boolean {
  return headers['webhook-signature'] !== undefined;
}

/** The three headers of a signature that is recent. @throws AppError webhook_refused */
export function standardHeaders({ headers }: Pick<WebhookProof, 'headers'>) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signature = headers['webhook-signature'];
  if (id === undefined || timestamp === undefined || signature === undefined)
    throw webhookRefused(
      'The webhook lacks its signature: webhook-id, webhook-timestamp and webhook-signature are needed.',
    );
  checkRecent(timestamp);
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
}

/**
 * Checks a signature. The secret is base64, with or without `whsec_`, or any text.
 * @returns the id of the message, which stays the same when the sender repeats it
 * @throws AppError webhook_refused: missing, altered, or more than five minutes old
 */
export async function checkStandardSignature({ raw, headers }: WebhookProof, secret: string): Promise<string> {
  const signed = standardHeaders({ headers });
  const id = signed['webhook-id'];
  const hmacs = keysOf(secret).map((key) =>
    createHmac('sha256', key).update(`${id}.${Number(signed['webhook-timestamp'])}.`),
  );
  await hashInPieces(hmacs, raw);
  const expected = hmacs.map((hmac) => hmac.digest());
  const given = signed['webhook-signature'].split(' ').flatMap((entry) => {
    const [version, signature = ''] = entry.split(',');
    return version === 'v1' ? [Buffer.from(signature, 'base64')] : [];
  });
  if (given.some((bytes) => expected.some((own) => bytes.length === own.length && timingSafeEqual(bytes, own))))
    return id;
  throw webhookRefused(
    'The signature of the webhook was refused: its body was altered, it is more than five minutes old, or it was signed with another secret.',
  );
}

/** The keys that a secret can stand for: without `whsec_`, a secret that could be base64 is tried as base64 and as plain text. */
function keysOf(secret: string): Buffer[] {
  const marked = secret.startsWith('whsec_');
  const encoded = marked ? secret.slice('whsec_'.length) : secret;
  const plain = Buffer.from(secret, 'latin1');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return [plain];
  const decoded = Buffer.from(encoded, 'base64');
  return marked ? [decoded] : [decoded, plain];
}
