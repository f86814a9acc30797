import { sql } from 'kysely';
import type { Db } from './database.ts';

/** Columns and their types, by table; what the code relies on. */
const COLUMNS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  generated_images: {
    id: 'bigint',
    request_id: 'text',
    user_id: 'text',
    username: 'text',
    tool_name: 'text',
    prompt: 'text',
    model: 'text',
    size: 'character varying(20)',
    quality: 'character varying(20)',
    style: 'character varying(20)',
    n: 'integer',
    storage_url: 'text',
    storage_provider: 'character varying(50)',
    mime_type: 'character varying(50)',
    bytes: 'bigint',
    sha256: 'character(64)',
    tags: 'text[]',
    status: 'character varying(20)',
    error: 'text',
    metadata: 'jsonb',
    message_id: 'text',
    created_at: 'timestamp with time zone',
    media_type: 'text',
    visibility: 'text',
    filename: 'text',
    width: 'integer',
    height: 'integer',
    duration_ms: 'bigint',
    thumbhash: 'text',
    provider: 'text',
    generation: 'jsonb',
    provider_response: 'jsonb',
    search_text: 'text',
    original_url: 'text',
    job_id: 'text',
    run_id: 'text',
    project_id: 'uuid',
    scene_id: 'text',
    version: 'integer',
    parent_id: 'bigint',
    external_id: 'text',
    generated_at: 'timestamp with time zone',
    updated_at: 'timestamp with time zone',
    expires_at: 'timestamp with time zone',
    deleted_at: 'timestamp with time zone',
  },
  media_locations: {
    media_id: 'bigint',
    store: 'text',
    key: 'text',
    bytes: 'bigint',
    sha256: 'character(64)',
    owned: 'boolean',
    state: 'text',
    verified_at: 'timestamp with time zone',
    created_at: 'timestamp with time zone',
    purpose: 'text',
    attempts: 'integer',
    next_attempt_at: 'timestamp with time zone',
    last_error: 'text',
  },
  storage_intents: {
    store: 'text',
    key: 'text',
    leased_until: 'timestamp with time zone',
    marked_at: 'timestamp with time zone',
    created_at: 'timestamp with time zone',
  },
  idempotency_keys: {
    caller: 'text',
    key: 'text',
    attempt: 'uuid',
    fingerprint: 'character(64)',
    response: 'jsonb',
    locked_until: 'timestamp with time zone',
    expires_at: 'timestamp with time zone',
    created_at: 'timestamp with time zone',
  },
  scenes: {
    project_id: 'uuid',
    scene_id: 'text',
    owner: 'text',
    last_version: 'integer',
    current_item_id: 'bigint',
    created_at: 'timestamp with time zone',
  },
  store_identities: { store: 'text', identity: 'text', created_at: 'timestamp with time zone' },
  uploads: {
    id: 'uuid',
    user_id: 'text',
    store: 'text',
    key: 'text',
    home: 'text',
    content_type: 'text',
    bytes: 'bigint',
    fields: 'jsonb',
    item_id: 'bigint',
    expires_at: 'timestamp with time zone',
    created_at: 'timestamp with time zone',
  },
  runs: {
    id: 'text',
    user_id: 'text',
    input_text: 'text',
    transformed_text: 'text',
    schema: 'text',
    execution_mode: 'text',
    safety_level: 'text',
    metadata: 'jsonb',
    store: 'text',
    completed_at: 'timestamp with time zone',
    revision: 'integer',
    written_revision: 'integer',
    texts_due: 'boolean',
    due_at: 'timestamp with time zone',
    attempts: 'integer',
    last_error: 'text',
    uncertain_at: 'timestamp with time zone',
    created_at: 'timestamp with time zone',
    updated_at: 'timestamp with time zone',
  },
  run_slots: { run_id: 'text', store: 'text', type: 'text', n: 'integer' },
  media_event_outbox: {
    id: 'bigint',
    kind: 'text',
    user_id: 'text',
    media_id: 'bigint',
    provider: 'text',
    job_id: 'text',
    run_id: 'text',
    status: 'text',
    made_at: 'timestamp with time zone',
  },
  media_events: {
    position: 'bigint',
    kind: 'text',
    user_id: 'text',
    media_id: 'bigint',
    provider: 'text',
    job_id: 'text',
    run_id: 'text',
    status: 'text',
    made_at: 'timestamp with time zone',
    numbered_at: 'timestamp with time zone',
  },
  media_event_log: { id: 'integer', last_position: 'bigint', forgotten_to: 'bigint' },
  media_rollup_marks: { media_id: 'bigint' },
  media_rollup_items: {
    media_id: 'bigint',
    user_id: 'text',
    status: 'text',
    bytes: 'bigint',
    tool: 'text',
    model: 'text',
    provider: 'text',
    day: 'text',
    stores: 'text',
    at_risk: 'boolean',
    tags: 'text[]',
  },
  media_rollup_scopes: { id: 'bigint', user_id: 'text', items: 'bigint', users: 'bigint' },
  media_rollup_counts: {
    scope: 'bigint',
    kind: 'text',
    key: 'text',
    name: 'text',
    items: 'bigint',
    bytes: 'numeric',
    sized: 'bigint',
  },
  media_rollup_walk: { id: 'integer', next_id: 'bigint', last_id: 'bigint' },
  former_keys: { key: 'text', media_id: 'bigint' },
  generation_jobs: {
    provider: 'text',
    job_id: 'text',
    user_id: 'text',
    status: 'text',
    progress: 'smallint',
    error: 'text',
    error_class: 'text',
    fields: 'jsonb',
    timings: 'jsonb',
    poll_at: 'timestamp with time zone',
    poll_until: 'timestamp with time zone',
    started_at: 'timestamp with time zone',
    completed_at: 'timestamp with time zone',
    created_at: 'timestamp with time zone',
    updated_at: 'timestamp with time zone',
  },
  job_outputs: { provider: 'text', job_id: 'text', identity: 'text', media_id: 'bigint' },
  fetches: {
    media_id: 'bigint',
    sources: 'jsonb',
    options: 'jsonb',
    at_hand: 'boolean',
    dies_at: 'timestamp with time zone',
    next_attempt_at: 'timestamp with time zone',
    attempts: 'integer',
    revision: 'integer',
    last_error: 'text',
    gave_up_at: 'timestamp with time zone',
    created_at: 'timestamp with time zone',
  },
  webhook_deliveries: {
    id: 'bigint',
    provider: 'text',
    delivery_key: 'text',
    job_id: 'text',
    state: 'text',
    body: 'bytea',
    body_store: 'text',
    body_key: 'text',
    received_at: 'timestamp with time zone',
    expires_at: 'timestamp with time zone',
  },
  leases: { name: 'text', holder: 'uuid', leased_until: 'timestamp with time zone' },
  stored_blobs: {
    store: 'text',
    key: 'text',
    blob_id: 'uuid',
    content_type: 'text',
    chunk_bytes: 'integer',
    bytes: 'bigint',
    created_at: 'timestamp with time zone',
  },
  stored_blob_chunks: { blob_id: 'uuid', number: 'integer', bytes: 'bytea' },
  stored_blob_writes: { blob_id: 'uuid', store: 'text', key: 'text', replaced_at: 'timestamp with time zone' },
};

