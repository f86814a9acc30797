import { type Kysely, sql } from 'kysely';

/**
 * The first schema. It has to work on an empty database and on one that already holds the `generated_images` of an older
 * system: every column, default and index of that table stays, by name, and types are only ever widened.
 *
 * It runs outside a transaction, because CREATE INDEX CONCURRENTLY must; so every step can be repeated after a crash.
 */

type Db = Kysely<unknown>;

const LEGACY_TABLE = sql`
  CREATE TABLE IF NOT EXISTS generated_images (
    id              BIGSERIAL PRIMARY KEY,
    request_id      TEXT,
    user_id         TEXT NOT NULL,
    username        TEXT,
    tool_name       TEXT NOT NULL DEFAULT 'generateUserImage',
    prompt          TEXT NOT NULL,
    model           TEXT,
    size            VARCHAR(20),
    quality         VARCHAR(20),
    style           VARCHAR(20),
    n               INTEGER DEFAULT 1,
    storage_url     TEXT NOT NULL,
    storage_provider VARCHAR(50) DEFAULT 'omega',
    mime_type       VARCHAR(50),
    bytes           BIGINT,
    sha256          CHAR(64),
    tags            TEXT[],
    status          VARCHAR(20) NOT NULL DEFAULT 'success',
    error           TEXT,
    metadata        JSONB,
    message_id      TEXT,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT NOW()
  )`;

const NEW_COLUMNS = sql`
  ALTER TABLE generated_images
    ADD COLUMN IF NOT EXISTS media_type TEXT NOT NULL DEFAULT 'image',
    ADD COLUMN IF NOT EXISTS visibility TEXT NOT NULL DEFAULT 'private',
    ADD COLUMN IF NOT EXISTS filename TEXT,
    ADD COLUMN IF NOT EXISTS width INTEGER,
    ADD COLUMN IF NOT EXISTS height INTEGER,
    ADD COLUMN IF NOT EXISTS duration_ms BIGINT,
    ADD COLUMN IF NOT EXISTS thumbhash TEXT,
    ADD COLUMN IF NOT EXISTS provider TEXT,
    ADD COLUMN IF NOT EXISTS generation JSONB,
    ADD COLUMN IF NOT EXISTS provider_response JSONB,
    ADD COLUMN IF NOT EXISTS search_text TEXT,
    ADD COLUMN IF NOT EXISTS original_url TEXT,
    ADD COLUMN IF NOT EXISTS job_id TEXT,
    ADD COLUMN IF NOT EXISTS run_id TEXT,
    ADD COLUMN IF NOT EXISTS project_id UUID,
    ADD COLUMN IF NOT EXISTS scene_id TEXT,
    ADD COLUMN IF NOT EXISTS version INTEGER,
    ADD COLUMN IF NOT EXISTS parent_id BIGINT,
    ADD COLUMN IF NOT EXISTS external_id TEXT,
    ADD COLUMN IF NOT EXISTS generated_at TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS updated_at TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS expires_at TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS deleted_at TIMESTAMPTZ`;

const OTHER_TABLES = [
  sql`CREATE TABLE IF NOT EXISTS media_locations (
    media_id    BIGINT NOT NULL REFERENCES generated_images (id) ON DELETE CASCADE,
    store       TEXT NOT NULL,
    key         TEXT NOT NULL,
    bytes       BIGINT NOT NULL,
    sha256      CHAR(64),
    owned       BOOLEAN NOT NULL DEFAULT TRUE,
    state       TEXT NOT NULL DEFAULT 'stored' CHECK (state IN ('stored', 'pending', 'missing', 'corrupt')),
    verified_at TIMESTAMPTZ,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (media_id, store),
    CONSTRAINT media_locations_store_key UNIQUE (store, key)
  )`,
  sql`CREATE TABLE IF NOT EXISTS storage_intents (
    store        TEXT NOT NULL,
    key          TEXT NOT NULL,
    leased_until TIMESTAMPTZ NOT NULL,
    marked_at    TIMESTAMPTZ,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (store, key)
  )`,
  sql`CREATE TABLE IF NOT EXISTS idempotency_keys (
    caller       TEXT NOT NULL,
    key          TEXT NOT NULL,
    attempt      UUID NOT NULL,
    fingerprint  CHAR(64),
    response     JSONB,
    locked_until TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
  )`,
  sql`CREATE TABLE IF NOT EXISTS scenes (
    project_id      UUID NOT NULL,
    scene_id        TEXT NOT NULL,
    owner           TEXT NOT NULL,
    last_version    INTEGER NOT NULL,
    current_item_id BIGINT REFERENCES generated_images (id) ON DELETE SET NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, scene_id)
  )`,
  sql`CREATE TABLE IF NOT EXISTS store_identities (
    store      TEXT PRIMARY KEY,
    identity   TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
  )`,
  sql`CREATE INDEX IF NOT EXISTS storage_intents_leased_until ON storage_intents (leased_until)`,
  sql`CREATE INDEX IF NOT EXISTS idempotency_keys_expires_at ON idempotency_keys (expires_at)`,
  // A purge removes what was answered about its item.
  sql`CREATE INDEX IF NOT EXISTS idempotency_keys_item ON idempotency_keys ((response ->> 'id'))`,
  sql`CREATE INDEX IF NOT EXISTS scenes_current_item_id ON scenes (current_item_id)`,
];

