import type { SelectQueryBuilder } from 'kysely';
import type { Db } from '../database.ts';
import { type ItemFilter, matching } from './item-filter.ts';
import type { Tables } from '../tables.ts';

/** Items to copy into the store `to`: those that lie in `from`, or without it those that have no good copy in `to`. */
export interface TransferScope {
  from?: string | undefined;
  to: string;
  filter: ItemFilter;
}

function inScope<O>(
  query: SelectQueryBuilder<Tables, 'generated_images', O>,
  { from, to, filter }: TransferScope,
): SelectQueryBuilder<Tables, 'generated_images', O> {
  return matching(query, filter).where(({ and, exists, not, selectFrom }) => {
    const held = () =>
      selectFrom('media_locations')
        .select('media_locations.store')
        .whereRef('media_locations.media_id', '=', 'generated_images.id')
        .where('media_locations.state', '<>', 'pending');
    return from === undefined
      ? and([
          exists(held()),
          not(exists(held().where('media_locations.store', '=', to).where('media_locations.state', '=', 'stored'))),
        ])
      : exists(held().where('media_locations.store', '=', from));
  });
}

/** Number and bytes of the items in a transfer, including soft-deleted ones, which can be restored. */
export async function countTransfers(db: Db, scope: TransferScope): Promise<{ items: number; bytes: number }> {
  const row = await inScope(
    db
      .selectFrom('generated_images')
      .select(({ fn }) => [
        fn.countAll<string>().as('items'),
        fn.sum<string | null>('generated_images.bytes').as('bytes'),
      ]),
    scope,
  ).executeTakeFirstOrThrow();
  return { items: Number(row.items), bytes: Number(row.bytes ?? 0) };
}

/** Ids of the next items after `after`, in the order of their ids. */
export async function nextTransfers(db: Db, scope: TransferScope, after: string, limit: number): Promise<string[]> {
  const rows = await inScope(db.selectFrom('generated_images').select('generated_images.id'), scope)
    .where('generated_images.id', '>', after)
    .orderBy('generated_images.id')
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}
