import { type Kysely, sql } from 'kysely';

type Db = Kysely<unknown>;

const STATEMENTS = [
  // The work at a generating back end. Its row lock puts all that is said about one job in a row.
  sql`CREATE TABLE IF NOT EXISTS generation_jobs (
    provider      TEXT NOT NULL,
    job_id        TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    status        TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'canceled')),
    progress      SMALLINT CHECK (progress BETWEEN 0 AND 100),
    error         TEXT,
    error_class   TEXT,
    fields        JSONB NOT NULL DEFAULT '{}',
    timings       JSONB NOT NULL DEFAULT '{}',
    poll_at       TIMESTAMPTZ,
    poll_until    TIMESTAMPTZ,
    started_at    TIMESTAMPTZ,
    completed_at  TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT generation_jobs_pkey PRIMARY KEY (provider, job_id)
  )`,
  // Some webhooks know the id alone, not who does the work.
  sql`CREATE INDEX IF NOT EXISTS generation_jobs_job_id ON generation_jobs (job_id)`,
  sql`CREATE INDEX IF NOT EXISTS generation_jobs_poll_at ON generation_jobs (poll_at) WHERE poll_at IS NOT NULL`,
  // By what an output is known again: where it lies, its name, its hash. One output has several.
  sql`CREATE TABLE IF NOT EXISTS job_outputs (
    provider TEXT NOT NULL,
    job_id   TEXT NOT NULL,
    identity TEXT NOT NULL,
    media_id BIGINT NOT NULL REFERENCES generated_images (id) ON DELETE CASCADE,
    CONSTRAINT job_outputs_pkey PRIMARY KEY (provider, job_id, identity, media_id)
  )`,
  sql`CREATE INDEX IF NOT EXISTS job_outputs_media_id ON job_outputs (media_id)`,
  // Where the bytes of a pending item can be had, and until when. The one whose address dies first is taken first.
  sql`CREATE TABLE IF NOT EXISTS fetches (
    media_id        BIGINT NOT NULL REFERENCES generated_images (id) ON DELETE CASCADE,
    sources         JSONB NOT NULL,
    options         JSONB NOT NULL DEFAULT '{}',
    at_hand         BOOLEAN NOT NULL DEFAULT FALSE,
    dies_at         TIMESTAMPTZ,
    next_attempt_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    attempts        INTEGER NOT NULL DEFAULT 0,
    revision        INTEGER NOT NULL DEFAULT 0,
    last_error      TEXT,
    gave_up_at      TIMESTAMPTZ,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT fetches_pkey PRIMARY KEY (media_id)
  )`,
  sql`CREATE INDEX IF NOT EXISTS fetches_dies_at ON fetches (at_hand, dies_at, next_attempt_at) WHERE gave_up_at IS NULL`,
  sql`CREATE INDEX IF NOT EXISTS fetches_next_attempt ON fetches (next_attempt_at) WHERE gave_up_at IS NULL`,
  // Which webhook's body a pending item still needs.
  sql`CREATE INDEX IF NOT EXISTS fetches_sources ON fetches USING GIN (sources jsonb_path_ops) WHERE gave_up_at IS NULL`,
  sql`CREATE TABLE IF NOT EXISTS webhook_deliveries (
    id           BIGINT GENERATED ALWAYS AS IDENTITY,
    provider     TEXT NOT NULL,
    delivery_key TEXT NOT NULL,
    job_id       TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('parked', 'done')),
    body         BYTEA,
    body_store   TEXT,
    body_key     TEXT,
    received_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at   TIMESTAMPTZ NOT NULL,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_deliveries_key UNIQUE (provider, delivery_key)
  )`,
  sql`CREATE INDEX IF NOT EXISTS webhook_deliveries_parked ON webhook_deliveries (job_id) WHERE state = 'parked'`,
  sql`CREATE INDEX IF NOT EXISTS webhook_deliveries_expires_at ON webhook_deliveries (expires_at)`,
  sql`CREATE INDEX IF NOT EXISTS webhook_deliveries_body ON webhook_deliveries (body_store, body_key) WHERE body_key IS NOT NULL`,
  // While a version is still to be fetched, its picture is where it came from.
  sql`CREATE OR REPLACE VIEW current_scene_images (project_id, scene_id, storage_url, generated_at) AS
    SELECT scenes.project_id, scenes.scene_id,
      CASE WHEN item.status = 'pending' THEN coalesce(nullif(item.storage_url, ''), item.original_url, '') ELSE item.storage_url END,
      coalesce(item.generated_at, item.created_at)
    FROM scenes JOIN generated_images item ON item.id = scenes.current_item_id
    WHERE item.deleted_at IS NULL`,
];

/** A table of another system under one of these names: its data would be taken for ours. */
async function refuseForeign(db: Db): Promise<void> {
  for (const [table, column] of [
    ['generation_jobs', 'poll_until'],
    ['job_outputs', 'identity'],
    ['fetches', 'dies_at'],
    ['webhook_deliveries', 'delivery_key'],
  ]) {
    const { rows } = await sql<{ foreign: boolean }>`
      SELECT to_regclass(${table}) IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = to_regclass(${table}) AND attname = ${column}) AS foreign`.execute(
      db,
    );
    if (rows[0]?.foreign === true)
      throw new Error(
        `The database has a table ${table} of another system; rename it, or give mediakeep a schema or database of its own`,
      );
  }
}

export async function up(db: Db): Promise<void> {
  await refuseForeign(db);
  await db.transaction().execute(async (trx) => {
    for (const statement of STATEMENTS) await statement.execute(trx);
  });
}
