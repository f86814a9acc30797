import { type SelectQueryBuilder, sql } from 'kysely';
import type { Db } from './database.ts';
import { type ItemFilter, type Position, beyond, filtered } from './item-filter.ts';
import { ITEM_COLUMNS, type MediaItem, itemColumns, toItem } from './media-item.ts';
import { prepared } from './prepared.ts';
import type { Tables } from './tables.ts';
import { findInWindows, needsWindows, walkedItems } from './windowed-search.ts';

export interface PageRequest {
  filter: ItemFilter;
  order: 'asc' | 'desc';
  limit: number;
  after?: Position | undefined;
}

/** A page ends early when its texts grow beyond this: 200 items of the largest size would be 80 MB. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

/** Each costs a hundred values to be read for a page, so no more than are needed. */
const PAGE_COLUMNS = [
  ...ITEM_COLUMNS.map((name) => `weighed.${name}` as const),
  'weighed.storage_key',
  'weighed.is_current',
  'weighed.found',
] as const;

/** The query of one page; exported so that its plan can be read. */
export function pageQuery(db: Db, { filter, order, limit, after }: PageRequest) {
  const items = filtered(db.selectFrom('generated_images'), filter);
  return pageOf(db, after ? items.where(beyond(order, after)) : items, order, limit);
}

/** The first of some items in order, as far as they fit on a page; `found` is how many there were. */
function pageOf(
  db: Db,
  items: SelectQueryBuilder<Tables, 'generated_images', object>,
  order: 'asc' | 'desc',
  limit: number,
) {
  const page = items
    .select(itemColumns)
    .orderBy('generated_images.created_at', order)
    .orderBy('generated_images.id', order)
    .limit(limit)
    .as('page');
  const window = sql`(ORDER BY page.created_at ${sql.raw(order)}, page.id ${sql.raw(order)})`;
  const weighed = db
    .selectFrom(page)
    .selectAll('page')
    .select([
      sql<string>`sum(octet_length(page.prompt) + coalesce(octet_length(page.error), 0) + coalesce(pg_column_size(page.metadata), 0)
        + coalesce(pg_column_size(page.generation), 0)) OVER ${window}`.as('running_bytes'),
      sql<string>`row_number() OVER ${window}`.as('position'),
      sql<string>`count(*) OVER ()`.as('found'),
    ])
    .as('weighed');
  return db
    .selectFrom(weighed)
    .select(PAGE_COLUMNS)
    .where((eb) => eb.or([eb('weighed.running_bytes', '<=', String(MAX_PAGE_BYTES)), eb('weighed.position', '=', '1')]))
    .orderBy('weighed.created_at', order)
    .orderBy('weighed.id', order);
}

export interface ItemPage {
  items: MediaItem[];
  /** Whether there are items after the last one of this page. */
  more: boolean;
}

/** One page of items in the order of (created, id); shorter than the limit when its items are large. */
export async function searchItems(db: Db, request: PageRequest): Promise<ItemPage> {
  const further = { ...request, limit: request.limit + 1 };
  const rows = await pageRows(db, further);
  const items = rows.slice(0, request.limit).map((row) => toItem(row));
  return { items, more: items.length < Number(rows[0]?.found ?? 0) };
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
/** One user's items and nothing else: an index has them in this order, whoever it is, so one plan is right for all. */
const OWN_PAGES = {
  desc: { first: ownPage('desc', false), later: ownPage('desc', true) },
  asc: { first: ownPage('asc', false), later: ownPage('asc', true) },
};

function pageRows(db: Db, request: PageRequest) {
  const { filter, order, limit, after } = request;
  if (needsWindows(filter)) return searchByWindows(db, request);
  const { userId, tagMode: _onlyHow, ...others } = filter;
  if (userId === undefined || Object.values(others).some((value) => value !== undefined))
    return pageQuery(db, request).execute();
  const { first, later } = OWN_PAGES[order];
  const { createdAt = '', id = '' } = after ?? {};
  return (after ? later : first)(db, { userId, limit, createdAt, id });
}

async function searchByWindows(db: Db, request: PageRequest) {
  const { order, limit } = request;
  const walk = (db: Db) => pageOf(db, walkedItems(db, request), order, limit).execute();
  const walked = await walk(db);
  const found = Number(walked[0]?.found ?? 0);
  if (found === limit) return walked;
  // One snapshot, so that an item that comes or goes meanwhile is neither skipped nor ends the listing early.
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      const ids = await findInWindows(trx, request, found);
      if (!ids) return walk(trx);
      if (ids.length === 0) return [];
      const items = trx.selectFrom('generated_images').where('generated_images.id', 'in', ids);
      return pageOf(trx, items, order, limit).execute();
    });
}

/** How many items a filter finds; reads them all. */
export async function countItems(db: Db, filter: ItemFilter): Promise<number> {
  const row = await filtered(
    db.selectFrom('generated_images').select((eb) => eb.fn.countAll<string>().as('total')),
    filter,
  ).executeTakeFirstOrThrow();
  return Number(row.total);
}

/** Newest first, without failures, from an offset on: what is left out is read all the same. For callers that cannot page otherwise. */
export async function listItems(
  db: Db,
  {
    limit,
    offset,
    ...filter
  }: { userId?: string | undefined; jobId?: string | undefined; limit: number; offset: number },
): Promise<MediaItem[]> {
  const rows = await filtered(db.selectFrom('generated_images').select(itemColumns), filter)
    .where('generated_images.status', 'in', ['success', 'pending'])
    .orderBy('generated_images.created_at', 'desc')
    .orderBy('generated_images.id', 'desc')
    .limit(limit)
    .offset(offset)
    .execute();
  return rows.map((row) => toItem(row));
}
