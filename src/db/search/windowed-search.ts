import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import type { Db, Trx } from '../database.ts';
import { EXACT_FIELDS, type ItemFilter, type Position, beyond, columnsOf, filtered } from './item-filter.ts';
import { nameShape } from '../preparing-client.ts';
import type { Tables } from '../tables.ts';
import { type SearchHit, hitColumns } from './search-hit.ts';

/**
 * Searches by tags, metadata and text. Their GIN indexes are unordered: finding the newest fifty means reading and sorting all
 * matches, which is slow when many items match; walking along the order until enough are found is slow when few match. The
 * planner must guess which is the case, and for metadata and phrases its guesses are wrong by orders of magnitude. So a short
 * walk comes first and fills the page of common searches; one by words that found some, but not enough, walks on. The rest is found through the indexes, in growing windows of time: in
 * each window the matches are few, or the window is large because there are few in all.
 */

/** Rows of the walk. Words take more room than tags or metadata, and those of long prompts are stored apart. */
const WALK = { text: 200, other: 2000 };
/** Few lengths, since each is a statement of its own. */
const SECOND_WALKS = [1000, 4000, 16_000];
const LONG_WALK = 16_000;
const MANY_MATCHES = 30_000;
/** Maximum length of the first window relative to the walk. */
const MAX_FIRST = 50;
/** The second window relative to the first; the third has no end. */
const GROWTH = 16;
const WINDOWS = 3;
/**
 * Matches in the whole table up to which the second window has no end: reading so many takes less time than finding the rows of a
 * window in the index of times (some 25 ms for 270,000), which the planner does not know.
 */
const FEW_MATCHES = 10_000;
/** Minimum length of the first window: the rows of a bulk import may all have the same time. */
const MIN_FIRST_MS = 1000;
/** Years that JavaScript and PostgreSQL write alike; a window that would end beyond them has no end. */
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00Z');
const LATEST_MS = Date.parse('9999-12-31T00:00:00Z');

/** A search with one of these reads only a handful of rows. */
const FEW: readonly (keyof ItemFilter)[] = [
  ...EXACT_FIELDS.filter(([, { filter }]) => filter === 'few').map(([field]) => field),
  'ofJob',
  'seed',
];
/** Each of these conditions has an index in the order of listings; a walk uses the first one present. */
const ORDERED = ['userId', 'failed', 'sampler', 'model', 'toolName'] as const;

/** The columns that every walk reads. */
const WALKED = ['id', 'created_at', 'deleted_at'] as const;

export function needsWindows(filter: ItemFilter): boolean {
  const asked = (filter.tags?.length ?? 0) > 0 || filter.metadata !== undefined || filter.words !== undefined;
  return asked && filter.deleted !== 'only' && FEW.every((name) => filter[name] === undefined);
}

export interface WindowedRequest {
  filter: ItemFilter;
  order: 'asc' | 'desc';
  limit: number;
  after?: Position | undefined;
}

type Items = SelectQueryBuilder<Tables, 'generated_images', object>;

export interface Walked {
  /** The matches among the first rows, in order. */
  hits: SearchHit[];
  /** There are no rows after these. */
  ended: boolean;
}

/**
 * Reads the first rows of the order, in which most searches find enough. Rows are read one by one, and counted only when too few
 * match: `UNION ALL` starts its second half when the first has ended.
 */
export async function walkFirstRows(
  db: Db,
  request: WindowedRequest,
  length: number = walkLength(request.filter),
): Promise<Walked> {
  const query = walkQuery(db, request, length).compile(db);
  // The index it uses does not depend on the values, and planning costs as much as walking.
  nameShape('walk', query.sql);
  const { rows } = await db.executeQuery<SearchHit & { walked: string | null }>(query);
  const count = rows.find(({ walked }) => walked !== null)?.walked;
  return {
    hits: rows.flatMap(({ walked, ...hit }) => (walked === null ? [hit] : [])),
    ended: count !== undefined && Number(count) < length,
  };
}

/**
 * Length of a second walk, after one that has found some but not enough; undefined: the indexes are better. The planner takes words of
 * several pairs of characters for rare, since it takes the pairs for independent, and would read all matches. A long walk is worth
 * it only where those are many.
 */
export async function secondWalk(
  db: Db,
  { filter, limit }: WindowedRequest,
  found: number,
): Promise<number | undefined> {
  if (filter.words === undefined || found === 0) return undefined;
  const first = walkLength(filter);
  const wanted = (first * 1.5 * limit) / found;
  const length = SECOND_WALKS.find((each) => each >= wanted);
  if (length === undefined || length < LONG_WALK) return length;
  return (found / first) * (await countRoughly(db)) > MANY_MATCHES ? length : undefined;
}

/** All rows, as the last vacuum counted them. */
async function countRoughly(db: Db): Promise<number> {
  const { rows } = await sql<{ total: number }>`
    SELECT reltuples AS total FROM pg_class WHERE oid = 'generated_images'::regclass`.execute(db);
  return rows[0]?.total ?? 0;
}

