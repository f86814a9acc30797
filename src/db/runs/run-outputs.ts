import type { MediaItem } from '../item-columns.ts';
import { sql } from 'kysely';
import type { Db, Trx } from '../database.ts';
import { WEIGHT, rowsThatFit } from '../items/item-pages.ts';
import { itemColumns, toItem } from '../items/item-row.ts';
import { recordedAt } from '../timestamps.ts';

/** A slot for one output of a run: the n-th of its type in one store. */
export interface RunSlot {
  runId: string;
  store: string;
  type: string;
  n: number;
}

/**
 * Reserves a slot: `wanted`, if it was never assigned, else the next one. Concurrent callers get different slots; a slot is never
 * assigned twice, unless it is freed.
 */
export async function takeRunSlot(
  db: Db,
  { runId, store, type, wanted }: Omit<RunSlot, 'n'> & { wanted?: number | undefined },
): Promise<number> {
  if (wanted !== undefined && (await insertRunSlot(db, { runId, store, type, n: wanted }))) return wanted;
  for (;;) {
    const { rows } = await sql<{ n: number }>`
      INSERT INTO run_slots (run_id, store, type, n)
      SELECT ${runId}::text, ${store}::text, ${type}::text, coalesce(max(n), 0) + 1 FROM run_slots
      WHERE run_id = ${runId} AND store = ${store} AND type = ${type}
      ON CONFLICT DO NOTHING RETURNING n`.execute(db);
    // Another process took it between the look-up and the insert.
    if (rows[0]) return rows[0].n;
  }
}

/** False when the slot is taken. */
export async function insertRunSlot(db: Db, { runId, store, type, n }: RunSlot): Promise<boolean> {
  const result = await db
    .insertInto('run_slots')
    .values({ run_id: runId, store, type, n })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return result.numInsertedOrUpdatedRows === 1n;
}

/** Frees a slot that is known to hold no object. */
export async function freeRunSlot(db: Db, { runId, store, type, n }: RunSlot): Promise<void> {
  await db
    .deleteFrom('run_slots')
    .where('run_id', '=', runId)
    .where('store', '=', store)
    .where('type', '=', type)
    .where('n', '=', n)
    .execute();
}

export interface RunItemsPage {
  after?: { createdAt: string; id: string } | undefined;
  limit: number;
  /** Include deleted ones. */
  deleted: boolean;
  /** Bytes of their texts. */
  maxBytes?: number;
}

/**
 * Items of a user's run, the oldest first; fewer than the limit when they are large. `more`: there are further ones; `bytes`: of
 * their texts.
 */
export async function runItems(
  db: Db,
  run: { id: string; userId: string },
  { after, limit, deleted, maxBytes }: RunItemsPage,
): Promise<{ items: MediaItem[]; more: boolean; bytes: number }> {
  const found = await itemsOfRun(db, run, { after, deleted })
    .select(['generated_images.id', WEIGHT.as('weight')])
    .limit(limit + 1)
    .execute();
  const fitting = found.slice(0, rowsThatFit(found.slice(0, limit), maxBytes));
  const ids = fitting.map((row) => row.id);
  if (ids.length === 0) return { items: [], more: false, bytes: 0 };
  const rows = await db
    .selectFrom('generated_images')
    .select(itemColumns)
    .where('generated_images.id', 'in', ids)
    .orderBy('created_at')
    .orderBy('generated_images.id')
    .execute();
  const bytes = fitting.reduce((sum, { weight }) => sum + weight, 0);
  return { items: rows.map((row) => toItem(row)), more: ids.length < found.length, bytes };
}

/** The same, only their ids. */
export async function runItemIds(
  db: Db,
  run: { id: string; userId: string },
  { after, limit }: Pick<RunItemsPage, 'after' | 'limit'>,
): Promise<{ id: string; createdAt: string }[]> {
  const rows = await itemsOfRun(db, run, { after, deleted: false })
    .select(['generated_images.id', 'generated_images.created_at'])
    .limit(limit)
    .execute();
  return rows.map((row) => ({ id: row.id, createdAt: recordedAt(row.created_at) }));
}

function itemsOfRun(
  db: Db,
  { id, userId }: { id: string; userId: string },
  { after, deleted }: Pick<RunItemsPage, 'after' | 'deleted'>,
) {
  let query = db.selectFrom('generated_images').where('run_id', '=', id).where('user_id', '=', userId);
  if (!deleted) query = query.where('deleted_at', 'is', null);
  if (after)
    query = query.where(
      sql<boolean>`(generated_images.created_at, generated_images.id) > (${after.createdAt}::timestamptz, ${after.id}::bigint)`,
    );
  return query.orderBy('generated_images.created_at').orderBy('generated_images.id');
}

interface ItemTimes {
  createdAt: string | undefined;
  updatedAt: string | undefined;
  deletedAt: string | undefined;
}

/** Restores an item's original times, where they are known. */
export async function setItemTimes(
  trx: Trx,
  id: string,
  { createdAt, updatedAt, deletedAt }: ItemTimes,
): Promise<void> {
  if (createdAt === undefined && updatedAt === undefined && deletedAt === undefined) return;
  await trx
    .updateTable('generated_images')
    .set({
      ...(createdAt !== undefined && { created_at: createdAt }),
      updated_at: updatedAt ?? null,
      deleted_at: deletedAt ?? null,
    })
    .where('id', '=', id)
    .execute();
}

/** Whether there is an item without bytes that was recorded at that time, or, without a time, with that error or URL. */
export async function hasRecord(
  db: Db,
  {
    runId,
    userId,
    createdAt,
    status,
    error,
    storageUrl,
  }: {
    runId: string;
    userId: string;
    createdAt: string | undefined;
    status: string;
    error: string | undefined;
    storageUrl: string | undefined;
  },
): Promise<boolean> {
  let query = db
    .selectFrom('generated_images')
    .select('id')
    .where('run_id', '=', runId)
    .where('user_id', '=', userId)
    .where('status', '=', status)
    .where('error', 'is not distinct from', error ?? null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('media_locations')
            .select('store')
            .whereRef('media_locations.media_id', '=', 'generated_images.id'),
        ),
      ),
    );
  if (storageUrl !== undefined) query = query.where('storage_url', '=', storageUrl);
  if (createdAt !== undefined) query = query.where('created_at', '=', createdAt);
  return (await query.limit(1).executeTakeFirst()) !== undefined;
}

/** The first items with bytes that have a run's id, oldest first; of one user, if given. */
export async function mediaOfRunIds(
  db: Db,
  { runId, userId, limit }: { runId: string; userId?: string | undefined; limit: number },
): Promise<{ id: string; userId: string }[]> {
  const rows = await db
    .selectFrom('generated_images')
    .select(['id', 'user_id'])
    .where('run_id', '=', runId)
    .where('deleted_at', 'is', null)
    .where('status', 'in', ['success', 'pending'])
    .$if(userId !== undefined, (query) => query.where('user_id', '=', userId ?? ''))
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ id: row.id, userId: row.user_id }));
}
