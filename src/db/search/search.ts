import type { MediaItem } from '../item-columns.ts';
import { type SelectQueryBuilder, sql } from 'kysely';
import type { Db } from '../database.ts';
import { type ItemFilter, type Position, beyond, filtered } from './item-filter.ts';
import { rowsThatFit } from '../items/item-pages.ts';
import { itemColumns, rowVersion, toItem } from '../items/item-row.ts';
import { prepared } from '../prepared.ts';
import type { Tables } from '../tables.ts';
import { HIT_COLUMNS, type SearchHit } from './search-hit.ts';
import { findInWindows, needsWindows, walkFirstRows } from './windowed-search.ts';

export interface PageRequest {
  filter: ItemFilter;
  order: 'asc' | 'desc';
  limit: number;
  after?: Position | undefined;
}

/** The query of one page; exported so that tests can read its plan. */
export function pageQuery(db: Db, { filter, order, limit, after }: PageRequest) {
  const items = filtered(db.selectFrom('generated_images'), filter);
  return pageOf(after ? items.where(beyond(order, after)) : items, order, limit);
}

/** The first of some items in order. */
function pageOf(items: SelectQueryBuilder<Tables, 'generated_images', object>, order: 'asc' | 'desc', limit: number) {
  return items
    .select(HIT_COLUMNS)
    .orderBy('generated_images.created_at', order)
    .orderBy('generated_images.id', order)
    .limit(limit);
}

export interface FoundPage {
  found: SearchHit[];
  /** Whether there are items after the last one of this page. */
  more: boolean;
}

/** One page of items in the order of (created, id); shorter than the limit when its items are large. */
export async function searchItems(db: Db, request: PageRequest): Promise<FoundPage> {
  const rows = await pageRows(db, { ...request, limit: request.limit + 1 });
  const found = rows.slice(0, rowsThatFit(rows.slice(0, request.limit)));
  return { found, more: found.length < rows.length };
}

const itemsByIds = prepared('items_by_ids', (db, { ids }: { ids: string[] }) =>
  db
    .selectFrom('generated_images')
    .select((eb) => [...itemColumns(eb), rowVersion(eb).as('row_version')])
    .where('generated_images.id', '=', sql<string>`ANY(${ids}::bigint[])`)
    .where('generated_images.deleted_at', 'is', null),
);

/** The items of search hits, in any order, without those deleted since. */
export async function readFound(
  db: Db,
  found: readonly Pick<SearchHit, 'id'>[],
): Promise<{ item: MediaItem; rowVersion: string }[]> {
  if (found.length === 0) return [];
  const rows = await itemsByIds(db, { ids: found.map(({ id }) => id) });
  return rows.map((row) => ({ item: toItem(row), rowVersion: row.row_version }));
}

interface OwnPage {
  userId: string;
  limit: number;
  createdAt: string;
  id: string;
}

const ownPage = (order: 'asc' | 'desc', later: boolean) =>
  prepared(`own_items_${order}${later ? '_after' : ''}`, (db, { userId, limit, createdAt, id }: OwnPage) =>
    pageQuery(db, { filter: { userId }, order, limit, after: later ? { createdAt, id } : undefined }),
  );
/** A listing of one user's items without other filters: an index has this order, so one plan is right for every user. */
const OWN_PAGES = {
  desc: { first: ownPage('desc', false), later: ownPage('desc', true) },
  asc: { first: ownPage('asc', false), later: ownPage('asc', true) },
};

function pageRows(db: Db, request: PageRequest): Promise<SearchHit[]> {
  const { filter, order, limit, after } = request;
  if (needsWindows(filter)) return searchByWindows(db, request);
  const { userId, tagMode: _onlyHow, ...others } = filter;
  if (userId === undefined || Object.values(others).some((value) => value !== undefined))
    return pageQuery(db, request).execute();
  const { first, later } = OWN_PAGES[order];
  const { createdAt = '', id = '' } = after ?? {};
  return (after ? later : first)(db, { userId, limit, createdAt, id });
}

async function searchByWindows(db: Db, request: PageRequest): Promise<SearchHit[]> {
  const { order, limit } = request;
  const walked = await walkFirstRows(db, request);
  if (walked.hits.length === limit || walked.ended) return walked.hits;
  // One snapshot, so that concurrent inserts and deletions neither skip items nor end the listing early.
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      const ids = await findInWindows(trx, request, walked.hits.length);
      if (!ids) return (await walkFirstRows(trx, request)).hits;
      if (ids.length === 0) return [];
      const items = trx.selectFrom('generated_images').where('generated_images.id', 'in', ids);
      return pageOf(items, order, limit).execute();
    });
}

/** Number of items that match a filter; reads them all. */
export async function countItems(db: Db, filter: ItemFilter): Promise<number> {
  const row = await filtered(
    db.selectFrom('generated_images').select((eb) => eb.fn.countAll<string>().as('total')),
    filter,
  ).executeTakeFirstOrThrow();
  return Number(row.total);
}

/**
 * Ids of items newest first, without failures, from an offset on; the skipped rows are read all the same. For callers that cannot
 * page otherwise.
 */
export async function listItemIds(
  db: Db,
  {
    limit,
    offset,
    ...filter
  }: { userId?: string | undefined; jobId?: string | undefined; limit: number; offset: number },
): Promise<string[]> {
  const rows = await filtered(db.selectFrom('generated_images').select('generated_images.id'), filter)
    .where('generated_images.status', 'in', ['success', 'pending'])
    .orderBy('generated_images.created_at', 'desc')
    .orderBy('generated_images.id', 'desc')
    .limit(limit)
    .offset(offset)
    .execute();
  return rows.map((row) => row.id);
}