const ALIVE = 'deleted_at IS NULL';
const FAILED = "status <> 'success' AND status <> 'pending'";
const TEXT = "to_tsvector('simple', left(coalesce(search_text, prompt), 16000))";

const INDEXES: readonly (readonly [name: string, unique: boolean, definition: string])[] = [
  ['idx_generated_images_user_id_created_at', false, '(user_id, created_at DESC)'],
  ['idx_generated_images_request_id', false, '(request_id)'],
  ['idx_generated_images_status', false, "(status) WHERE status <> 'success'"],
  ['idx_generated_images_storage_url', false, '(storage_url)'],
  ['idx_generated_images_metadata_gin', false, 'USING GIN (metadata)'],
  ['idx_generated_images_tags_gin', false, 'USING GIN (tags)'],
  ['generated_images_newest', false, `(created_at, id) WHERE ${ALIVE}`],
  ['generated_images_of_user', false, `(user_id, created_at, id) WHERE ${ALIVE}`],
  ['generated_images_of_tool', false, `(tool_name, created_at, id) WHERE ${ALIVE}`],
  ['generated_images_of_model', false, `(model, created_at, id) WHERE ${ALIVE} AND model IS NOT NULL`],
  ['generated_images_of_run', false, `(run_id, created_at, id) WHERE run_id IS NOT NULL`],
  ['generated_images_of_job', false, `(job_id, created_at, id) WHERE job_id IS NOT NULL`],
  ['generated_images_of_external_id', false, '(external_id) WHERE external_id IS NOT NULL'],
  ['generated_images_of_message', false, '(message_id) WHERE message_id IS NOT NULL'],
  ['generated_images_scene_version', true, '(project_id, scene_id, version) WHERE project_id IS NOT NULL'],
  ['generated_images_failed', false, `(created_at, id) WHERE ${FAILED} AND ${ALIVE}`],
  ['generated_images_deleted', false, '(deleted_at) WHERE deleted_at IS NOT NULL'],
  ['generated_images_text', false, `USING GIN ((${TEXT}))`],
];

export async function up(db: Db): Promise<void> {
  await sql`SET lock_timeout = '10s'`.execute(db);
  try {
    await db.transaction().execute(async (trx) => {
      await refuseForeign(trx);
      await LEGACY_TABLE.execute(trx);
      await widen(trx);
      await NEW_COLUMNS.execute(trx);
      // With the default of 100, one sampled row makes a rare value look like one in a hundred, and the plan a scan by time.
      await sql`ALTER TABLE generated_images ALTER COLUMN metadata SET STATISTICS 1000`.execute(trx);
      for (const statement of OTHER_TABLES) await statement.execute(trx);
      await createHelpers(trx);
    });
  } finally {
    await sql`RESET lock_timeout`.execute(db);
  }
  // Rows that were restored with their ids leave the sequence behind.
  await sql`SELECT setval(s, greatest((SELECT max(id) FROM generated_images), 1), (SELECT max(id) IS NOT NULL FROM generated_images))
    FROM pg_get_serial_sequence('generated_images', 'id') AS s
    WHERE (SELECT max(id) FROM generated_images) > (SELECT coalesce(last_value, 0) FROM pg_sequences WHERE (quote_ident(schemaname) || '.' || quote_ident(sequencename))::regclass = s::regclass)`.execute(
    db,
  );
  const rows = await sql<{ filled: boolean }>`SELECT EXISTS (SELECT FROM generated_images) AS filled`.execute(db);
  const concurrently = rows.rows[0]?.filled === true;
  for (const [name, unique, definition] of INDEXES) await createIndex(db, name, unique, definition, concurrently);
}

