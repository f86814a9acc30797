import { ITEM_FIELDS, type MediaItem, columnOf } from '../../db/item-columns.ts';
import type { Json, JsonObject } from '../../json/json.ts';
import type { Location } from '../../db/objects/locations.ts';
import type { Run } from '../../db/runs/runs.ts';
import { runFolder } from '../../storage/keys.ts';

/** What metadata.json says of a run before its outputs, with the property names of older systems. */
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

/** The item's file in the run's folder; the run's own store takes precedence. */
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

/** Fields of an item by their names in metadata.json. */
const ENTRY = ITEM_FIELDS.filter(([, { run, hidden }]) => run !== false && hidden !== true).map(([field, { run }]) => ({
  field: field as keyof MediaItem,
  name: typeof run === 'string' ? run : columnOf(field),
}));

/** The entry of an item in metadata.json: the fields that older systems read first, then everything that a rebuild needs. */
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
    // Absent: the file is in the folder.
    store: file?.in === 'other store' ? file.location.store : undefined,
    object: file ? undefined : objectOf(locations),
    storage_url: file ? undefined : item.storageUrl,
    storage_provider: file ? undefined : item.storageProvider,
    ...Object.fromEntries(ENTRY.map(({ field, name }) => [name, item[field]])),
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
