import type { Json, JsonObject } from '../../json/json.ts';
import type { Location } from '../../db/objects/locations.ts';
import type { MediaItem } from '../../db/items/item-row.ts';
import type { Run } from '../../db/runs/runs.ts';
import { runFolder } from '../../storage/keys.ts';

/** What metadata.json says of a run before its outputs, in the names that the files of older systems have. */
export function runHead(run: Run): JsonObject {
  return {
    run_id: run.id,
    user_id: run.userId,
    timestamp: run.createdAt,
    schema: run.schema,
    execution_mode: run.executionMode,
    safety_level: run.safetyLevel,
    input_text: run.inputText,
    transformed_text: run.transformedText,
    metadata: run.metadata,
    completed_at: run.completedAt,
  };
}

/** Where a reader of metadata.json finds an item: in the folder, in the same folder of another store, or elsewhere. */
export type RunPlace = { in: 'folder' | 'other store'; location: Location; filename: string } | { in: 'nowhere' };

/** The item's file in the run's folder; the run's own store counts first. */
export function placeInRun(run: Run, locations: readonly Location[]): RunPlace {
  const folder = runFolder(run.id);
  const files = locations.filter(
    ({ key, state, owned }) =>
      owned && state !== 'pending' && key.startsWith(folder) && !key.slice(folder.length).includes('/'),
  );
  const location = files.find(({ store }) => store === run.store) ?? files.find(({ state }) => state === 'stored');
  if (!location) return { in: 'nowhere' };
  return {
    in: location.store === run.store ? 'folder' : 'other store',
    location,
    filename: location.key.slice(folder.length),
  };
}

/** What metadata.json says of an item: the seed's fields first, then all that its row needs to be made again. */
export function runEntry(item: MediaItem, place: RunPlace, locations: readonly Location[]): JsonObject {
  const file = place.in === 'nowhere' ? undefined : place;
  return compact({
    type: item.mediaType,
    filename: file?.filename,
    backend: item.provider,
    config: item.model,
    file_size_bytes: item.bytes,
    format: file?.filename.split('.').at(-1),
    width: item.width,
    height: item.height,
    duration_ms: item.durationMs,
    mime_type: item.mimeType,
    sha256: item.sha256,
    // Without it the file lies in the folder.
    store: file?.in === 'other store' ? file.location.store : undefined,
    object: file ? undefined : objectOf(locations),
    storage_url: file || item.storageUrl === '' ? undefined : item.storageUrl,
    storage_provider: file ? undefined : item.storageProvider,
    item_id: item.id,
    status: item.status,
    error: item.error,
    username: item.username,
    tool_name: item.toolName,
    prompt: item.prompt,
    model: item.model,
    provider: item.provider,
    size: item.size,
    quality: item.quality,
    style: item.style,
    n: item.n,
    tags: item.tags,
    visibility: item.visibility,
    metadata: item.metadata,
    generation: item.generation,
    message_id: item.messageId,
    request_id: item.requestId,
    job_id: item.jobId,
    project_id: item.projectId,
    scene_id: item.sceneId,
    external_id: item.externalId,
    original_url: item.originalUrl,
    original_filename: item.filename,
    generated_at: item.generatedAt,
    created_at: item.createdAt,
    updated_at: item.updatedAt,
    expires_at: item.expiresAt,
    deleted_at: item.deletedAt,
  });
}

/** An object outside of the folder, ours or adopted. */
function objectOf(locations: readonly Location[]): JsonObject | undefined {
  const found = locations.find(({ state }) => state === 'stored');
  return found && { store: found.store, key: found.key, owned: found.owned };
}

function compact(values: Record<string, Json | undefined>): JsonObject {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, Json] => entry[1] !== undefined && entry[1] !== null),
  );
}