/** The statement of `walk`. */
function walkQuery(
  db: Db,
  request: WindowedRequest,
  length: number,
): RawBuilder<SearchHit & { walked: string | null }> {
  const { filter, order, limit } = request;
  const names = [...WALKED, ...columnsOf(filter)].map((name) => `generated_images.${name}` as const);
  const rows = path(db, request).select(names).limit(sql.lit(length));
  const walked = db.selectFrom(sql`walked`.as('generated_images')) as unknown as Items;
  const direction = sql.raw(order);
  return sql`
    WITH walked AS MATERIALIZED ${rows}, hit AS (
      SELECT id, NULL::bigint AS walked FROM ${filtered(walked, filter).select('generated_images.id')} AS matching
      UNION ALL SELECT NULL, count(*) FROM walked
      LIMIT ${limit}
    )
    SELECT found.*, hit.walked
    FROM hit LEFT JOIN LATERAL (
      -- OFFSET 0: a look-up for each hit, where a join would read the table.
      SELECT ${hitColumns} FROM generated_images WHERE generated_images.id = hit.id OFFSET 0
    ) AS found ON TRUE
    ORDER BY found.created_at ${direction}, found.id ${direction}`;
}

/**
 * Ids of the first `limit` items of a search, in order; undefined when the walk finds them all, because it reaches the end. Runs
 * several statements: call it in a transaction with one snapshot.
 * @param walked how many of them the walk has found
 */
export async function findInWindows(trx: Trx, request: WindowedRequest, walked: number): Promise<string[] | undefined> {
  const { filter, order, limit, after } = request;
  const edges = await edgesOfWalk(trx, request);
  if (!edges) return undefined;
  const forward = order === 'desc' ? -1 : 1;
  const first = Date.parse(edges.first);
  const span = Math.max(MIN_FIRST_MS, Math.abs(Date.parse(edges.last) - first));
  let length = span * Math.min(MAX_FIRST, Math.max(1, (1.5 * limit) / walked));
  let at = first;
  let rows = (walkLength(filter) * length) / span;
  const found: string[] = [];
  let from: string | undefined;
  for (let number = 1; found.length < limit; number += 1) {
    // Of a term that was not found yet, there may be a few in as many rows.
    const few = number > 1 && (Math.max(3, found.length) / rows) * edges.total < FEW_MATCHES;
    at += forward * length;
    const last = number === WINDOWS || few || !(at > EARLIEST_MS && at < LATEST_MS);
    const to: string | undefined = last ? undefined : new Date(at).toISOString();
    found.push(...(await searchWindow(trx, { filter, order, after, from, to, limit: limit - found.length })));
    if (last) break;
    from = to;
    length *= GROWTH;
    rows *= GROWTH;
  }
  return found;
}

const walkLength = (filter: ItemFilter): number => (filter.words === undefined ? WALK.other : WALK.text);

/** The items that a walk reads, from the beginning of the page. */
function path(db: Db, { filter, order, after }: WindowedRequest) {
  const along = ORDERED.find((name) => filter[name] !== undefined && filter[name] !== false);
  const { createdAfter, createdBefore } = filter;
  const query = filtered(db.selectFrom('generated_images'), {
    createdAfter,
    createdBefore,
    ...(along !== undefined && { [along]: filter[along] }),
  });
  return (after ? query.where(beyond(order, after)) : query)
    .orderBy('generated_images.created_at', order)
    .orderBy('generated_images.id', order);
}

/**
 * Creation times of the first and the last row of a walk, and about how many rows there are in all; undefined when it reached the end. Also raises the memory for large
 * bitmaps.
 */
async function edgesOfWalk(
  db: Db,
  request: WindowedRequest,
): Promise<{ first: string; last: string; total: number } | undefined> {
  const times = path(db, request).select('generated_images.created_at').limit(1);
  return db
    .selectFrom(times.offset(walkLength(request.filter) - 1).as('last'))
    .innerJoin(times.as('first'), (join) => join.onTrue())
    .select([
      'first.created_at as first',
      'last.created_at as last',
      sql`set_config('work_mem', '32MB', TRUE)`.as('set'),
      sql<number>`(SELECT reltuples FROM pg_class WHERE oid = 'generated_images'::regclass)`.as('total'),
    ])
    .executeTakeFirst();
}

interface Window {
  filter: ItemFilter;
  order: 'asc' | 'desc';
  /** The place after which the page begins. */
  after: Position | undefined;
  /** Its first moment; undefined: no bound. */
  from: string | undefined;
  /** Its end, exclusive; undefined: no bound. */
  to: string | undefined;
  limit: number;
}

/** The first `limit` matches of a window, in order. */
async function searchWindow(db: Db, { filter, order, after, from, to, limit }: Window): Promise<string[]> {
  const down = order === 'desc';
  let query = filtered(db.selectFrom('generated_images').select('generated_images.id'), filter);
  if (after) {
    query = query.where(beyond(order, after));
    // Redundant, but the planner estimates a window's length only from two plain bounds.
    if (from === undefined) query = query.where('generated_images.created_at', down ? '<=' : '>=', after.value);
  }
  if (from !== undefined) query = query.where('generated_images.created_at', down ? '<' : '>=', from);
  if (to !== undefined) query = query.where('generated_images.created_at', down ? '>=' : '<', to);
  // An order that no index has, or the planner would walk along the order after all.
  const hits = await query
    .orderBy(sql`generated_images.created_at - interval '0'`, order)
    .orderBy('generated_images.id', order)
    .limit(limit)
    .execute();
  return hits.map((row) => row.id);
}
