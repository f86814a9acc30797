import type { Trx } from '../../db/database.ts';
import { type IntentKey, fulfilIntent, isKnownKey } from '../../db/objects/intents.ts';
import { type WantedCopy, insertLocation, insertPendingLocations } from '../../db/objects/locations.ts';
import { type NewItem, insertItem } from '../../db/items/items.ts';
import type { MediaItem } from '../../db/items/item-row.ts';
import { insertStoredItem } from '../../db/items/upload-commits.ts';
import { touchRun } from '../../db/runs/runs.ts';
import { setCurrentItem, takeSceneVersion } from '../../db/items/scenes.ts';
import { codeOf } from '../../errors.ts';
import { objectTaken } from './adopt-object.ts';
import { mediaTypeByMime } from '../../media/media-type.ts';
import type { Store } from '../../storage/stores/store.ts';
import type { Deps } from '../deps.ts';
import { type Claim, fingerprintOf } from '../idempotency.ts';
import type { ItemFields } from '../items/item-fields.ts';
import { wantedCopies } from '../staging/wanted-copies.ts';
import { recordItemEvent } from '../items/item-event.ts';
import { withFileData } from '../items/with-file-data.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { searchText } from '../items/search-text.ts';
import type { Source } from '../bytes/source.ts';
import { storageUrlOf } from '../staging/storage-url.ts';
import type { Staged } from '../staging/stage.ts';

/** Bytes that are durable, ours or somebody else's. */
export type Bytes = Pick<Staged, 'store' | 'key' | 'bytes' | 'sha256' | 'type' | 'inspection'> & {
  owned: boolean;
  /** The store that should have taken them; they lie in a fallback. */
  home?: Store | undefined;
};

export interface NewMedia {
  fields: ItemFields;
  source: Source;
  bytes?: Bytes | undefined;
  /** The name that the bytes came with, when the caller gave none. */
  filename?: string | undefined;
  claim?: Claim | undefined;
  /** Ends with the transaction. */
  intent?: IntentKey | undefined;
  /** Further rows of the same transaction. */
  within?: ((trx: Trx, itemId: string) => Promise<void>) | undefined;
}

/**
 * The only commit of an ingest: the item, its location, the end of its intent and the kept answer, all or nothing. What has no further
 * rows, as most uploads, takes a single statement.
 */
export async function commitItem(
  deps: Deps,
  { fields, source, bytes, filename, claim, intent, within }: NewMedia,
): Promise<MediaItem> {
  const store = bytes && deps.stores.get(bytes.store);
  const copies = bytes ? wantedCopies(deps.stores, bytes) : [];
  const addressOf = (id: string) => storageUrl(deps, source, store, bytes?.key, id);
  const known = withFileData({ ...fields, filename: fields.filename ?? filename }, bytes?.inspection.generation);
  const plain = !claim && !within && copies.length === 0 && fields.sceneId === undefined && fields.runId === undefined;
  if (plain && bytes?.owned === true && intent && (fields.status ?? 'success') === 'success') {
    const row = toRow(deps, known, source, bytes, undefined);
    const inserted = await insertStoredItem(deps.db, { ...intent, row, storageUrl: addressOf }).catch(asTaken);
    return { ...inserted, storageKey: bytes.key };
  }
  const fingerprint = contentFingerprint(fields, source, bytes?.sha256);
  let inRun = false;
  try {
    const item = await deps.db.transaction().execute(async (trx) => {
      // A purge that ran since the object was read has left its intent, and removes the object.
      if (bytes && !bytes.owned && (await isKnownKey(trx, bytes))) throw objectTaken();
      const scene = await takeScene(trx, fields, bytes !== undefined || fields.status === 'pending');
      const row = toRow(deps, known, source, bytes, scene);
      const inserted = await insertItem(trx, row, addressOf);
      if (bytes) await insertBytes(trx, inserted.id, bytes, copies);
      if (intent) await fulfilIntent(trx, intent);
      await recordItemEvent(trx, inserted);
      await within?.(trx, inserted.id);
      inRun = await touchRun(trx, fields.runId, fields.userId);
      if (scene !== undefined && fields.projectId !== undefined && fields.sceneId !== undefined) {
        await setCurrentItem(trx, fields.projectId, fields.sceneId, inserted.id);
      }
      const made: MediaItem = {
        ...inserted,
        storageKey: bytes?.key ?? null,
        isCurrent: scene === undefined ? null : true,
      };
      await claim?.finish(trx, fingerprint, made);
      return made;
    });
    if (copies.length > 0) deps.copiesWanted();
    if (inRun) await refreshRun(deps, item.runId);
    return item;
  } catch (error) {
    return asTaken(error);
  }
}

