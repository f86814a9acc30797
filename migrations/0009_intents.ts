import { type Kysely, sql } from 'kysely';

/** Intents come and go with every upload, and the statement that ends some of them passes over those that are gone. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE storage_intents SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`.execute(
    db,
  );
}
