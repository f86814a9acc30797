import type { JsonObject } from '../json/json.ts';
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Db, type Trx } from '../db/database.ts';
import { type KeyOwner, claimKey, finishKey, releaseKey, renewKey } from '../db/idempotency-keys.ts';
import { AppError } from '../errors.ts';

const WAIT_MS = 30_000;

/** A claim on a key: this process does the work and stores the response in the work's transaction. */
export interface Claim {
  renew(): Promise<void>;
  /** @throws AppError idempotency_in_progress when another attempt has taken the key over. */
  finish(trx: Trx, fingerprint: string, response: object): Promise<void>;
  release(): Promise<void>;
}

export type KeyState =
  | { state: 'claimed'; claim: Claim }
  | { state: 'done'; fingerprint: string; response: JsonObject };

/**
 * Claims a key, or waits for the attempt that holds it (30 s at most).
 * @throws AppError idempotency_in_progress when it is still running then
 */
export async function openKey(db: Db, owner: KeyOwner, signal?: AbortSignal): Promise<KeyState> {
  const attempt = randomUUID();
  const deadline = Date.now() + WAIT_MS;
  for (let pause = 20; ; pause = Math.min(pause * 2, 500)) {
    const result = await claimKey(db, owner, attempt);
    if (result.state === 'done') return result;
    if (result.state === 'claimed') {
      return {
        state: 'claimed',
        claim: {
          renew: () => renewKey(db, owner, attempt),
          release: () => releaseKey(db, owner, attempt),
          async finish(trx, fingerprint, response) {
            if (!(await finishKey(trx, owner, attempt, fingerprint, response))) throw stillRunning();
          },
        },
      };
    }
    if (Date.now() > deadline) throw stillRunning();
    await sleep(pause, undefined, { signal }).catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : error;
    });
  }
}

function stillRunning(): AppError {
  return new AppError(
    'idempotency_in_progress',
    'A request with this Idempotency-Key is still running; ask again later with the same key.',
    { retryAfter: 10 },
  );
}

/** @throws AppError idempotency_mismatch when the content differs from that of the key. */
export function assertSameContent(kept: string, fingerprint: string): void {
  if (kept !== fingerprint) {
    throw new AppError(
      'idempotency_mismatch',
      'This Idempotency-Key was used before with other content; use a new key for new content.',
      { field: 'Idempotency-Key' },
    );
  }
}

/** A hash of a request's content, independent of the order of its fields. */
export function fingerprintOf(content: unknown): string {
  return createHash('sha256').update(canonical(content)).digest('hex');
}

/** JSON with sorted keys; absent values are left out. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry;
    return Object.fromEntries(Object.entries(entry).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
