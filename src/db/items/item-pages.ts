import type { MediaItem } from '../item-columns.ts';
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../database.ts';
import { type ItemRow, itemColumns, toItem } from './item-row.ts';

/** Maximum bytes of the texts in one response; 200 of the largest items would be 80 MB. */
export const MAX_PAGE_BYTES = 8 * 1024 * 1024;
/** Characters of a text of an abridged item. */
const ABRIDGED_CHARACTERS = 500;

/** Bytes of the texts and objects of an item that have no small bound. */
export const WEIGHT = sql<number>`octet_length(generated_images.prompt) + coalesce(octet_length(generated_images.error), 0)
  + ${sizeOf('generated_images.metadata')} + ${sizeOf('generated_images.generation')}`;

/**
 * Approximate bytes of a JSON column in a response. Only a compressed one must be read for that: it may be a hundredth of the size on
 * disk.
 */
export function sizeOf(name: string): RawBuilder<number> {
  const column = sql.ref(name);
  return sql`coalesce(CASE WHEN pg_column_compression(${column}) IS NULL THEN pg_column_size(${column}) ELSE octet_length(${column}::text) END, 0)`;
}

/** How many of the rows fit into a page; the first always does. */
export function rowsThatFit(rows: readonly { weight: number }[], maxBytes = MAX_PAGE_BYTES): number {
  return Math.min(rows.length, Math.max(1, countUpTo(rows, maxBytes)));
}

function countUpTo(rows: readonly { weight: number }[], maxBytes: number): number {
  let bytes = 0;
  const last = rows.findIndex(({ weight }) => (bytes += weight) > maxBytes);
  return last === -1 ? rows.length : last;
}

/** Orders ids by creation. */
export function byId(a: string, b: string): number {
  return BigInt(a) < BigInt(b) ? -1 : 1;
}

/** An item whose long texts are cut and whose objects are left out, because the response would be too large with them. */
export interface AbridgedItem extends MediaItem {
  abridged: true;
}

/** Abridges an item as the database does. */
export function abridged(item: MediaItem): AbridgedItem {
  const { prompt, error } = item;
  return {
    ...item,
    prompt: prompt.slice(0, ABRIDGED_CHARACTERS),
    error: error?.slice(0, ABRIDGED_CHARACTERS) ?? null,
    metadata: {},
    generation: {},
    abridged: true,
  };
}

/**
 * Items by id, in the order of `ids`; missing ones are left out. As many as fit into `maxBytes` are whole, the others are
 * abridged: a list by offset, or the response to a write, may leave none out.
 */
export async function readBounded(
  db: Db,
  ids: readonly string[],
  maxBytes = MAX_PAGE_BYTES,
): Promise<(MediaItem | AbridgedItem)[]> {
  const items: (MediaItem | AbridgedItem)[] = [];
  let left = maxBytes;
  let at = 0;
  // Weighed in pieces: weighing an item of compressed JSON costs nearly as much as reading it.
  while (at < ids.length && left > 0) {
    const next = ids.slice(at, at + WEIGHED_AT_ONCE);
    const weights = await weigh(db, next);
    const fitting = at === 0 ? rowsThatFit(weights, left) : countUpTo(weights, left);
    items.push(...(await readWhole(db, next.slice(0, fitting))));
    at += fitting;
    left = fitting < next.length ? 0 : left - weights.reduce((sum, { weight }) => sum + weight, 0);
  }
  return [...items, ...(await readAbridged(db, ids.slice(at)))];
}

const WEIGHED_AT_ONCE = 50;

/** Weights in the order of `ids`; 0: there is no such item. */
async function weigh(db: Db, ids: readonly string[]): Promise<{ weight: number }[]> {
  const rows = await db
    .selectFrom('generated_images')
    .select(['generated_images.id', WEIGHT.as('weight')])
    .where('generated_images.id', 'in', ids)
    .execute();
  const weights = new Map(rows.map(({ id, weight }) => [id, weight]));
  return ids.map((id) => ({ weight: weights.get(id) ?? 0 }));
}

function inOrder<T extends { id: string }>(ids: readonly string[], items: readonly T[]): T[] {
  const found = new Map(items.map((item) => [item.id, item]));
  return ids.flatMap((id) => found.get(id) ?? []);
}

async function readWhole(db: Db, ids: readonly string[]): Promise<MediaItem[]> {
  if (ids.length === 0) return [];
  const rows = await db.selectFrom('generated_images').select(itemColumns).where('id', 'in', ids).execute();
  return inOrder(
    ids,
    rows.map((row) => toItem(row)),
  );
}

async function readAbridged(db: Db, ids: readonly string[]): Promise<AbridgedItem[]> {
  if (ids.length === 0) return [];
  // Aliased as the original columns, so that the rows are read like any others.
  const cut = db
    .selectFrom('generated_images')
    .select((eb) => itemColumns(eb).filter((column) => typeof column !== 'string' || !HEAVY.has(column)))
    .select([
      sql<string>`left(generated_images.prompt, ${sql.lit(ABRIDGED_CHARACTERS)})`.as('prompt'),
      sql<string | null>`left(generated_images.error, ${sql.lit(ABRIDGED_CHARACTERS)})`.as('error'),
      sql`'{}'::jsonb`.as('metadata'),
      sql`'{}'::jsonb`.as('generation'),
    ])
    .where('generated_images.id', 'in', ids);
  const rows = (await cut.execute()) as unknown as ItemRow[];
  return inOrder(
    ids,
    rows.map((row) => ({ ...toItem(row), abridged: true as const })),
  );
}

const HEAVY: ReadonlySet<string> = new Set(
  ['prompt', 'error', 'metadata', 'generation'].map((column) => `generated_images.${column}`),
);
