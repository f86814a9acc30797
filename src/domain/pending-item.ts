import type { Trx } from '../db/database.ts';
import { type NewFetch, insertFetch } from '../db/fetches.ts';
import { enqueue } from '../db/jobs.ts';
import { insertItem } from '../db/media.ts';
import type { MediaItem } from '../db/media-item.ts';
import { setCurrentItem } from '../db/scenes.ts';
import { mediaTypeByMime } from '../media/media-type.ts';
import { takeScene, toRow } from './commit-item.ts';
import type { Deps } from './deps.ts';
import { recordItemEvent } from './item-event.ts';
import type { ItemFields } from './item-fields.ts';

/** An item whose bytes are still to be had; a worker takes it up as soon as the transaction commits, unless the request itself does. */
export async function insertPendingItem(
  deps: Deps,
  trx: Trx,
  fields: ItemFields,
  wanted: NewFetch,
): Promise<MediaItem> {
  const pending = { ...fields, status: 'pending' };
  const version = await takeScene(trx, fields, true);
  const url = wanted.sources.find((source) => source.type === 'url')?.url;
  const row = toRow(deps, pending, { type: 'none' }, undefined, version);
  const expected = mediaTypeByMime(wanted.options.contentType ?? '');
  const item = await insertItem(
    trx,
    {
      ...row,
      ...(expected && { media_type: expected.mediaType }),
      original_url: fields.originalUrl ?? (url !== undefined && Buffer.byteLength(url) <= 2000 ? url : undefined),
    },
    () => '',
  );
  await insertFetch(trx, item.id, wanted);
  if (wanted.held !== true) await enqueue(trx, 'fetch');
  if (version !== undefined && fields.projectId !== undefined && fields.sceneId !== undefined)
    await setCurrentItem(trx, fields.projectId, fields.sceneId, item.id);
  return { ...item, isCurrent: version === undefined ? null : true };
}

/** An item that will have no bytes. */
export async function insertFailedItem(deps: Deps, trx: Trx, fields: ItemFields, error: string): Promise<MediaItem> {
  const failed = { ...fields, status: 'failed', error };
  const item = await insertItem(trx, toRow(deps, failed, { type: 'none' }, undefined, undefined), () => '');
  await recordItemEvent(trx, item);
  return item;
}
