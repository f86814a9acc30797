import type { Trx } from '../../db/database.ts';
import { INSERTED_FIELDS, type MediaItem, columnOf } from '../../db/item-columns.ts';
import { type NewItem, insertItem } from '../../db/items/insert-items.ts';
import { updateItem } from '../../db/items/items.ts';
import { takeSceneVersion } from '../../db/items/scenes.ts';
import { type NewFetch, insertFetch } from '../../db/jobs/fetches.ts';
import { mediaTypeByMime } from '../../media/media-type.ts';
import type { Deps } from '../deps.ts';
import { recordItemEvent } from '../items/item-event.ts';
import type { ItemFields } from '../items/item-fields.ts';
import { newItem } from './new-item.ts';

/**
 * Inserts an item whose bytes are still to be fetched: the caller enqueues the task that fetches them, or fetches them itself.
 * @param into the item that it replaces
 */
export async function insertPendingItem(
  deps: Deps,
  trx: Trx,
  fields: ItemFields,
  wanted: NewFetch,
  into?: string,
): Promise<MediaItem> {
  const url = wanted.sources.find((source) => source.type === 'url')?.url;
  const expected = mediaTypeByMime(wanted.options.contentType ?? '');
  const originalUrl = fields.originalUrl ?? (url !== undefined && Buffer.byteLength(url) <= 2000 ? url : undefined);
  const pending = newItem(deps, { fields: { ...fields, status: 'pending', originalUrl }, source: { type: 'none' } });
  const item = await writeItem(
    trx,
    { ...pending, row: { ...pending.row, ...(expected && { media_type: expected.mediaType }) } },
    into,
  );
  await insertFetch(trx, item.id, wanted);
  return item;
}

/** Inserts an item that will have no bytes. */
export async function insertFailedItem(
  deps: Deps,
  trx: Trx,
  fields: ItemFields,
  error: string,
  into?: string,
): Promise<MediaItem> {
  const failed = newItem(deps, { fields: { ...fields, status: 'failed', error }, source: { type: 'none' } });
  return writeItem(trx, failed, into);
}

/** Inserts a new item, or overwrites the one that recorded its job's failure, keeping only the id. */
async function writeItem(trx: Trx, item: NewItem, into: string | undefined): Promise<MediaItem> {
  if (into === undefined) return insertItem(trx, item);
  const { project_id, scene_id, user_id } = item.row;
  const inScene = item.takesVersion === true && project_id && scene_id;
  const version = inScene ? await takeSceneVersion(trx, project_id, scene_id, user_id, into) : null;
  const written = INSERTED_FIELDS.map(([field, { kind, default: initial }]) => {
    const column = columnOf(field) as keyof NewItem['row'];
    const value: unknown = item.row[column] ?? initial ?? null;
    return [column, kind === 'object' && value !== null ? JSON.stringify(value) : value] as const;
  });
  const changed = await updateItem(trx, into, { ...Object.fromEntries(written), version }, 'any');
  if (!changed) throw new Error('the failure of a job vanished from under its lock');
  await recordItemEvent(trx, changed);
  return changed;
}