/** Objects of another system under our names: replacing them would take its data away from it. */
async function refuseForeign(db: Db): Promise<void> {
  const found = await sql<{ view: string | null; scenes: boolean }>`
    SELECT pg_get_viewdef(to_regclass('current_scene_images')) AS view,
      to_regclass('scenes') IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = to_regclass('scenes') AND attname = 'last_version') AS scenes`.execute(
    db,
  );
  const { view = null, scenes = false } = found.rows[0] ?? {};
  if (view !== null && !view.includes('generated_images')) {
    throw new Error(
      'The database has a view current_scene_images of another system; rename it (ALTER VIEW current_scene_images RENAME TO ...) with its function get_scene_image_url, or give mediakeep a schema or database of its own',
    );
  }
  if (scenes)
    throw new Error(
      'The database has a table scenes of another system; rename it, or give mediakeep a schema or database of its own',
    );
}

/** A UUID has 36 characters and VARCHAR(32) refuses it; a file may have more than 2 GiB. `bytes` rewrites the table. */
async function widen(db: Db): Promise<void> {
  const narrow = await sql<{ column_name: string; wanted: string }>`
    SELECT column_name, CASE column_name WHEN 'user_id' THEN 'TEXT' ELSE 'BIGINT' END AS wanted
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = 'generated_images'
      AND ((column_name = 'user_id' AND data_type <> 'text') OR (column_name = 'bytes' AND data_type = 'integer'))`.execute(
    db,
  );
  if (narrow.rows.length === 0) return;
  const views = await sql<{ name: string }>`
    SELECT DISTINCT view.relname AS name
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class view ON view.oid = r.ev_class
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = to_regclass('generated_images')
      AND a.attname IN (${sql.join(narrow.rows.map((row) => row.column_name))})`.execute(db);
  if (views.rows.length > 0) {
    const names = views.rows.map((row) => row.name).join(', ');
    throw new Error(
      `These views use columns of generated_images that have to be widened: ${names}. Drop them, migrate, and create them again`,
    );
  }
  const changes = narrow.rows.map((row) => sql`ALTER COLUMN ${sql.ref(row.column_name)} TYPE ${sql.raw(row.wanted)}`);
  await sql`ALTER TABLE generated_images ${sql.join(changes)}`.execute(db);
}

async function createHelpers(db: Db): Promise<void> {
  await sql`
    CREATE OR REPLACE VIEW current_scene_images (project_id, scene_id, storage_url, generated_at) AS
    SELECT scenes.project_id, scenes.scene_id, item.storage_url, coalesce(item.generated_at, item.created_at)
    FROM scenes JOIN generated_images item ON item.id = scenes.current_item_id
    WHERE item.deleted_at IS NULL`.execute(db);
  await sql`
    CREATE OR REPLACE FUNCTION get_scene_image_url(project_id UUID, scene_id TEXT) RETURNS TEXT LANGUAGE sql STABLE AS $$
      SELECT storage_url FROM current_scene_images AS c WHERE c.project_id = $1 AND c.scene_id = $2
    $$`.execute(db);
}

async function createIndex(
  db: Db,
  name: string,
  unique: boolean,
  definition: string,
  concurrently: boolean,
): Promise<void> {
  const found = await sql<{ indisvalid: boolean }>`
    SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(${name}))`.execute(
    db,
  );
  if (found.rows[0]?.indisvalid === true) return;
  // A CONCURRENTLY build that was cut off leaves an invalid index, which IF NOT EXISTS would take for a good one.
  const how = concurrently ? sql`CONCURRENTLY` : sql``;
  if (found.rows[0]) await sql`DROP INDEX ${how} ${sql.ref(name)}`.execute(db);
  await sql`CREATE ${unique ? sql`UNIQUE` : sql``} INDEX ${how} ${sql.ref(name)} ON generated_images ${sql.raw(definition)}`.execute(
    db,
  );
}
