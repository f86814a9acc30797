import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger as JobLogger, runMigrations } from 'graphile-worker';
import { sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { type Db, openDatabase } from '../database.ts';
import { openQueuePool } from '../queue/queue-pool.ts';
import { isFormerMigration, replaceFormerMigrations } from './former-migrations.ts';

const FOLDER = new URL('../../../migrations/', import.meta.url);
/** `.ts`, or `.js` in the package. */
const EXTENSION = path.extname(import.meta.filename);
const QUIET = new JobLogger(() => () => {});
/** Any number will do, as long as every process uses the same. */
const LOCK_ID = '7165283746512';

export interface MigrationReport {
  /** Names of the migrations that this call ran, in order. */
  applied: string[];
  /** True when another process held the lock first. */
  waited: boolean;
}

/** Names of the migrations that this version knows, in order. */
export async function migrationNames(): Promise<string[]> {
  const files = await readdir(FOLDER);
  return files
    .filter((file) => file.endsWith(EXTENSION))
    .map((file) => path.basename(file, EXTENSION))
    .toSorted();
}

async function loadMigration(name: string): Promise<Migration> {
  return (await import(new URL(`${name}${EXTENSION}`, FOLDER).href)) as Migration;
}

async function loadMigrations(): Promise<Record<string, Migration>> {
  const names = await migrationNames();
  const modules = await Promise.all(names.map(loadMigration));
  return Object.fromEntries(names.map((name, index) => [name, modules[index] as Migration]));
}

/** Migrates the task queue's schema too: a row that needs work is committed together with its task. */
async function migrateTaskQueue(connectionString: string): Promise<void> {
  // Losing a connection after the work is done, when a database stops at once, is no error.
  const pool = openQueuePool(connectionString, 2, () => {});
  try {
    await runMigrations({ pgPool: pool, logger: QUIET });
  } finally {
    await pool.end();
  }
}

/**
 * Brings the database to this version's schema. Of several processes one migrates and the others wait for it. It opens
 * direct connections to the server: the lock belongs to a session.
 * @throws an Error when a newer version has migrated the database, or a table belongs to another system; PostgreSQL's
 * error 55P03 when a table stays locked for 10 s. The call can then be repeated.
 */
export async function migrate(
  connectionString: string,
  onProgress: (message: string) => void = () => {},
): Promise<MigrationReport> {
  // One connection holds the lock, another one works. A process that waits must not sit in a statement:
  // CREATE INDEX CONCURRENTLY waits for every older snapshot, so a blocked pg_advisory_lock() would be a deadlock.
  const database = openDatabase({ connectionString, poolMax: 3, statementTimeoutMs: 0, onError: () => {} });
  try {
    return await database.db.connection().execute(async (locked) => {
      const waited = await lock(locked, onProgress);
      try {
        const replaced = await takeOver(locked, database.db);
        const migrator = new Migrator({
          db: database.db,
          provider: { getMigrations: loadMigrations },
          disableTransactions: true,
        });
        const { error, results = [] } = await migrator.migrateToLatest();
        if (error !== undefined) throw error;
        await migrateTaskQueue(connectionString);
        return { applied: [...replaced, ...results.map((result) => result.migrationName)], waited };
      } finally {
        await sql`SELECT pg_advisory_unlock(${LOCK_ID}::bigint)`.execute(locked);
      }
    });
  } finally {
    await database.close();
  }
}

/** Replaces records of former migrations by the baseline; the Migrator refuses names that it does not find in the folder. */
async function takeOver(locked: Db, db: Db): Promise<string[]> {
  const { applied, unknown } = await migrationState(locked);
  if (unknown.length > 0) {
    throw new Error(
      `The database was migrated by a newer version (${unknown.join(', ')}); start that version, or restore an earlier backup`,
    );
  }
  if (!applied.some(isFormerMigration)) return [];
  const [baseline = ''] = await migrationNames();
  await replaceFormerMigrations(db, { name: baseline, migration: await loadMigration(baseline) });
  return [baseline];
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

export interface MigrationState {
  /** Names that the database records, in order. */
  applied: string[];
  /** Migrations of this version that the database does not record. */
  missing: string[];
  /** Recorded names that no version up to this one has: a newer version has migrated the database. */
  unknown: string[];
}

/** Compares the migrations that the database records with those of this version. */
export async function migrationState(db: Db): Promise<MigrationState> {
  const known = await migrationNames();
  const table = await sql<{ there: boolean }>`SELECT to_regclass('kysely_migration') IS NOT NULL AS there`.execute(db);
  if (table.rows[0]?.there !== true) return { applied: [], missing: known, unknown: [] };
  const rows = await sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name`.execute(db);
  const applied = rows.rows.map((row) => row.name);
  return {
    applied,
    missing: known.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !known.includes(name) && !isFormerMigration(name)),
  };
}