/** @throws what it is given, as `object_taken` where it says that an item lies under that key already. */
export function asTaken(error: unknown): never {
  const { constraint } = error as { constraint?: string };
  throw codeOf(error) === '23505' && constraint === 'media_locations_store_key' ? objectTaken(error) : error;
}

/** Where an item's bytes lie, and the copies that are still to be made of them. */
export async function insertBytes(
  trx: Trx,
  itemId: string,
  { store, key, bytes, sha256, owned }: Bytes,
  copies: readonly WantedCopy[],
): Promise<void> {
  await insertLocation(trx, { mediaId: itemId, store, key, bytes, sha256, owned });
  await insertPendingLocations(trx, itemId, { bytes, sha256 }, copies);
}

export async function takeScene(trx: Trx, fields: ItemFields, counts: boolean): Promise<number | undefined> {
  if (fields.projectId === undefined || fields.sceneId === undefined || !counts) return undefined;
  return takeSceneVersion(trx, fields.projectId, fields.sceneId, fields.userId);
}

function storageUrl(deps: Deps, source: Source, store: Store | undefined, key: string | undefined, id: string): string {
  if (source.type === 'external') return source.storageUrl;
  return store && key !== undefined ? storageUrlOf(deps.publicBaseUrl, store, key, id) : '';
}

/** An item's row. */
export function toRow(
  deps: Pick<Deps, 'defaultVisibility'>,
  fields: ItemFields,
  source: Source,
  bytes: Bytes | undefined,
  version: number | undefined,
): Omit<NewItem, 'id' | 'storage_url'> {
  const external = source.type === 'external' ? source : undefined;
  const type = bytes?.type ?? (external?.mimeType === undefined ? undefined : mediaTypeByMime(external.mimeType));
  return {
    user_id: fields.userId,
    username: fields.username,
    ...(fields.toolName !== undefined && { tool_name: fields.toolName }),
    prompt: fields.prompt ?? '',
    model: fields.model,
    provider: fields.provider,
    size: fields.size,
    quality: fields.quality,
    style: fields.style,
    n: fields.n ?? 1,
    storage_provider: bytes?.store ?? external?.storageProvider ?? null,
    mime_type: type?.mime ?? external?.mimeType,
    media_type: type?.mediaType ?? 'image',
    bytes: bytes?.bytes,
    sha256: bytes?.sha256,
    width: bytes?.inspection.width,
    height: bytes?.inspection.height,
    duration_ms: bytes?.inspection.durationMs,
    filename: fields.filename,
    visibility: fields.visibility ?? deps.defaultVisibility,
    tags: fields.tags,
    status: fields.status ?? 'success',
    error: fields.error,
    metadata: JSON.stringify(fields.metadata ?? {}),
    generation: fields.generation && JSON.stringify(fields.generation),
    provider_response: fields.providerResponse && JSON.stringify(fields.providerResponse),
    search_text: searchText(fields),
    message_id: fields.messageId,
    request_id: fields.requestId,
    job_id: fields.jobId,
    run_id: fields.runId,
    project_id: fields.projectId,
    scene_id: fields.sceneId,
    version,
    parent_id: fields.parentId,
    external_id: fields.externalId,
    original_url: fields.originalUrl ?? (source.type === 'url' ? source.url : undefined),
    generated_at: fields.generatedAt,
    expires_at: fields.expiresAt,
  };
}

/** What an idempotency key stands for: all that the caller said, and the bytes. A name that was only suggested does not count. */
export function contentFingerprint(fields: ItemFields, source: Source, sha256: string | undefined): string {
  const { sha256: _stated, ...said } = fields;
  return fingerprintOf({ said, source: source.type === 'bytes' ? { sha256 } : source });
}
