import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Db } from '../database.ts';

/** The migrations that the baseline has replaced. A database may record all of them, or the first few. */
const FORMER = new Set([
  '0001_core',
  '0002_stores',
  '0003_uploads',
  '0004_intake',
  '0005_runs',
  '0006_generation',
  '0007_events',
  '0008_growth',
  '0009_intents',
  '0010_owners',
  '0011_run_files',
]);

/** Whether an earlier schema recorded a migration by this name, which the baseline now covers. */
export function isFormerMigration(name: string): boolean {
  return FORMER.has(name);
}

/**
 * Completes a database of the former migrations by the baseline and records the baseline instead of them. When it is
 * interrupted, the former names stay, and the next call repeats it.
 * @param db the caller holds the migration lock on another connection
 */
export async function replaceFormerMigrations(
  db: Db,
  { name, migration }: { name: string; migration: Migration },
): Promise<void> {
  // One connection: the baseline sets its lock timeout for the session.
  await db.connection().execute(async (connection) => {
    await migration.up(connection);
    await connection.transaction().execute(async (trx) => {
      await sql`DELETE FROM kysely_migration WHERE name = ANY(${[...FORMER]}::text[])`.execute(trx);
      await sql`INSERT INTO kysely_migration (name, timestamp) VALUES (${name}, ${new Date().toISOString()})
        ON CONFLICT DO NOTHING`.execute(trx);
    });
  });
}
