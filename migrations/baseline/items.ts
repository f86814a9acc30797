import type { Table } from './tables.ts';

const ALIVE = 'deleted_at IS NULL';
const FAILED = "status <> 'success' AND status <> 'pending'";

/** Items. The first columns and indexes are those of the older system, by name; types are only ever wider. */
export const GENERATED_IMAGES: Table = {
  name: 'generated_images',
  columns: [
    'id BIGSERIAL PRIMARY KEY',
    'request_id TEXT',
    'user_id TEXT NOT NULL',
    'username TEXT',
    "tool_name TEXT NOT NULL DEFAULT 'generateUserImage'",
    'prompt TEXT NOT NULL',
    'model TEXT',
    'size VARCHAR(20)',
    'quality VARCHAR(20)',
    'style VARCHAR(20)',
    'n INTEGER DEFAULT 1',
    'storage_url TEXT NOT NULL',
    "storage_provider VARCHAR(50) DEFAULT 'omega'",
    'mime_type VARCHAR(50)',
    'bytes BIGINT',
    'sha256 CHAR(64)',
    'tags TEXT[]',
    "status VARCHAR(20) NOT NULL DEFAULT 'success'",
    'error TEXT',
    'metadata JSONB',
    'message_id TEXT',
    'created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()',
  ],
  addedColumns: [
    "media_type TEXT NOT NULL DEFAULT 'image'",
    "visibility TEXT NOT NULL DEFAULT 'private'",
    'filename TEXT',
    'width INTEGER',
    'height INTEGER',
    'duration_ms BIGINT',
    'thumbhash TEXT',
    'provider TEXT',
    'generation JSONB',
    'provider_response JSONB',
    'search_text TEXT',
    'original_url TEXT',
    'job_id TEXT',
    'run_id TEXT',
    'project_id UUID',
    'scene_id TEXT',
    'version INTEGER',
    'parent_id BIGINT',
    'external_id TEXT',
    'generated_at TIMESTAMPTZ',
    'updated_at TIMESTAMPTZ',
    'expires_at TIMESTAMPTZ',
    'deleted_at TIMESTAMPTZ',
  ],
  indexes: [
    { name: 'idx_generated_images_user_id_created_at', on: '(user_id, created_at DESC)' },
    { name: 'idx_generated_images_request_id', on: '(request_id)' },
    { name: 'idx_generated_images_status', on: "(status) WHERE status <> 'success'" },
    { name: 'idx_generated_images_storage_url', on: '(storage_url)' },
    { name: 'idx_generated_images_metadata_gin', on: 'USING GIN (metadata)' },
    { name: 'idx_generated_images_tags_gin', on: 'USING GIN (tags)' },
    { name: 'generated_images_newest', on: `(created_at, id) WHERE ${ALIVE}` },
    { name: 'generated_images_of_user', on: `(user_id, created_at, id) WHERE ${ALIVE}` },
    { name: 'generated_images_of_run', on: '(run_id, created_at, id) WHERE run_id IS NOT NULL' },
    { name: 'generated_images_of_job', on: '(job_id, created_at, id) WHERE job_id IS NOT NULL' },
    { name: 'generated_images_of_external_id', on: '(external_id) WHERE external_id IS NOT NULL' },
    { name: 'generated_images_of_message', on: '(message_id) WHERE message_id IS NOT NULL' },
    {
      name: 'generated_images_scene_version',
      unique: true,
      on: '(project_id, scene_id, version) WHERE project_id IS NOT NULL',
    },
    { name: 'generated_images_failed', on: `(created_at, id) WHERE ${FAILED} AND ${ALIVE}` },
    { name: 'generated_images_deleted', on: '(deleted_at) WHERE deleted_at IS NOT NULL' },
    // Cut, because an index entry has a size limit and a caller's value may be any text.
    {
      name: 'generated_images_of_seed',
      on: `(left(generation ->> 'seed', 201), created_at, id) WHERE ${ALIVE} AND (generation ->> 'seed') IS NOT NULL`,
    },
    // The older index over metadata holds keys and values apart: a search for {"batch":3} reads every item that has
    // a 3 anywhere. This one holds each value with its path.
    { name: 'generated_images_metadata_path', on: 'USING GIN (metadata jsonb_path_ops)' },
    // A search for a common type walks the newest items. These two serve the rare types, and most inserts skip them.
    {
      name: 'generated_images_of_media_type',
      on: `(media_type, created_at, id) WHERE ${ALIVE} AND media_type <> 'image'`,
    },
    {
      name: 'generated_images_of_mime_type',
      on: `(mime_type, created_at, id) WHERE ${ALIVE} AND mime_type <> 'image/png' AND mime_type <> 'image/jpeg' AND mime_type <> 'image/webp'`,
    },
    // Whether a name belongs to one user or to several takes two look-ups, however many items bear it.
    {
      name: 'generated_images_external_id_owner',
      on: `(external_id, user_id, id) WHERE external_id IS NOT NULL AND ${ALIVE}`,
    },
    {
      name: 'generated_images_run_owner',
      on: `(run_id, user_id, created_at, id) WHERE run_id IS NOT NULL AND ${ALIVE}`,
    },
  ],
};

export const IDEMPOTENCY_KEYS: Table = {
  name: 'idempotency_keys',
  columns: [
    'caller TEXT NOT NULL',
    'key TEXT NOT NULL',
    'attempt UUID NOT NULL',
    'fingerprint CHAR(64)',
    'response JSONB',
    'locked_until TIMESTAMPTZ NOT NULL',
    'expires_at TIMESTAMPTZ NOT NULL',
    'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
  ],
  constraints: ['PRIMARY KEY (caller, key)'],
  indexes: [
    { name: 'idempotency_keys_expires_at', on: '(expires_at)' },
    // Purging an item removes the answers that were kept about it.
    { name: 'idempotency_keys_item', on: "((response ->> 'id'))" },
  ],
};

export const SCENES: Table = {
  name: 'scenes',
  columns: [
    'project_id UUID NOT NULL',
    'scene_id TEXT NOT NULL',
    'owner TEXT NOT NULL',
    'last_version INTEGER NOT NULL',
    'current_item_id BIGINT REFERENCES generated_images (id) ON DELETE SET NULL',
    'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
  ],
  constraints: ['PRIMARY KEY (project_id, scene_id)'],
  indexes: [{ name: 'scenes_current_item_id', on: '(current_item_id)' }],
};

/** For readers that use SQL. While a version is pending, its URL is the one that it is downloaded from. */
export const SCENE_HELPERS = [
  `CREATE OR REPLACE VIEW current_scene_images (project_id, scene_id, storage_url, generated_at) AS
    SELECT scenes.project_id, scenes.scene_id,
      CASE WHEN item.status = 'pending' THEN coalesce(nullif(item.storage_url, ''), item.original_url, '') ELSE item.storage_url END,
      coalesce(item.generated_at, item.created_at)
    FROM scenes JOIN generated_images item ON item.id = scenes.current_item_id
    WHERE item.deleted_at IS NULL`,
  `CREATE OR REPLACE FUNCTION get_scene_image_url(project_id UUID, scene_id TEXT) RETURNS TEXT LANGUAGE sql STABLE AS $$
      SELECT storage_url FROM current_scene_images AS c WHERE c.project_id = $1 AND c.scene_id = $2
    $$`,
];
