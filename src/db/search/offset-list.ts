import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../database.ts';
import { filtered, sortValue } from './item-filter.ts';

/** Items of a list by offset: all but failures. */
interface Listed {
  userId?: string | undefined;
  jobId?: string | undefined;
}

const listed = (db: Db, filter: Listed) =>
  filtered(db.selectFrom('generated_images'), filter).where('generated_images.status', 'in', ['success', 'pending']);

/** Orders of such a list, by the words that older front ends use. */
const ORDERS = {
  newest: sql`generated_images.created_at DESC, generated_images.id DESC`,
  oldest: sql`generated_images.created_at, generated_images.id`,
  largest: sql`${sortValue('bytes')} DESC, generated_images.id DESC`,
  smallest: sql`${sortValue('bytes')}, generated_images.id`,
  name: sql`lower(generated_images.filename) NULLS LAST, generated_images.id`,
} satisfies Record<string, RawBuilder<unknown>>;

export type ListOrder = keyof typeof ORDERS;

export const LIST_ORDERS = Object.keys(ORDERS) as ListOrder[];

/**
 * Ids of items in an order, without failures, from an offset on; the skipped rows are read all the same. For callers that cannot
 * page otherwise.
 */
export async function listItemIds(
  db: Db,
  { limit, offset, order = 'newest', ...filter }: Listed & { limit: number; offset: number; order?: ListOrder },
): Promise<string[]> {
  const rows = await listed(db, filter)
    .select('generated_images.id')
    .orderBy(ORDERS[order])
    .limit(limit)
    .offset(offset)
    .execute();
  return rows.map((row) => row.id);
}

/** Number of items in such a list; reads them all. */
export async function countListed(db: Db, filter: Listed): Promise<number> {
  const row = await listed(db, filter)
    .select((eb) => eb.fn.countAll<string>().as('total'))
    .executeTakeFirstOrThrow();
  return Number(row.total);
}

export interface ListedType {
  mimeType: string | null;
  items: number;
  bytes: number;
  /** Those of them whose bytes can be read. */
  readable: number;
}

/** The items of such a list by type; reads them all. */
export async function listedByType(db: Db, filter: Listed): Promise<ListedType[]> {
  const rows = await listed(db, filter)
    .select((eb) => [
      'generated_images.mime_type',
      eb.fn.countAll<string>().as('items'),
      eb.fn.coalesce(eb.fn.sum<string>('generated_images.bytes'), sql<string>`0`).as('bytes'),
      sql<string>`count(*) FILTER (WHERE storage_url <> '' OR (status = 'pending' AND original_url IS NOT NULL))`.as(
        'readable',
      ),
    ])
    .groupBy('generated_images.mime_type')
    .orderBy('generated_images.mime_type')
    .execute();
  return rows.map(({ mime_type: mimeType, items, bytes, readable }) => ({
    mimeType,
    items: Number(items),
    bytes: Number(bytes),
    readable: Number(readable),
  }));
}
