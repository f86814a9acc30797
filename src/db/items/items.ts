import type { MediaItem, GeneratedImagesTable } from '../item-columns.ts';
import { type Updateable, sql } from 'kysely';
import { coalesced } from '../coalesce.ts';
import type { Db, Trx } from '../database.ts';
import { type Location, type LocationRow, primaryFirst, toLocation } from '../objects/locations.ts';
import { itemColumns, toItem } from './item-row.ts';
import { prepared } from '../prepared.ts';

export type ItemChange = Updateable<GeneratedImagesTable>;

/** Makes new ids greater than `id`, so that it can be given back to an item that had it before. */
export async function reserveIdsUpTo(db: Db, id: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    // Serialised, or the lower of two would turn the sequence back.
    await sql`SELECT pg_advisory_xact_lock(hashtext('mediakeep item ids'))`.execute(trx);
    await sql`
      SELECT setval(s, ${id}::bigint) FROM pg_get_serial_sequence('generated_images', 'id') AS s
      WHERE ${id}::bigint > (SELECT coalesce(last_value, 0) FROM pg_sequences WHERE (quote_ident(schemaname) || '.' || quote_ident(sequencename))::regclass = s::regclass)`.execute(
      trx,
    );
  });
}

const MAX_BIGINT = 9_223_372_036_854_775_807n;

/** An id outside the column's range matches nothing; PostgreSQL would raise an error. */
function isItemId(id: string): boolean {
  return BigInt(id) <= MAX_BIGINT;
}

/** An id as PostgreSQL writes it ("007" becomes "7"); undefined when it cannot match. */
export function canonicalId(id: string): string | undefined {
  return isItemId(id) ? String(BigInt(id)) : undefined;
}

const itemById = prepared('item_by_id', (db, { id }: { id: string }) =>
  db.selectFrom('generated_images').select(itemColumns).where('id', '=', id),
);

/** One item by its id, even if it is deleted. */
export async function findItem(db: Db, id: string): Promise<MediaItem | undefined> {
  if (!isItemId(id)) return undefined;
  const [row] = await itemById(db, { id });
  return row && toItem(row);
}

/** An item with the number of its edits. */
export interface RevisedItem {
  item: MediaItem;
  revision: number;
}

export interface ItemWithLocations extends MediaItem {
  /** The number of its edits. */
  revision: number;
  /** The primary one first, then the oldest. */
  locations: Location[];
}

/** An item's id, and its required owner; null: any. */
interface Wanted {
  id: string;
  owner: string | null;
}

const itemsWithLocations = prepared(
  'items_with_locations',
  (db, { ids, owners }: { ids: string[]; owners: (string | null)[] }) =>
    db
      .selectFrom('generated_images')
      .innerJoin(
        sql<Wanted>`(SELECT DISTINCT * FROM unnest(${ids}::bigint[], ${owners}::text[]) AS each(id, owner))`.as(
          'wanted',
        ),
        (join) => join.onRef('wanted.id', '=', 'generated_images.id'),
      )
      .select(itemColumns)
      .select('generated_images.revision')
      .select('wanted.owner')
      .select(
        sql<LocationRow[] | null>`(
        SELECT json_agg(json_build_object('store', store, 'key', key, 'bytes', bytes, 'sha256', sha256, 'owned', owned, 'state', state,
          'verified_at', verified_at::text) ORDER BY created_at)
        FROM media_locations WHERE media_id = generated_images.id)`.as('locations'),
      )
      // Reads nothing of another user's item.
      .where(sql<boolean>`coalesce(wanted.owner, generated_images.user_id) = generated_images.user_id`),
);

const itemWithLocations = coalesced<Wanted, ItemWithLocations | undefined>(
  async (db, wanted) => {
    const rows = await itemsWithLocations(db, {
      ids: wanted.map(({ id }) => id),
      owners: wanted.map(({ owner }) => owner),
    });
    const found = new Map(rows.map((row) => [`${row.id} ${row.owner ?? ''}`, row]));
    return wanted.map(({ id, owner }) => {
      const row = found.get(`${id} ${owner ?? ''}`);
      return (
        row && {
          ...toItem(row),
          revision: row.revision,
          locations: primaryFirst((row.locations ?? []).map(toLocation), row.storage_provider),
        }
      );
    });
  },
  { running: 2, most: 100 },
);

/** The same with its locations, only of `owner` if given; concurrent look-ups share a statement. Not for transactions. */
export async function findItemWithLocations(
  db: Db,
  id: string,
  owner: string | undefined,
): Promise<ItemWithLocations | undefined> {
  const canonical = canonicalId(id);
  return canonical === undefined ? undefined : itemWithLocations(db, { id: canonical, owner: owner ?? null });
}

/**
 * The same, locked against other changes until the transaction ends. Locks first and then reads: a statement that waited for a
 * row still sees the other tables as they were before it waited.
 */