const INDEXES = [
  'generated_images_pkey',
  'idx_generated_images_user_id_created_at',
  'idx_generated_images_request_id',
  'idx_generated_images_status',
  'idx_generated_images_storage_url',
  'idx_generated_images_metadata_gin',
  'idx_generated_images_tags_gin',
  'generated_images_newest',
  'generated_images_of_user',
  'generated_images_of_tool',
  'generated_images_of_model',
  'generated_images_of_run',
  'generated_images_of_job',
  'generated_images_of_external_id',
  'generated_images_of_message',
  'generated_images_scene_version',
  'generated_images_failed',
  'generated_images_deleted',
  'generated_images_text',
  'generated_images_of_seed',
  'generated_images_of_sampler',
  'generated_images_metadata_path',
  'generated_images_of_provider',
  'generated_images_of_media_type',
  'generated_images_of_mime_type',
  'media_locations_pkey',
  'media_locations_store_key',
  'media_locations_pending',
  'media_locations_of_store',
  'storage_intents_pkey',
  'storage_intents_leased_until',
  'idempotency_keys_pkey',
  'idempotency_keys_expires_at',
  'idempotency_keys_item',
  'scenes_pkey',
  'scenes_current_item_id',
  'store_identities_pkey',
  'leases_pkey',
  'former_keys_pkey',
  'former_keys_media_id',
  'uploads_key',
  'media_event_outbox_pkey',
  'media_events_pkey',
  'media_events_of_user',
  'media_event_log_pkey',
  'media_rollup_items_pkey',
  'media_rollup_scopes_pkey',
  'media_rollup_scopes_user_id',
  'media_rollup_counts_pkey',
  'media_rollup_counts_most',
  'media_rollup_walk_pkey',
  'uploads_pkey',
  'uploads_expires_at',
  'generation_jobs_pkey',
  'generation_jobs_job_id',
  'generation_jobs_poll_at',
  'job_outputs_pkey',
  'job_outputs_media_id',
  'fetches_pkey',
  'fetches_dies_at',
  'fetches_next_attempt',
  'fetches_sources',
  'webhook_deliveries_pkey',
  'webhook_deliveries_key',
  'webhook_deliveries_parked',
  'webhook_deliveries_expires_at',
  'webhook_deliveries_body',
  'runs_pkey',
  'runs_due',
  'run_slots_pkey',
  'stored_blobs_pkey',
  'stored_blob_chunks_pkey',
  'stored_blob_writes_pkey',
  'stored_blob_writes_key',
  'stored_blob_writes_replaced',
];

