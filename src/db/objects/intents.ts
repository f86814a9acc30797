import { type RawBuilder, sql } from 'kysely';
import type { Db, Trx } from '../database.ts';
import { IntentLost } from '../failure.ts';
import { prepared } from '../prepared.ts';

/*
 * An intent names a store and key before any byte is written there, so that a crash leaves no unknown object:
 *
 *   leased ──> fulfilled            the transaction that inserts the item (or copy, delivery) deletes the intent
 *    │  ^└─ renewed while bytes flow
 *    ├── the write failed ──────────────> marked ──> object deleted, intent deleted
 *    └── expired ── a sweeper takes it ─> marked ──> swept: object deleted, intent deleted
 *   (a purge inserts a marked one) ─────> marked ──> kept while a late write may still arrive; expires again after that
 *
 * A marked intent can be neither renewed nor fulfilled, and the mark is committed before the object is deleted. A sweeper takes
 * marked intents again when their lease expires, so a failed deletion is retried.
 */

/** An object's store and key. */
export interface IntentKey {
  store: string;
  key: string;
}

/** Long enough for a process to miss two renewals, short enough for leftovers to be removed soon. */
export const INTENT_LEASE_SECONDS = 120;
const lease = sql<string>`now() + make_interval(secs => ${INTENT_LEASE_SECONDS})`;

/** The statement that inserts them, alone or as a part of another one. */
export const insertOfIntents = ({ stores, keys }: { stores: string[]; keys: string[] }): RawBuilder<unknown> => sql`
  INSERT INTO storage_intents (store, key, leased_until)
  SELECT store, key, ${lease} FROM unnest(${stores}::text[], ${keys}::text[]) AS given (store, key)`;

const newIntents = prepared('new_intents', (_db, values: { stores: string[]; keys: string[] }) =>
  insertOfIntents(values),
);

/** Several at once; committed when it returns. */
export async function insertIntents(db: Db, intents: readonly IntentKey[]): Promise<void> {
  await newIntents(db, keysOf(intents));
}

/** As arrays for `unnest`. */
export function keysOf(intents: readonly IntentKey[]): { stores: string[]; keys: string[] } {
  return { stores: intents.map(({ store }) => store), keys: intents.map(({ key }) => key) };
}

/** For bytes that a client will send within `seconds`. */
export async function insertIntentUntil(db: Db, { store, key }: IntentKey, seconds: number): Promise<void> {
  await db
    .insertInto('storage_intents')
    .values({ store, key, leased_until: sql<string>`now() + make_interval(secs => ${seconds})` })
    .execute();
}

/** Extends the lease during the write; false when the sweeper was faster, so the write must be given up. */
export async function renewIntent(db: Db, { store, key }: IntentKey): Promise<boolean> {
  const result = await db
    .updateTable('storage_intents')
    // Never shortens a longer lease.
    .set({ leased_until: sql<string>`greatest(leased_until, ${lease})` })
    .where('store', '=', store)
    .where('key', '=', key)
    .where('marked_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/**
 * Ends an intent in the transaction that inserts its item.
 * @throws IntentLost
 */
export async function fulfilIntent(trx: Trx, { store, key }: IntentKey): Promise<void> {
  const result = await trx
    .deleteFrom('storage_intents')
    .where('store', '=', store)
    .where('key', '=', key)
    .where('marked_at', 'is', null)
    .executeTakeFirst();
  if (result.numDeletedRows !== 1n) throw new IntentLost();
}

/**
 * Marks an intent before its object is deleted; false when there is none (any longer). Waits for a transaction that is ending it:
 * a COMMIT whose answer was lost may still be running.
 */
export async function markIntent(db: Db, { store, key }: IntentKey): Promise<boolean> {
  const result = await db
    .updateTable('storage_intents')
    .set({ marked_at: sql<string>`coalesce(marked_at, now())` })
    .where('store', '=', store)
    .where('key', '=', key)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/**
 * Removes an intent whose object was deleted or never written. The intent stays while a client may still send bytes with the URL
 * of a direct upload; a sweep deletes those later.
 */
export async function deleteIntent(db: Db, { store, key }: IntentKey): Promise<void> {
  const open = await sql<{ until: string }>`
    UPDATE storage_intents SET leased_until = uploads.expires_at + make_interval(secs => ${LATE_SECONDS})
    FROM uploads WHERE uploads.store = storage_intents.store AND uploads.key = storage_intents.key AND uploads.expires_at > now()
      AND storage_intents.store = ${store} AND storage_intents.key = ${key} RETURNING 1`.execute(db);
  if (open.rows.length > 0) return;
  await db.deleteFrom('storage_intents').where('store', '=', store).where('key', '=', key).execute();
}

/** Turns locations that are about to lose their item into marked intents; if deleting their objects fails, the sweeper does it. */
export async function insertMarkedIntents(trx: Trx, intents: readonly IntentKey[]): Promise<void> {
  if (intents.length === 0) return;
  const rows = intents.map((intent) => ({ ...intent, leased_until: lease, marked_at: sql<string>`now()` }));
  await trx
    .insertInto('storage_intents')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['store', 'key']).doUpdateSet({ marked_at: sql<string>`now()` }))
    .execute();
}

/**
 * Marks expired intents and leases them to this sweeper, so that other sweepers skip them. A single statement, so it is committed
 * before any object is deleted. Intents of a crashed sweeper expire again.
 */
export async function takeExpiredIntents(db: Db, limit: number): Promise<IntentKey[]> {
  return db
    .updateTable('storage_intents')
    .set({ marked_at: sql<string>`coalesce(marked_at, now())`, leased_until: lease })
    .where(({ eb, refTuple }) =>
      eb(
        refTuple('store', 'key'),
        'in',
        eb
          .selectFrom('storage_intents')
          .select(['store', 'key'])
          .where('leased_until', '<', sql<string>`now()`)
          .orderBy('leased_until')
          .limit(limit)
          .forUpdate()
          .skipLocked()
          .$asTuple('store', 'key'),
      ),
    )
    .returning(['store', 'key'])
    .execute();
}

/** Time in which a store may still carry out a request that it has not answered. */
const LATE_SECONDS = 900;

/** Keeps a marked intent for a while, so that a later sweep deletes late writes to its key. */
export async function keepMarkedIntent(db: Db, { store, key }: IntentKey): Promise<void> {
  await db
    .updateTable('storage_intents')
    .set({ leased_until: sql<string>`greatest(leased_until, now() + make_interval(secs => ${LATE_SECONDS}))` })
    .where('store', '=', store)
    .where('key', '=', key)
    .where('marked_at', 'is not', null)
    .execute();
}

/** Whether an item uses the key, or an upload or purge is working on it. */
export async function isKnownKey(db: Db, { store, key }: IntentKey): Promise<boolean> {
  const { rows } = await sql<{ known: boolean }>`
    SELECT EXISTS (SELECT FROM storage_intents WHERE store = ${store} AND key = ${key})
      OR EXISTS (SELECT FROM media_locations WHERE store = ${store} AND key = ${key}) AS known`.execute(db);
  return rows[0]?.known === true;
}
