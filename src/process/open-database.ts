import { access } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import { BackgroundParts } from '../background/parts.ts';
import { type Config, ConfigError, type DatabaseConfig } from '../config/load-config.ts';
import { databaseAddress } from '../db/connections/address.ts';
import { ConnectionUrlError, connectionConfig } from '../db/connections/connection-url.ts';
import { DatabaseRefused } from '../db/connections/refusal.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { NoEmbeddedPostgres, packagedBinaries } from '../db/embedded/home.ts';
import { failureOf } from '../db/failure.ts';
import { migrate, migrationState } from '../db/schema/migrator.ts';
import { verifySchema } from '../db/schema/verify.ts';
import { causeOf } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Stores } from '../storage/stores/stores.ts';
import { openStores } from './open-stores.ts';

/** PostgreSQL's limit, which the wait of a whole request (`WaitBudget`) must leave room for. */
const STATEMENT_TIMEOUT_MS = 20_000;

/** Opens the configured database, or the embedded one, which `stop` releases. @throws ConfigError when its URL cannot be used */
export async function openConfiguredDatabase(
  config: DatabaseConfig,
  log: Logger,
): Promise<{ connectionString: string; stop: () => Promise<void> }> {
  if (config.DATABASE_URL !== undefined) {
    checkUrl(config.DATABASE_URL);
    return { connectionString: config.DATABASE_URL, stop: async () => {} };
  }
  // Loaded on demand: a production image does not contain it.
  await requireEmbeddedPostgres();
  const { startEmbeddedPostgres } = await import('../db/embedded/embedded-postgres.ts');
  return startEmbeddedPostgres({ dataDir: config.DATA_DIR, log: (message) => log.info(message) });
}

/** @throws ConfigError when no embedded PostgreSQL is installed: the packed service comes without */
export async function requireEmbeddedPostgres(): Promise<void> {
  await packagedBinaries().catch((error: unknown) => {
    throw error instanceof NoEmbeddedPostgres ? new ConfigError([error.message]) : error;
  });
}

/** As `openConfiguredDatabase`, but never makes an embedded one. @throws ConfigError when there is none */
export async function openExistingDatabase(
  config: DatabaseConfig,
  log: Logger,
): ReturnType<typeof openConfiguredDatabase> {
  if (!(await hasDatabase(config)))
    throw new ConfigError([
      `DATABASE_URL is not set, and there is no embedded database in ${config.DATA_DIR} yet; set DATABASE_URL or DATA_DIR as for the service`,
    ]);
  return openConfiguredDatabase(config, log);
}

/** Whether there is a database to open: a configured one, or the folder of an embedded one, or the note that it lies elsewhere. */
export async function hasDatabase({ DATABASE_URL, DATA_DIR }: DatabaseConfig): Promise<boolean> {
  if (DATABASE_URL !== undefined) return true;
  const signs = ['postgres/cluster', 'POSTGRES-IS-ELSEWHERE.txt'].map((name) => access(path.join(DATA_DIR, name)));
  return (await Promise.allSettled(signs)).some(({ status }) => status === 'fulfilled');
}

function checkUrl(url: string): void {
  try {
    connectionConfig(url);
  } catch (error) {
    throw error instanceof ConnectionUrlError ? new ConfigError([`DATABASE_URL: ${error.message}`]) : error;
  }
}

/** A failure to connect, as a setting that must be corrected. Any other error is returned unchanged. */
function asSetting(error: unknown, connectionString: string): unknown {
  if (error instanceof DatabaseRefused) return new ConfigError([`DATABASE_URL: ${error.message}`]);
  return failureOf(error) === 'gone'
    ? new ConfigError([
        `DATABASE_URL: the database at ${databaseAddress(connectionString)} cannot be reached (${causeOf(error)}); start it, or correct the address`,
      ])
    : error;
}

export interface Services {
  database: Database;
  stores: Stores;
  close(): Promise<void>;
}

/** Opens what every process needs: the migrated database and the stores. @throws with a message for operators */
export async function openServices(
  config: Config,
  connectionString: string,
  log: Logger,
  { metrics, background = new BackgroundParts(log) }: { metrics?: Metrics; background?: BackgroundParts } = {},
): Promise<Services> {
  if (config.AUTO_MIGRATE) {
    const report = await migrate(connectionString, (message) => log.info(message)).catch((error: unknown) => {
      throw asSetting(error, connectionString);
    });
    if (report.applied.length > 0) log.info({ migrations: report.applied }, 'the database was migrated');
  }
  const database = openDatabase({
    connectionString,
    poolMax: config.DATABASE_POOL_MAX,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    onError: (error) => log.warn({ err: error }, 'an idle database connection was lost'),
  });
  try {
    try {
      if (!config.AUTO_MIGRATE) await requireSchema(database);
      await reportSchema(database, log);
    } catch (error) {
      throw asSetting(error, connectionString);
    }
    const stores = await openStores(config, database, { log, metrics, background });
    return {
      database,
      stores,
      close: async () => {
        await stores.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Requires a schema; one that is only outdated is reported by readiness until it is migrated. */
async function requireSchema({ db }: Database): Promise<void> {
  const { applied } = await migrationState(db);
  if (applied.length === 0) {
    throw new Error('The database has no schema yet and AUTO_MIGRATE is false; run: mediakeep migrate');
  }
}

/** Reports what differs from the schema of this version, which no migration would have told: a column that was dropped, an invalid index. */
async function reportSchema({ db }: Database, log: Logger): Promise<void> {
  const problems = await verifySchema(db);
  if (problems.length === 0) return;
  log.error(
    { problems: problems.slice(0, MAX_PROBLEMS), count: problems.length },
    'the schema of the database differs from what this version needs; requests that need what differs will fail. Migrate it, or restore what was changed by hand; mediakeep verify lists all differences',
  );
}
const MAX_PROBLEMS = 20;
