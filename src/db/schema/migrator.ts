import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger as JobLogger, runMigrations } from 'graphile-worker';
import { sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { type Db, openDatabase } from '../database.ts';
import { openQueuePool } from '../queue/queue-pool.ts';

const FOLDER = new URL('../../../migrations/', import.meta.url);
const QUIET = new JobLogger(() => () => {});
/** Any fixed number will do; it only has to be the same in every process. */
const LOCK_ID = '7165283746512';

export interface MigrationReport {
  /** Names of the migrations that this call ran, in order. */
  applied: string[];
  /** True when another process held the lock first. */
  waited: boolean;
}

/** Names of all migrations that this version knows, in order. */
export async function migrationNames(): Promise<string[]> {
  const files = await readdir(FOLDER);
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3))
    .toSorted();
}

async function loadMigrations(): Promise<Record<string, Migration>> {
  const names = await migrationNames();
  const modules = await Promise.all(
    names.map((name) => import(new URL(`${name}.ts`, FOLDER).href) as Promise<Migration>),
  );
  return Object.fromEntries(names.map((name, index) => [name, modules[index] as Migration]));
}

/** The job queue's own schema: rows that need work are committed together with their job. */
async function migrateJobQueue(connectionString: string): Promise<void> {
  // Once it has done its work the loss of its connection, to a database that is stopped at once, means nothing.
  const pool = openQueuePool(connectionString, 2, () => {});
  try {
    await runMigrations({ pgPool: pool, logger: QUIET });
  } finally {
    await pool.end();
  }
}

/**
 * Brings the database to this version's schema. Of several processes one does the work and the others wait for it.
 * Takes a connection of its own, straight to the server: the lock belongs to the session.
 */
export async function migrate(
  connectionString: string,
  onProgress: (message: string) => void = () => {},
): Promise<MigrationReport> {
  // Two connections: one holds the lock, one works. The one that waits must not sit in a statement meanwhile:
  // CREATE INDEX CONCURRENTLY waits for every older snapshot, so a blocked pg_advisory_lock() would be a deadlock.
  const database = openDatabase({ connectionString, poolMax: 3, statementTimeoutMs: 0, onError: () => {} });
  try {
    return await database.db.connection().execute(async (locked) => {
      const waited = await lock(locked, onProgress);
      try {
        const { unknown } = await migrationState(locked);
        if (unknown.length > 0) {
          throw new Error(
            `The database was migrated by a newer version (${unknown.join(', ')}); start that version, or restore a backup of before`,
          );
        }
        const migrator = new Migrator({
          db: database.db,
          provider: { getMigrations: loadMigrations },
          disableTransactions: true,
        });
        const { error, results = [] } = await migrator.migrateToLatest();
        if (error !== undefined) throw error;
        await migrateJobQueue(connectionString);
        return { applied: results.map((result) => result.migrationName), waited };
      } finally {
        await sql`SELECT pg_advisory_unlock(${LOCK_ID}::bigint)`.execute(locked);
      }
    });
  } finally {
    await database.close();
  }
}

async function lock(db: Db, onProgress: (message: string) => void): Promise<boolean> {
  for (let waited = false; ; waited = true) {
    const answer = await sql<{ locked: boolean }>`SELECT pg_try_advisory_lock(${LOCK_ID}::bigint) AS locked`.execute(
      db,
    );
    if (answer.rows[0]?.locked === true) return waited;
    if (!waited) onProgress('another process is migrating this database; waiting for it');
    await sleep(200);
  }
}

/** Migrations that this version has and the database has not, and the other way round (a newer version was here). */
export async function migrationState(db: Db): Promise<{ missing: string[]; unknown: string[] }> {
  const known = await migrationNames();
  const table = await sql<{ there: boolean }>`SELECT to_regclass('kysely_migration') IS NOT NULL AS there`.execute(db);
  if (table.rows[0]?.there !== true) return { missing: known, unknown: [] };
  const rows = await sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name`.execute(db);
  const applied = rows.rows.map((row) => row.name);
  return {
    missing: known.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !known.includes(name)),
  };
}
