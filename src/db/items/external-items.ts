import type { MediaItem } from '../item-columns.ts';
import { sql } from 'kysely';
import type { Db } from '../database.ts';
import { itemColumns, toItem } from './item-row.ts';

/** Successes without a location here, whose storage URL can be fetched; by id, after `after`. */
export async function externalItems(
  db: Db,
  {
    storageProvider,
    userId,
    after,
    limit,
  }: { storageProvider?: string | undefined; userId?: string | undefined; after: string; limit: number },
): Promise<MediaItem[]> {
  const rows = await db
    .selectFrom('generated_images')
    .select(itemColumns)
    .where('id', '>', after)
    .where('status', '=', 'success')
    .where('deleted_at', 'is', null)
    .where('storage_url', 'like', 'http%')
    // A scalar look-up per row: an anti-join would read all locations for every page.
    .where(sql<boolean>`(SELECT media_id FROM media_locations WHERE media_id = generated_images.id LIMIT 1) IS NULL`)
    .$if(storageProvider !== undefined, (query) => query.where('storage_provider', '=', storageProvider ?? ''))
    .$if(userId !== undefined, (query) => query.where('user_id', '=', userId ?? ''))
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map((row) => toItem(row));
}
