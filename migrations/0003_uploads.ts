import { type Kysely, sql } from 'kysely';

/** Uploads that a caller has begun, whose bytes come straight from a browser. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ foreign: boolean }>`
    SELECT to_regclass('uploads') IS NOT NULL AND NOT EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = to_regclass('uploads') AND attname = 'content_type') AS foreign`.execute(
    db,
  );
  if (rows[0]?.foreign === true)
    throw new Error(
      'The database has a table uploads of another system; rename it, or give mediakeep a schema or database of its own',
    );
  await sql`CREATE TABLE IF NOT EXISTS uploads (
    id           UUID NOT NULL,
    user_id      TEXT NOT NULL,
    store        TEXT NOT NULL,
    key          TEXT NOT NULL,
    home         TEXT,
    content_type TEXT NOT NULL,
    bytes        BIGINT NOT NULL,
    fields       JSONB NOT NULL,
    item_id      BIGINT,
    expires_at   TIMESTAMPTZ NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT uploads_pkey PRIMARY KEY (id)
  )`.execute(db);
  await sql`CREATE INDEX IF NOT EXISTS uploads_key ON uploads (store, key)`.execute(db);
  await sql`CREATE INDEX IF NOT EXISTS uploads_expires_at ON uploads (expires_at)`.execute(db);
}