/** Without one of these the totals would no longer follow the rows. */
const TRIGGERS = ['generated_images', 'media_locations'].flatMap((table) =>
  ['insert', 'update', 'delete', 'truncate'].map((event) => ({ table, name: `media_rollup_${event}` })),
);

/** Compares the database with what this version needs; one sentence for each thing that is missing or different. */
export async function verifySchema(db: Db): Promise<string[]> {
  const columns = await sql<{ table: string; column: string; type: string }>`
    SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped`.execute(db);
  const indexes = await sql<{ name: string; valid: boolean }>`
    SELECT c.relname AS name, i.indisvalid AS valid
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema()`.execute(db);
  const others = await sql<{ view: boolean; func: boolean }>`
    SELECT to_regclass('current_scene_images') IS NOT NULL AS view, to_regprocedure('get_scene_image_url(uuid,text)') IS NOT NULL AS func`.execute(
    db,
  );
  const triggers = await sql<{ table: string; name: string; enabled: boolean }>`
    SELECT c.relname AS table, t.tgname AS name, t.tgenabled IN ('O', 'A') AS enabled
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND NOT t.tgisinternal`.execute(db);
  const problems: string[] = [];
  const found = new Map(columns.rows.map((row) => [`${row.table}.${row.column}`, row.type]));
  const tables = new Set(columns.rows.map((row) => row.table));
  for (const [table, wanted] of Object.entries(COLUMNS)) {
    if (!tables.has(table)) problems.push(`table ${table} is missing`);
    else {
      for (const [column, type] of Object.entries(wanted)) {
        const actual = found.get(`${table}.${column}`);
        if (actual === undefined) problems.push(`column ${table}.${column} is missing`);
        else if (actual !== type) problems.push(`column ${table}.${column} has type ${actual}, not ${type}`);
      }
    }
  }
  const valid = new Map(indexes.rows.map((row) => [row.name, row.valid]));
  for (const name of INDEXES) {
    if (!valid.has(name)) problems.push(`index ${name} is missing`);
    else if (valid.get(name) === false) problems.push(`index ${name} is not valid: its making was interrupted`);
  }
  for (const { table, name } of TRIGGERS) {
    const found = triggers.rows.find((row) => row.table === table && row.name === name);
    if (!found) problems.push(`trigger ${name} of ${table} is missing`);
    else if (!found.enabled)
      problems.push(`trigger ${name} of ${table} is disabled; enable it and run 'mediakeep rollups --rebuild'`);
  }
  if (others.rows[0]?.view !== true) problems.push('view current_scene_images is missing');
  if (others.rows[0]?.func !== true) problems.push('function get_scene_image_url(uuid, text) is missing');
  return problems;
}
