import type { MediaItem } from '../item-columns.ts';
import { type SelectQueryBuilder, sql } from 'kysely';
import type { Db } from '../database.ts';
import { type ItemFilter, type Position, type SortField, beyond, filtered, sortValue } from './item-filter.ts';
import { rowsThatFit } from '../items/item-pages.ts';
import { itemColumns, rowVersion, toItem } from '../items/item-row.ts';
import { prepared } from '../prepared.ts';
import type { Tables } from '../tables.ts';
import { HIT_COLUMNS, type SearchHit } from './search-hit.ts';
import { findInWindows, needsWindows, secondWalk, walkFirstRows } from './windowed-search.ts';

export interface PageRequest {
  filter: ItemFilter;
  /** Default: by creation. */
  by?: SortField | undefined;
  order: 'asc' | 'desc';
  limit: number;
  after?: Position | undefined;
}

/** The query of one page; exported so that tests can read its plan. */
export function pageQuery(db: Db, { filter, by = 'createdAt', order, limit, after }: PageRequest) {
  const items = filtered(db.selectFrom('generated_images'), filter);
  return pageOf(after ? items.where(beyond(order, after, by)) : items, { by, order, limit });
}

/** The first of some items in order. */
function pageOf(
  items: SelectQueryBuilder<Tables, 'generated_images', object>,
  { by, order, limit }: { by: SortField; order: 'asc' | 'desc'; limit: number },
) {
  return items
    .select(HIT_COLUMNS)
    .$if(by !== 'createdAt', (query) => query.select(sql<string>`${sortValue(by)}::text`.as('sort_value')))
    .orderBy(sql`${sortValue(by)}`, order)
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
    .where('generated_images.id', '=', sql<string>`ANY(${ids}::bigint[])`),
);

/** The items of search hits, in any order, without those deleted since, unless the search asks for them. */
export async function readFound(
  db: Db,
  found: readonly Pick<SearchHit, 'id'>[],
  deleted?: ItemFilter['deleted'],
): Promise<{ item: MediaItem; rowVersion: string }[]> {
  if (found.length === 0) return [];
  const rows = await itemsByIds(db, { ids: found.map(({ id }) => id) });
  return rows
    .filter((row) => deleted !== undefined || row.deleted_at === null)
    .map((row) => ({ item: toItem(row), rowVersion: row.row_version }));
}

interface OwnPage extends Position {
  userId: string;
  limit: number;
}

const ownPage = (order: 'asc' | 'desc', later: boolean) =>
  prepared(`own_items_${order}${later ? '_after' : ''}`, (db, { userId, limit, value, id }: OwnPage) =>
    pageQuery(db, { filter: { userId }, order, limit, after: later ? { value, id } : undefined }),
  );
/** A listing of one user's items without other filters: an index has this order, so one plan is right for every user. */
const OWN_PAGES = {
  desc: { first: ownPage('desc', false), later: ownPage('desc', true) },
  asc: { first: ownPage('asc', false), later: ownPage('asc', true) },
};

/** Two lists in one order. Deleted items have an index of their own, which holds them alone. */
async function withDeleted(db: Db, request: PageRequest): Promise<SearchHit[]> {
  const lists = await Promise.all(
    ([undefined, 'only'] as const).map((deleted) =>
      pageRows(db, { ...request, filter: { ...request.filter, deleted } }),
    ),
  );
  const { by = 'createdAt', order } = request;
  const ids = lists.flat().map(({ id }) => id);
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM generated_images WHERE id = ANY (${ids}::bigint[])
    ORDER BY ${sortValue(by)} ${sql.raw(order)}, id ${sql.raw(order)} LIMIT ${request.limit}`.execute(db);
  const hits = new Map(lists.flat().map((hit) => [hit.id, hit]));
  return rows.flatMap(({ id }) => hits.get(id) ?? []);
}

function pageRows(db: Db, request: PageRequest): Promise<SearchHit[]> {
  const { filter, by = 'createdAt', order, limit, after } = request;
  if (filter.deleted === 'include') return withDeleted(db, request);
  if (by !== 'createdAt') return pageQuery(db, request).execute();
  if (needsWindows(filter)) return searchByWindows(db, request);
  const { userId, tagMode: _onlyHow, ...others } = filter;
  if (userId === undefined || Object.values(others).some((value) => value !== undefined))
    return pageQuery(db, request).execute();
  const { first, later } = OWN_PAGES[order];
  const { value = '', id = '' } = after ?? {};
  return (after ? later : first)(db, { userId, limit, value, id });
}

async function searchByWindows(db: Db, request: PageRequest): Promise<SearchHit[]> {
  const { order, limit } = request;
  const walked = await walkFirstRows(db, request);
  if (walked.hits.length === limit || walked.ended) return walked.hits;
  const length = await secondWalk(db, request, walked.hits.length);
  if (length !== undefined) {
    const further = await walkFirstRows(db, request, length);
    if (further.hits.length === limit || further.ended) return further.hits;
  }
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
      return pageOf(items, { by: 'createdAt', order, limit }).execute();
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

/** Ids of the first items that match a filter behind an id, in the order of their ids. */
export async function matchingIds(
  db: Db,
  { filter, after, upTo, limit }: { filter: ItemFilter; after: string; upTo?: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await filtered(db.selectFrom('generated_images').select('generated_images.id'), filter)
    .where('generated_images.id', '>', after)
    .$if(upTo !== undefined, (query) => query.where('generated_images.id', '<=', upTo ?? ''))
    .orderBy('generated_images.id')
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}
