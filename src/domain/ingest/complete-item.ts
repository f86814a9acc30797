import type { MediaItem } from '../../db/item-columns.ts';
import { deleteFetch } from '../../db/jobs/fetches.ts';
import { type IntentKey, fulfilIntent, isKnownKey } from '../../db/objects/intents.ts';
import { type ItemChange, findItem, findItemForUpdate, updateItem } from '../../db/items/items.ts';
import { insertLocations } from '../../db/objects/locations.ts';
import { touchRun } from '../../db/runs/runs.ts';
import { AppError } from '../../errors.ts';
import { objectTaken } from './adopt-object.ts';
import { commitFailed } from './commit-item.ts';
import type { Bytes } from './new-item.ts';
import { wantedCopies } from '../staging/wanted-copies.ts';
import type { Deps } from '../deps.ts';
import { recordItemEvent } from '../items/item-event.ts';
import { withFileData } from '../items/with-file-data.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { searchColumns } from '../items/search-columns.ts';
import { storageUrlOf } from '../staging/storage-url.ts';

/**
 * Gives bytes to an item that was pending or only recorded, which makes it a success. One transaction, as for a new item.
 * @throws AppError not_found: it was purged, or has its bytes already; object_taken
 */
export async function completeItem(
  deps: Deps,
  itemId: string,
  { bytes, filename, intent }: { bytes: Bytes; filename?: string | undefined; intent?: IntentKey | undefined },
): Promise<MediaItem> {
  const store = deps.stores.get(bytes.store);
  const copies = wantedCopies(deps.stores, bytes);
  let inRun = false;
  try {
    const item = await deps.db.transaction().execute(async (trx) => {
      if (!bytes.owned && (await isKnownKey(trx, bytes))) throw objectTaken();
      const waiting = await findItemForUpdate(trx, itemId);
      if (!waiting || waiting.storageKey !== null)
        throw new AppError('not_found', 'The item was removed, or has got its bytes meanwhile.');
      await insertLocations(trx, itemId, bytes, copies);
      if (intent) await fulfilIntent(trx, intent);
      await deleteFetch(trx, itemId);
      const known = knownOf(waiting, bytes);
      await updateItem(
        trx,
        itemId,
        {
          status: 'success',
          error: null,
          storage_provider: bytes.store,
          storage_url: storageUrlOf(deps.publicBaseUrl, store, bytes.key, itemId),
          mime_type: bytes.type.mime,
          media_type: bytes.type.mediaType,
          bytes: bytes.bytes,
          sha256: bytes.sha256,
          width: bytes.inspection.width,
          height: bytes.inspection.height,
          duration_ms: bytes.inspection.durationMs,
          ...known,
          // The URL that it had until now.
          ...(waiting.originalUrl === null &&
            isAddress(waiting.storageUrl ?? '') && { original_url: waiting.storageUrl }),
          ...(waiting.filename === null && filename !== undefined && { filename }),
        },
        'any',
      );
      inRun = await touchRun(trx, waiting.runId ?? undefined, waiting.userId);
      const made = await findItem(trx, itemId);
      if (!made) throw new Error('an item vanished from its own transaction');
      await recordItemEvent(trx, made);
      return made;
    });
    if (copies.length > 0) deps.copiesWanted();
    if (inRun) await refreshRun(deps, item.runId);
    return item;
  } catch (error) {
    return commitFailed(error);
  }
}

function isAddress(url: string): boolean {
  return /^https?:/.test(url) && Buffer.byteLength(url) <= 2000;
}

/** Fills empty fields from the file's embedded data. */
function knownOf(item: MediaItem, bytes: Bytes): ItemChange {
  const fields = withFileData(
    {
      userId: item.userId,
      tags: item.tags,
      toolName: item.toolName ?? undefined,
      filename: item.filename ?? undefined,
      prompt: item.prompt === '' ? undefined : item.prompt,
      model: item.model ?? undefined,
      size: item.size ?? undefined,
      generation: item.generation,
    },
    bytes.inspection,
  );
  return {
    prompt: fields.prompt ?? '',
    model: fields.model ?? null,
    size: fields.size ?? null,
    generation: JSON.stringify(fields.generation ?? {}),
    ...searchColumns(fields),
  };
}
