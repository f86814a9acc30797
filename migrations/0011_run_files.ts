import { type Kysely, sql } from 'kysely';

/** How large a run's metadata.json is and when it was written: a large one is not written again for every change. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE runs ADD COLUMN IF NOT EXISTS metadata_bytes BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS written_at TIMESTAMPTZ`.execute(db);
}
