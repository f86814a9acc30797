import { createHash, timingSafeEqual } from 'node:crypto';
import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '../../errors.ts';

/** The parts of a webhook that can prove its sender. */
export interface WebhookProof {
  raw: Buffer;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | undefined>>;
  /** The `secret` parameter of its URL. */
  secret: string | undefined;
}

const TOLERANCE_SECONDS = 300;
const PIECE_BYTES = 1024 ** 2;

export function webhookRefused(why: string): AppError {
  return new AppError('webhook_refused', why);
}

/** @param timestamp seconds since 1970, as the sender signed them @throws AppError webhook_refused: more than five minutes off */
export function checkRecent(timestamp: string): void {
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_SECONDS)
    throw webhookRefused('The webhook is more than five minutes old, or from the future.');
}

/** Hashes a body piece by piece and lets other work run in between: anybody may send a large body with a wrong signature. */
export async function hashInPieces(
  hashes: readonly { update(piece: Uint8Array): unknown }[],
  raw: Buffer,
): Promise<void> {
  for (let at = 0; at < raw.length; at += PIECE_BYTES) {
    if (at > 0) await nextTick();
    for (const hash of hashes) hash.update(raw.subarray(at, at + PIECE_BYTES));
  }
}

/** Compares the secret of the URL in constant time. @throws AppError webhook_refused */
export function checkSecret({ secret }: WebhookProof, expected: string): void {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  if (secret === undefined || !timingSafeEqual(hash(secret), hash(expected)))
    throw webhookRefused("The 'secret' in the webhook's address is missing or wrong.");
}
