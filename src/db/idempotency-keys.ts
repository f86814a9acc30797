import type { JsonObject } from '../json/json.ts';
import { sql } from 'kysely';
import type { Db, Trx } from './database.ts';

export interface KeyOwner {
  caller: string;
  key: string;
}

export type ClaimResult =
  | { state: 'claimed' }
  | { state: 'running' }
  | { state: 'done'; fingerprint: string; response: JsonObject };

const LOCK_SECONDS = 120;
const KEEP_HOURS = 24;
const lock = sql<string>`now() + make_interval(secs => ${LOCK_SECONDS})`;

/** Claims a key that is new, expired, or left by a crashed process; otherwise returns its state. */
export async function claimKey(db: Db, { caller, key }: KeyOwner, attempt: string): Promise<ClaimResult> {
  const expires = sql<string>`now() + make_interval(hours => ${KEEP_HOURS})`;
  const claimed = await db
    .insertInto('idempotency_keys')
    .values({ caller, key, attempt, locked_until: lock, expires_at: expires })
    .onConflict((conflict) =>
      conflict
        .columns(['caller', 'key'])
        .doUpdateSet({ attempt, fingerprint: null, response: null, locked_until: lock, expires_at: expires })
        .where(({ eb, or, and }) =>
          or([
            eb('idempotency_keys.expires_at', '<', sql<string>`now()`),
            and([
              eb('idempotency_keys.response', 'is', null),
              eb('idempotency_keys.locked_until', '<', sql<string>`now()`),
            ]),
          ]),
        ),
    )
    .returning('attempt')
    .executeTakeFirst();
  if (claimed) return { state: 'claimed' };
  const row = await db
    .selectFrom('idempotency_keys')
    .select(['fingerprint', 'response'])
    .where('caller', '=', caller)
    .where('key', '=', key)
    .executeTakeFirst();
  if (row?.response && row.fingerprint !== null)
    return { state: 'done', fingerprint: row.fingerprint, response: row.response };
  return { state: 'running' };
}

export async function renewKey(db: Db, { caller, key }: KeyOwner, attempt: string): Promise<void> {
  await db
    .updateTable('idempotency_keys')
    .set({ locked_until: lock })
    .where('caller', '=', caller)
    .where('key', '=', key)
    .where('attempt', '=', attempt)
    .execute();
}

/** Stores the response, in the transaction that inserts the item; false when the claim was lost to another attempt. */
export async function finishKey(
  trx: Trx,
  { caller, key }: KeyOwner,
  attempt: string,
  fingerprint: string,
  response: object,
): Promise<boolean> {
  const result = await trx
    .updateTable('idempotency_keys')
    .set({ fingerprint, response: JSON.stringify(response) })
    .where('caller', '=', caller)
    .where('key', '=', key)
    .where('attempt', '=', attempt)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Releases a claim after a failure, so that the next attempt starts afresh. */
export async function releaseKey(db: Db, { caller, key }: KeyOwner, attempt: string): Promise<void> {
  await db
    .deleteFrom('idempotency_keys')
    .where('caller', '=', caller)
    .where('key', '=', key)
    .where('attempt', '=', attempt)
    .where('response', 'is', null)
    .execute();
}

/** Removes expired keys; returns how many. */
export async function deleteExpiredKeys(db: Db): Promise<number> {
  const result = await db
    .deleteFrom('idempotency_keys')
    .where('expires_at', '<', sql<string>`now()`)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}

/** Removes stored responses that mention an item. */
export async function forgetAnswersAbout(trx: Trx, itemId: string): Promise<void> {
  await trx
    .deleteFrom('idempotency_keys')
    .where(sql<boolean>`response ->> 'id' = ${itemId}`)
    .execute();
}
