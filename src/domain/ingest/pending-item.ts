import type { Trx } from '../../db/database.ts';
import { type NewFetch, insertFetch } from '../../db/jobs/fetches.ts';
import { insertItem, updateItem } from '../../db/items/items.ts';
import type { MediaItem } from '../../db/items/item-row.ts';
import { setCurrentItem } from '../../db/items/scenes.ts';
import { mediaTypeByMime } from '../../media/media-type.ts';
import { takeScene, toRow } from './commit-item.ts';
import type { Deps } from '../deps.ts';
import { recordItemEvent } from '../items/item-event.ts';
import type { ItemFields } from '../items/item-fields.ts';

/**
 * An item whose bytes are still to be had: the caller enqueues the job that gets them, or gets them itself.
 * @param into the item that it takes the place of
 */
export async function insertPendingItem(
  deps: Deps,
  trx: Trx,
  fields: ItemFields,
  wanted: NewFetch,
  into?: string,
): Promise<MediaItem> {
  const pending = { ...fields, status: 'pending' };
  const version = await takeScene(trx, fields, true);
  const url = wanted.sources.find((source) => source.type === 'url')?.url;
  const row = toRow(deps, pending, { type: 'none' }, undefined, version);
  const expected = mediaTypeByMime(wanted.options.contentType ?? '');
  const item = await writeItem(
    trx,
    {
      ...row,
      ...(expected && { media_type: expected.mediaType }),
      original_url: fields.originalUrl ?? (url !== undefined && Buffer.byteLength(url) <= 2000 ? url : undefined),
    },
    into,
  );
  await insertFetch(trx, item.id, wanted);
  if (version !== undefined && fields.projectId !== undefined && fields.sceneId !== undefined)
    await setCurrentItem(trx, fields.projectId, fields.sceneId, item.id);
  return { ...item, isCurrent: version === undefined ? null : true };
}

/** An item that will have no bytes. */
export async function insertFailedItem(
  deps: Deps,
  trx: Trx,
  fields: ItemFields,
  error: string,
  into?: string,
): Promise<MediaItem> {
  const failed = { ...fields, status: 'failed', error };
  const item = await writeItem(trx, toRow(deps, failed, { type: 'none' }, undefined, undefined), into);
  await recordItemEvent(trx, item);
  return item;
}

/** A new item, or the one that stood for the failure of its job until now: nothing of that stays but its id. */
async function writeItem(trx: Trx, row: ReturnType<typeof toRow>, into: string | undefined): Promise<MediaItem> {
  if (into === undefined) return insertItem(trx, row, () => '');
  // What an insert would leave out, and to the column's default.
  const blank = { error: null, original_url: null, tool_name: 'generateUserImage' };
  const change = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? null]));
  const item = await updateItem(trx, into, { ...blank, ...change }, 'any');
  if (!item) throw new Error('the failure of a job vanished from under its lock');
  return item;
}
