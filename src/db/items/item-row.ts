import type { JsonObject } from '../../json/json.ts';
import { type ExpressionBuilder, type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely';
import type { GeneratedImagesTable, Tables } from '../tables.ts';
import { recordedAt, toIsoTime } from '../timestamps.ts';

/** A media item as the service speaks of it; times are RFC 3339 texts, absent values null. */
export interface MediaItem {
  id: string;
  userId: string;
  username: string | null;
  toolName: string;
  prompt: string;
  model: string | null;
  provider: string | null;
  size: string | null;
  quality: string | null;
  style: string | null;
  n: number | null;
  mediaType: string;
  mimeType: string | null;
  bytes: number | null;
  sha256: string | null;
  width: number | null;
  height: number | null;
  durationMs: number | null;
  thumbhash: string | null;
  filename: string | null;
  visibility: string;
  storageUrl: string;
  storageProvider: string | null;
  storageKey: string | null;
  tags: string[];
  status: string;
  error: string | null;
  metadata: JsonObject;
  generation: JsonObject;
  messageId: string | null;
  requestId: string | null;
  jobId: string | null;
  runId: string | null;
  projectId: string | null;
  sceneId: string | null;
  version: number | null;
  isCurrent: boolean | null;
  parentId: string | null;
  externalId: string | null;
  originalUrl: string | null;
  generatedAt: string | null;
  createdAt: string;
  updatedAt: string;
  expiresAt: string | null;
  deletedAt: string | null;
}

export const ITEM_COLUMNS = [
  'id',
  'user_id',
  'username',
  'tool_name',
  'prompt',
  'model',
  'provider',
  'size',
  'quality',
  'style',
  'n',
  'media_type',
  'mime_type',
  'bytes',
  'sha256',
  'width',
  'height',
  'duration_ms',
  'thumbhash',
  'filename',
  'visibility',
  'storage_url',
  'storage_provider',
  'tags',
  'status',
  'error',
  'metadata',
  'generation',
  'message_id',
  'request_id',
  'job_id',
  'run_id',
  'project_id',
  'scene_id',
  'version',
  'parent_id',
  'external_id',
  'original_url',
  'generated_at',
  'created_at',
  'updated_at',
  'expires_at',
  'deleted_at',
] as const;

/** The columns of an item for `select` and `returning`: all but the provider's raw answer and the search text. */
export function itemColumns(eb: ExpressionBuilder<Tables, 'generated_images'>) {
  return [
    ...ITEM_COLUMNS.map((column) => `generated_images.${column}` as const),
    eb
      .selectFrom('media_locations')
      .select('media_locations.key')
      .whereRef('media_locations.media_id', '=', 'generated_images.id')
      .whereRef('media_locations.store', '=', 'generated_images.storage_provider')
      .as('storage_key'),
    isCurrent(eb).as('is_current'),
  ] as const;
}

/**
 * Another text after each change of what `itemColumns` selects. The transaction that wrote the row would do, if a standby that takes
 * over or a backup that is played back could not count the same numbers again.
 */
export function rowVersion(eb: ExpressionBuilder<Tables, 'generated_images'>): RawBuilder<string> {
  const location = eb
    .selectFrom('media_locations')
    .select(sql`media_locations.xmin`.as('written_by'))
    .whereRef('media_locations.media_id', '=', 'generated_images.id')
    .whereRef('media_locations.store', '=', 'generated_images.storage_provider');
  return sql<string>`concat_ws(' ', generated_images.xmin, generated_images.updated_at, ${location}, ${isCurrent(eb)})`;
}

/** A scalar look-up by the scene's primary key; EXISTS would let the planner hash the whole table. */
function isCurrent(eb: ExpressionBuilder<Tables, 'generated_images'>): RawBuilder<SqlBool | null> {
  const current = eb
    .selectFrom('scenes')
    .select((scene) => scene('scenes.current_item_id', '=', scene.ref('generated_images.id')).as('current'))
    .whereRef('scenes.project_id', '=', 'generated_images.project_id')
    .whereRef('scenes.scene_id', '=', 'generated_images.scene_id');
  return sql<SqlBool | null>`CASE WHEN generated_images.version IS NOT NULL THEN coalesce(${current}, FALSE) END`;
}

/** What `itemColumns` selects. */
export type ItemRow = Omit<Selectable<GeneratedImagesTable>, 'provider_response' | 'search_text'> & {
  storage_key: string | null;
  is_current: SqlBool | null;
};

/** A row as an item. Rows of an older system may hold anything the old columns allow: nulls in arrays, JSON that is no object. */
export function toItem(row: ItemRow): MediaItem {
  const createdAt = recordedAt(row.created_at);
  return {
    id: row.id,
    userId: row.user_id,
    username: row.username,
    toolName: row.tool_name,
    prompt: row.prompt,
    model: row.model,
    provider: row.provider,
    size: row.size,
    quality: row.quality,
    style: row.style,
    n: row.n,
    mediaType: row.media_type,
    mimeType: row.mime_type,
    bytes: toNumber(row.bytes),
    sha256: row.sha256?.trim() || null,
    width: row.width,
    height: row.height,
    durationMs: toNumber(row.duration_ms),
    thumbhash: row.thumbhash,
    filename: row.filename,
    visibility: row.visibility,
    storageUrl: row.storage_url,
    storageProvider: row.storage_provider,
    storageKey: row.storage_key,
    tags: (row.tags ?? []).filter((tag) => tag !== null),
    status: row.status,
    error: row.error,
    metadata: toObject(row.metadata),
    generation: toObject(row.generation),
    messageId: row.message_id,
    requestId: row.request_id,
    jobId: row.job_id,
    runId: row.run_id,
    projectId: row.project_id,
    sceneId: row.scene_id,
    version: row.version,
    isCurrent: row.is_current === null ? null : Boolean(row.is_current),
    parentId: row.parent_id,
    externalId: row.external_id,
    originalUrl: row.original_url,
    generatedAt: toIsoTime(row.generated_at),
    createdAt,
    updatedAt: toIsoTime(row.updated_at) ?? createdAt,
    expiresAt: toIsoTime(row.expires_at),
    deletedAt: toIsoTime(row.deleted_at),
  };
}

function toNumber(text: string | null): number | null {
  return text === null ? null : Number(text);
}

function toObject(value: unknown): JsonObject {
  if (value === null || value === undefined) return {};
  return typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject) : { value: value as JsonObject };
}
