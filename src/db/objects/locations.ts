import { type Selectable, sql } from 'kysely';
import type { Db, Trx } from '../database.ts';
import type { MediaLocationsTable } from '../tables.ts';
import { toIsoTime } from '../timestamps.ts';

export interface Location {
  store: string;
  key: string;
  bytes: number;
  sha256: string | null;
  /** False: an adopted object, which this service never deletes. */
  owned: boolean;
  state: 'stored' | 'pending' | 'missing' | 'corrupt';
  verifiedAt: string | null;
}

/** A store that is to get a copy, and why. */
export interface WantedCopy {
  store: string;
  key: string;
  purpose: 'mirror' | 'home';
}

/** Records an item's locations, and the copies that a worker must make, in the transaction that gives it the bytes. */
export async function insertLocations(
  trx: Trx,
  mediaId: string,
  { store, key, bytes, sha256, owned }: { store: string; key: string; bytes: number; sha256: string; owned: boolean },
  copies: readonly WantedCopy[],
): Promise<void> {
  const common = { media_id: mediaId, bytes, sha256 };
  await trx
    .insertInto('media_locations')
    .values({ ...common, store, key, owned })
    .execute();
  if (copies.length === 0) return;
  await trx
    .insertInto('media_locations')
    .values(
      copies.map((copy) => ({
        ...common,
        ...copy,
        owned: true,
        state: 'pending' as const,
        next_attempt_at: sql<string>`now()`,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export interface PendingLocation extends WantedCopy {
  mediaId: string;
  attempts: number;
}

/** Lease of a taken copy; a longer copy is protected by its intent. */
const ATTEMPT_SECONDS = 120;

/** Target stores of pending copies. */
export async function pendingStores(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('media_locations')
    .select('store')
    .distinct()
    .where('state', '=', 'pending')
    .execute();
  return rows.map((row) => row.store);
}

/** Takes copies that are due in one of `stores` for this process; each attempt postpones the next one. */
export async function takePendingLocations(
  db: Db,
  stores: readonly string[],
  limit: number,
): Promise<PendingLocation[]> {
  if (stores.length === 0) return [];
  const rows = await db
    .updateTable('media_locations')
    .set({
      attempts: sql<number>`attempts + 1`,
      next_attempt_at: sql<string>`now() + make_interval(secs => ${ATTEMPT_SECONDS})`,
    })
    .where(({ eb, refTuple }) =>
      eb(
        refTuple('media_id', 'store'),
        'in',
        eb
          .selectFrom('media_locations')
          .select(['media_id', 'store'])
          .where('state', '=', 'pending')
          .where('store', 'in', stores)
          .where('next_attempt_at', '<=', sql<string>`now()`)
          .orderBy('next_attempt_at')
          .limit(limit)
          .forUpdate()
          .skipLocked()
          .$asTuple('media_id', 'store'),
      ),
    )
    .returning(['media_id', 'store', 'key', 'purpose', 'attempts'])
    .execute();
  return rows.map((row) => ({
    mediaId: row.media_id,
    store: row.store,
    key: row.key,
    purpose: row.purpose ?? 'mirror',
    attempts: row.attempts,
  }));
}

/** Records why a copy failed, and when it is retried. */
export async function postponePending(
  db: Db,
  { mediaId, store }: { mediaId: string; store: string },
  { seconds, error }: { seconds: number; error: string },
): Promise<void> {
  await db
    .updateTable('media_locations')
    .set({ next_attempt_at: sql<string>`now() + make_interval(secs => ${seconds})`, last_error: error })
    .where('media_id', '=', mediaId)
    .where('store', '=', store)
    .where('state', '=', 'pending')
    .execute();
}

/** Number of pending copies. */
export async function countPending(db: Db): Promise<number> {
  const row = await db
    .selectFrom('media_locations')
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('state', '=', 'pending')
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** Seconds until the next pending copy is due, 0 when one is; undefined when there is none. */
export async function secondsToNextPending(db: Db): Promise<number | undefined> {
  const row = await db
    .selectFrom('media_locations')
    .select(sql<number>`greatest(0, extract(epoch FROM next_attempt_at - now()))::float8`.as('seconds'))
    .where('state', '=', 'pending')
    .orderBy('next_attempt_at')
    .limit(1)
    .executeTakeFirst();
  return row?.seconds;
}

/** Marks a location as stored: a pending one, or a new one. False when a stored one exists already. */
export async function setStored(
  trx: Trx,
  location: Pick<Location, 'store' | 'key' | 'bytes' | 'owned'> & { mediaId: string; sha256: string },
): Promise<boolean> {
  const { mediaId, key, bytes, sha256, owned } = location;
  const row = await trx
    .insertInto('media_locations')
    .values({ media_id: mediaId, store: location.store, key, bytes, sha256, owned, verified_at: sql<string>`now()` })
    .onConflict((conflict) =>
      conflict
        .columns(['media_id', 'store'])
        .doUpdateSet({
          key,
          bytes,
          sha256,
          owned,
          state: 'stored',
          verified_at: sql<string>`now()`,
          purpose: null,
          next_attempt_at: null,
          last_error: null,
        })
        .where('media_locations.state', '<>', 'stored'),
    )
    .returning('store')
    .executeTakeFirst();
  return row !== undefined;
}

/** Sets a location's bad state, unless it is the item's last one: then returns false and changes nothing. */
export async function setLocationState(
  db: Db,
  { mediaId, store, key }: { mediaId: string; store: string; key: string },
  state: 'missing' | 'corrupt',
): Promise<boolean> {
  const result = await db
    .updateTable('media_locations')
    .set({ state })
    .where('media_id', '=', mediaId)
    .where('store', '=', store)
    .where('key', '=', key)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('media_locations as other')
          .select('other.store')
          .where('other.media_id', '=', mediaId)
          .where('other.store', '<>', store)
          .where('other.state', '=', 'stored'),
      ),
    )
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

interface LocationName {
  mediaId: string;
  store: string;
  key: string;
}

/** Marks a location as corrupt, even the last one: nothing deletes its bytes, and a read may find them sound again. */
export function markCorrupt(db: Db, location: LocationName): Promise<void> {
  return changeState(db, location, { from: 'stored', to: 'corrupt' });
}

/** Reverts `markCorrupt`. */
export function markSound(db: Db, location: LocationName): Promise<void> {
  return changeState(db, location, { from: 'corrupt', to: 'stored' });
}

async function changeState(
  db: Db,
  { mediaId, store, key }: LocationName,
  { from, to }: Record<'from' | 'to', 'stored' | 'corrupt'>,
): Promise<void> {
  await db
    .updateTable('media_locations')
    .set({ state: to })
    .where('media_id', '=', mediaId)
    .where('store', '=', store)
    .where('key', '=', key)
    .where('state', '=', from)
    .execute();
}

/**
 * Removes a location from its item, not its object.
 * @param keepsKey a permanent URL contains the key, which is remembered
 */
export async function deleteLocation(
  trx: Trx,
  { mediaId, store, key, keepsKey }: { mediaId: string; store: string; key: string; keepsKey: boolean },
): Promise<void> {
  await trx.deleteFrom('media_locations').where('media_id', '=', mediaId).where('store', '=', store).execute();
  if (keepsKey)
    await trx
      .insertInto('former_keys')
      .values({ key, media_id: mediaId })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
}

/** An item's locations, the one in `primary` first. */
export async function locationsOf(db: Db, mediaId: string, primary: string | null): Promise<Location[]> {
  return primaryFirst((await locationsOfMany(db, [mediaId])).get(mediaId) ?? [], primary);
}

/** The same, the one in `primary` first. */
export function primaryFirst(locations: readonly Location[], primary: string | null): Location[] {
  return locations.toSorted((a, b) => Number(b.store === primary) - Number(a.store === primary));
}

/** The locations of several items, by item, the oldest first. */
export async function locationsOfMany(db: Db, mediaIds: readonly string[]): Promise<Map<string, Location[]>> {
  if (mediaIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('media_locations')
    .selectAll()
    .where('media_id', 'in', mediaIds)
    .orderBy('created_at')
    .execute();
  return Map.groupBy(
    rows.map((row) => ({ mediaId: row.media_id, ...toLocation(row) })),
    (location) => location.mediaId,
  );
}

export type LocationRow = Pick<
  Selectable<MediaLocationsTable>,
  'store' | 'key' | 'bytes' | 'sha256' | 'owned' | 'state' | 'verified_at'
>;

/** A row as a location. */
export function toLocation(row: LocationRow): Location {
  return {
    store: row.store,
    key: row.key,
    bytes: Number(row.bytes),
    sha256: row.sha256?.trim() ?? null,
    owned: row.owned,
    state: row.state,
    verifiedAt: toIsoTime(row.verified_at),
  };
}
