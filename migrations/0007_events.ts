import { type Kysely, sql } from 'kysely';

const STATEMENTS = [
  // Written in the transaction of what has happened, so it is there exactly when that is.
  sql`CREATE TABLE IF NOT EXISTS media_event_outbox (
    id       BIGINT GENERATED ALWAYS AS IDENTITY,
    kind     TEXT NOT NULL,
    user_id  TEXT NOT NULL,
    media_id BIGINT,
    provider TEXT,
    job_id   TEXT,
    run_id   TEXT,
    status   TEXT,
    made_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT media_event_outbox_pkey PRIMARY KEY (id)
  ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,
  // The same once it has been seen committed: positions have no gaps, and none appears behind one that was visible.
  sql`CREATE TABLE IF NOT EXISTS media_events (
    position    BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    media_id    BIGINT,
    provider    TEXT,
    job_id      TEXT,
    run_id      TEXT,
    status      TEXT,
    made_at     TIMESTAMPTZ NOT NULL,
    numbered_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT media_events_pkey PRIMARY KEY (position)
  )`,
  sql`CREATE INDEX IF NOT EXISTS media_events_of_user ON media_events (user_id, position)`,
  // One row: who locks it gives positions. Events up to forgotten_to are no longer kept.
  sql`CREATE TABLE IF NOT EXISTS media_event_log (
    id            INTEGER NOT NULL DEFAULT 1 CHECK (id = 1),
    last_position BIGINT NOT NULL DEFAULT 0,
    forgotten_to  BIGINT NOT NULL DEFAULT 0,
    CONSTRAINT media_event_log_pkey PRIMARY KEY (id)
  )`,
  sql`INSERT INTO media_event_log (id) VALUES (1) ON CONFLICT DO NOTHING`,
];

/** What has happened, for those who follow it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await statement.execute(db);
}