export async function findItemForUpdate(trx: Trx, id: string): Promise<MediaItem | undefined> {
  return (await findRevisionForUpdate(trx, id))?.item;
}

/** The same with the number of its edits. */
export async function findRevisionForUpdate(trx: Trx, id: string): Promise<RevisedItem | undefined> {
  const locked = await trx
    .selectFrom('generated_images')
    .select('revision')
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  const item = locked && (await findItem(trx, id));
  return item && { item, revision: locked.revision };
}

/** Those of the ids that items have, even deleted ones; only of `owner`, if given. */
export async function findItemIds(db: Db, ids: readonly string[], owner: string | undefined): Promise<string[]> {
  const possible = ids.flatMap((id) => canonicalId(id) ?? []);
  const rows = await db
    .selectFrom('generated_images')
    .select('id')
    .where('id', '=', sql<string>`ANY(${possible}::bigint[])`)
    .$if(owner !== undefined, (query) => query.where('user_id', '=', owner ?? ''))
    .execute();
  return rows.map(({ id }) => id);
}

/** Whether an undeleted item has that id. */
export async function isUndeletedItem(db: Db, id: string): Promise<boolean> {
  const row = await db
    .selectFrom('generated_images')
    .select('id')
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}

/** Locks those of the given items that exist and have no bytes yet, in the order of their ids, and returns their ids. */
export async function lockItemsWithoutBytes(trx: Trx, ids: readonly string[]): Promise<string[]> {
  const rows = await trx
    .selectFrom('generated_images')
    .select('id')
    .where('id', '=', sql<string>`ANY(${ids}::bigint[])`)
    .where('deleted_at', 'is', null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('media_locations')
            .select('store')
            .whereRef('media_locations.media_id', '=', 'generated_images.id')
            .whereRef('media_locations.store', '=', 'generated_images.storage_provider'),
        ),
      ),
    )
    .orderBy('id')
    .forUpdate()
    .execute();
  return rows.map((row) => row.id);
}

/** The item whose bytes lie under a store's key; a copy that is still pending there does not count. */
export async function findStoredItemByKey(db: Db, store: string, key: string): Promise<MediaItem | undefined> {
  const row = await db
    .selectFrom('generated_images')
    .innerJoin('media_locations', 'media_locations.media_id', 'generated_images.id')
    .select(itemColumns)
    .where('media_locations.store', '=', store)
    .where('media_locations.key', '=', key)
    .where('media_locations.state', '<>', 'pending')
    .executeTakeFirst();
  return row && toItem(row);
}

/** The item whose bytes lay under the key of a permanent URL before they were moved; the newest one if there were several. */
export async function findItemByFormerKey(db: Db, key: string): Promise<MediaItem | undefined> {
  const row = await db
    .selectFrom('generated_images')
    .innerJoin('former_keys', 'former_keys.media_id', 'generated_images.id')
    .select(itemColumns)
    .where('former_keys.key', '=', key)
    .orderBy('generated_images.id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && toItem(row);
}

/** Changes an item, only an undeleted one unless `which` is `any`; undefined when there is none. */
export async function updateItem(
  db: Db,
  id: string,
  change: ItemChange,
  which: 'alive' | 'any' = 'alive',
): Promise<MediaItem | undefined> {
  const row = await db
    .updateTable('generated_images')
    .set({ ...change, updated_at: sql<string>`now()` })
    .where('id', '=', id)
    .$if(which === 'alive', (query) => query.where('deleted_at', 'is', null))
    .returning(itemColumns)
    .executeTakeFirst();
  return row && toItem(row);
}

const EDITED = { revision: sql<number>`generated_images.revision + 1`, updated_at: sql<string>`now()` };

/** Changes an undeleted item at a caller's wish, which raises its revision; undefined when there is none. */
export async function editItem(db: Db, id: string, change: ItemChange): Promise<RevisedItem | undefined> {
  const row = await db
    .updateTable('generated_images')
    .set({ ...change, ...EDITED })
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .returning(itemColumns)
    .returning('revision')
    .executeTakeFirst();
  return row && { item: toItem(row), revision: row.revision };
}

/** Sets or clears the tombstone; nothing changes where it is so already. */
export async function setDeleted(db: Db, id: string, deleted: boolean): Promise<void> {
  await db
    .updateTable('generated_images')
    .set({ deleted_at: deleted ? sql<string>`now()` : null, ...EDITED })
    .where('id', '=', id)
    .where('deleted_at', deleted ? 'is' : 'is not', null)
    .execute();
}

/** Sets an item's own store and URL. Not a change of the item itself, so `updated_at` stays. */
export async function setStorage(
  trx: Trx,
  id: string,
  { storageProvider, storageUrl }: { storageProvider: string; storageUrl: string },
): Promise<void> {
  await trx
    .updateTable('generated_images')
    .set({ storage_provider: storageProvider, storage_url: storageUrl })
    .where('id', '=', id)
    .execute();
}

export async function deleteItem(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('generated_images').where('id', '=', id).execute();
}
