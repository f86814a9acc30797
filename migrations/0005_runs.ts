import { type Kysely, sql } from 'kysely';

const STATEMENTS = [
  sql`CREATE TABLE IF NOT EXISTS runs (
    id               TEXT NOT NULL,
    user_id          TEXT NOT NULL,
    input_text       TEXT NOT NULL,
    transformed_text TEXT,
    schema           TEXT,
    execution_mode   TEXT,
    safety_level     TEXT,
    metadata         JSONB NOT NULL DEFAULT '{}',
    store            TEXT NOT NULL,
    completed_at     TIMESTAMPTZ,
    revision         INTEGER NOT NULL DEFAULT 1,
    written_revision INTEGER NOT NULL DEFAULT 0,
    texts_due        BOOLEAN NOT NULL DEFAULT TRUE,
    due_at           TIMESTAMPTZ,
    attempts         INTEGER NOT NULL DEFAULT 0,
    last_error       TEXT,
    uncertain_at     TIMESTAMPTZ,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT runs_pkey PRIMARY KEY (id)
  )`,
  sql`CREATE INDEX IF NOT EXISTS runs_due ON runs (due_at) WHERE due_at IS NOT NULL`,
  // Names of outputs that were given out, so that two that arrive at once never get the same one.
  sql`CREATE TABLE IF NOT EXISTS run_slots (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    store  TEXT NOT NULL,
    type   TEXT NOT NULL,
    n      INTEGER NOT NULL,
    CONSTRAINT run_slots_pkey PRIMARY KEY (run_id, store, type, n)
  )`,
];

/** Pipeline runs, each with a folder of its own in a store. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ foreign: boolean }>`
    SELECT to_regclass('runs') IS NOT NULL AND NOT EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = to_regclass('runs') AND attname = 'written_revision') AS foreign`.execute(
    db,
  );
  if (rows[0]?.foreign === true)
    throw new Error(
      'The database has a table runs of another system; rename it, or give mediakeep a schema or database of its own',
    );
  await db.transaction().execute(async (trx) => {
    for (const statement of STATEMENTS) await statement.execute(trx);
  });
}
