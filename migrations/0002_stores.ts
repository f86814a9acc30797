import { type Kysely, sql } from 'kysely';

type Db = Kysely<unknown>;

const STATEMENTS = [
  // A right that one process has among all replicas (a writer of a Git branch), in database time.
  sql`CREATE TABLE IF NOT EXISTS leases (
    name TEXT PRIMARY KEY,
    holder UUID NOT NULL,
    leased_until TIMESTAMPTZ NOT NULL
  )`,
  // The `database` driver. Chunks are written first and belong to nobody until the row that names them exists.
  sql`CREATE TABLE IF NOT EXISTS stored_blobs (
    store TEXT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    blob_id UUID NOT NULL,
    content_type TEXT NOT NULL,
    chunk_bytes INTEGER NOT NULL,
    bytes BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT stored_blobs_pkey PRIMARY KEY (store, key)
  )`,
  sql`CREATE TABLE IF NOT EXISTS stored_blob_chunks (
    blob_id UUID NOT NULL,
    number INTEGER NOT NULL,
    bytes BYTEA NOT NULL,
    CONSTRAINT stored_blob_chunks_pkey PRIMARY KEY (blob_id, number)
  )`,
  // Pictures and films are compressed already: trying again costs time and gains nothing.
  sql`ALTER TABLE stored_blob_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL`,
  // Chunks of no object: those of a write that is going on or was cut off, and those that an overwrite has replaced.
  sql`CREATE TABLE IF NOT EXISTS stored_blob_writes (
    blob_id UUID NOT NULL,
    store TEXT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    replaced_at TIMESTAMPTZ,
    CONSTRAINT stored_blob_writes_pkey PRIMARY KEY (blob_id)
  )`,
  sql`CREATE INDEX IF NOT EXISTS stored_blob_writes_key ON stored_blob_writes (store, key)`,
  sql`CREATE INDEX IF NOT EXISTS stored_blob_writes_replaced ON stored_blob_writes (replaced_at) WHERE replaced_at IS NOT NULL`,
  // Where a permanent address of the local store led before the item moved away.
  sql`CREATE TABLE IF NOT EXISTS former_keys (
    key TEXT NOT NULL,
    media_id BIGINT NOT NULL REFERENCES generated_images (id) ON DELETE CASCADE,
    CONSTRAINT former_keys_pkey PRIMARY KEY (key, media_id)
  )`,
  sql`CREATE INDEX IF NOT EXISTS former_keys_media_id ON former_keys (media_id)`,
  // A location that is still to be filled: why, and when it is tried next.
  sql`ALTER TABLE media_locations
    ADD COLUMN IF NOT EXISTS purpose TEXT,
    ADD COLUMN IF NOT EXISTS attempts INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS next_attempt_at TIMESTAMPTZ,
    ADD COLUMN IF NOT EXISTS last_error TEXT`,
];

const INDEXES: readonly (readonly [name: string, definition: string])[] = [
  ['media_locations_pending', "(next_attempt_at) WHERE state = 'pending'"],
  // "Everything in this store, oldest first": moves and mirrors walk along it.
  ['media_locations_of_store', '(store, media_id)'],
];

/** A table of another system under one of these names: its data would be taken for ours. */
async function refuseForeign(db: Db): Promise<void> {
  const { rows } = await sql<{ foreign: boolean }>`
    SELECT to_regclass('leases') IS NOT NULL AND NOT EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = to_regclass('leases') AND attname = 'leased_until') AS foreign`.execute(
    db,
  );
  if (rows[0]?.foreign === true)
    throw new Error(
      'The database has a table leases of another system; rename it, or give mediakeep a schema or database of its own',
    );
}

export async function up(db: Db): Promise<void> {
  await sql`SET lock_timeout = '10s'`.execute(db);
  try {
    await db.transaction().execute(async (trx) => {
      await refuseForeign(trx);
      for (const statement of STATEMENTS) await statement.execute(trx);
    });
  } finally {
    await sql`RESET lock_timeout`.execute(db);
  }
  const rows = await sql<{ filled: boolean }>`SELECT EXISTS (SELECT FROM media_locations) AS filled`.execute(db);
  const how = rows.rows[0]?.filled === true ? sql`CONCURRENTLY` : sql``;
  for (const [name, definition] of INDEXES) {
    const found = await sql<{ indisvalid: boolean }>`
      SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(${name}))`.execute(
      db,
    );
    if (found.rows[0]?.indisvalid === true) continue;
    // A CONCURRENTLY build that was cut off leaves an invalid index, which IF NOT EXISTS would take for a good one.
    if (found.rows[0]) await sql`DROP INDEX ${how} ${sql.ref(name)}`.execute(db);
    await sql`CREATE INDEX ${how} ${sql.ref(name)} ON media_locations ${sql.raw(definition)}`.execute(db);
  }
}
