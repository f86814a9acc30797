import type { MediaItem } from '../../db/item-columns.ts';
import type { FetchOptions } from '../../db/jobs/fetches.ts';
import { AppError } from '../../errors.ts';
import { decodeData } from '../../sources/base64.ts';
import type { FetchedUrl } from '../../sources/fetch/fetch-url.ts';
import { adoptObject } from './adopt-object.ts';
import { once } from '../bytes/incoming-body.ts';
import { completeItem } from './complete-item.ts';
import type { Deps } from '../deps.ts';
import { suggestedName } from './ingest.ts';
import type { ItemFields } from '../items/item-fields.ts';
import { destinationOf, findRunOf } from '../staging/destination.ts';
import { stage } from '../staging/stage.ts';

/** The chosen source of one item's bytes. */
export type BytesFrom =
  /** Base64 or a data URI. */
  | { type: 'base64'; data: string; declaredType?: string | undefined }
  | { type: 'url'; url: string }
  | { type: 'stream'; body: AsyncIterable<Uint8Array>; size: number }
  | { type: 'object'; store: string; key: string }
  | { type: 'comfyui'; filename: string; subfolder: string; fileType: string };

/**
 * Fetches and stores the bytes of an item that has none, and makes it a success.
 * @throws AppError why the bytes could not be fetched or stored; the item is unchanged and nothing is left behind
 */
export async function fillItem(
  deps: Deps,
  item: MediaItem,
  from: BytesFrom,
  { options, signal }: { options: FetchOptions; signal?: AbortSignal | undefined },
): Promise<MediaItem> {
  const fields = fieldsOf(item, options);
  if (from.type === 'object') {
    const adopted = await adoptObject(deps, from, undefined, signal);
    return completeItem(deps, item.id, {
      bytes: { ...adopted, owned: false },
      filename: suggestedName(from.key.split('/').at(-1)),
    });
  }
  const decoded = from.type === 'base64' ? await decodeData(from.data) : undefined;
  const fetched = await fetchFrom(deps, from, signal);
  const said = from.type === 'base64' ? (from.declaredType ?? decoded?.declaredType) : fetched?.contentType;
  const filename = fields.filename ?? suggestedName(fetched?.filename);
  const staged = await stage(deps, {
    ...destinationOf(deps, fields, filename, await findRunOf(deps, fields)),
    body: from.type === 'stream' ? from.body : (fetched?.body ?? once(decoded?.bytes ?? Buffer.alloc(0))),
    filename,
    declaredType: said ?? options.contentType,
    size: from.type === 'stream' ? from.size : (decoded?.bytes.length ?? fetched?.contentLength),
    // The file must match what an older system recorded about it.
    sha256: item.sha256 ?? undefined,
    signal,
  });
  try {
    const stored = await completeItem(deps, item.id, { bytes: { ...staged, owned: true }, filename, intent: staged });
    staged.release();
    return stored;
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

function fetchFrom(deps: Deps, from: BytesFrom, signal: AbortSignal | undefined): Promise<FetchedUrl> | undefined {
  if (from.type === 'url') return deps.fetcher.fetch(from.url, { ...(signal && { signal }) });
  if (from.type !== 'comfyui') return undefined;
  if (!deps.comfyui) throw new AppError('fetch_failed', 'No ComfyUI is configured here (any more); set COMFYUI_URL.');
  const { filename, subfolder, fileType } = from;
  return deps.comfyui.view({ filename, subfolder, type: fileType }, signal);
}

/** The fields that decide where the bytes are stored. */
function fieldsOf(item: MediaItem, { subfolder, store }: FetchOptions): ItemFields {
  return {
    userId: item.userId,
    tags: [],
    filename: item.filename ?? undefined,
    subfolder,
    store,
    runId: item.runId ?? undefined,
    projectId: item.projectId ?? undefined,
    sceneId: item.sceneId ?? undefined,
  };
}
