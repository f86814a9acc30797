import { access, mkdir, readFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { Logger } from 'pino';
import { BackgroundParts } from '../background/parts.ts';
import { repeatWith } from '../background/repeat.ts';
import { type Config, ConfigError } from '../config/load-config.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { failureOf } from '../db/failure.ts';
import { migrate, migrationState } from '../db/schema/migrator.ts';
import { verifySchema } from '../db/schema/verify.ts';
import { takeLease } from '../db/leases.ts';
import { registerIdentity, registeredIdentity } from '../db/objects/store-identities.ts';
import { codeOf } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Driver, type DriverContext, StorageError } from '../storage/driver.ts';
import type { DriverKind } from '../storage/stores/registry.ts';
import { createNewFile } from '../storage/local/new-file.ts';
import { type Stores, createStores } from '../storage/stores/stores.ts';
import { createStore } from '../storage/stores/store.ts';

const STATEMENT_TIMEOUT_MS = 30_000;

/** Opens the configured database, or the embedded one, which `stop` releases. */
export async function openConfiguredDatabase(
  config: Config,
  log: Logger,
): Promise<{ connectionString: string; stop: () => Promise<void> }> {
  if (config.DATABASE_URL !== undefined) return { connectionString: config.DATABASE_URL, stop: async () => {} };
  // Loaded on demand: a production image does not contain it.
  const { startEmbeddedPostgres } = await import('../db/embedded/embedded-postgres.ts');
  return startEmbeddedPostgres({ dataDir: config.DATA_DIR, log: (message) => log.info(message) });
}

/** The JWT secret: the configured one, or in development one that is generated once and kept; undefined when only JWKS is used. */
export async function resolveJwtSecret(config: Config): Promise<{ secret: string | undefined; madeUp: boolean }> {
  if (config.JWT_SECRET !== undefined) return { secret: config.JWT_SECRET, madeUp: false };
  if (config.JWT_JWKS_URL !== undefined && config.production) return { secret: undefined, madeUp: false };
  const file = path.join(config.DATA_DIR, 'jwt-secret');
  await mkdir(config.DATA_DIR, { recursive: true }).catch((error: unknown) => {
    throw new ConfigError([
      `DATA_DIR: the folder ${config.DATA_DIR} cannot be made (${codeOf(error) ?? 'unknown'}); allowed: a folder that this user may write to`,
    ]);
  });
  await access(file).catch(() => createNewFile(file, `${randomBytes(32).toString('hex')}\n`, 0o600));
  const secret = (await readFile(file, 'utf8')).trim();
  if (secret.length < 32)
    throw new ConfigError([
      `JWT_SECRET is not set and ${file} holds no usable one; delete that file or set JWT_SECRET (at least 32 characters)`,
    ]);
  return { secret, madeUp: true };
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
      throw failureOf(error) === 'gone'
        ? new ConfigError([
            `DATABASE_URL: the database cannot be reached (${error instanceof Error && error.message !== '' ? error.message : (codeOf(error) ?? 'no answer')}); start it, or correct the address`,
          ])
        : error;
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
    if (!config.AUTO_MIGRATE) await requireSchema(database);
    await reportSchema(database, log);
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

async function openStores(
  config: Config,
  { db }: Database,
  { log, metrics, background }: { log: Logger; metrics: Metrics | undefined; background: BackgroundParts },
): Promise<Stores> {
  const unreachable = new Map<string, string>();
  const places = new Map<string, string>();
  const stores = await Promise.all(
    config.stores.map(async ({ name, driver, kind, settings }) => {
      const context: DriverContext = {
        store: name,
        registeredIdentity: () => registeredIdentity(db, name),
        registerIdentity: (identity) => registerIdentity(db, name, identity),
        lease: (lease, seconds) => takeLease(db, lease, seconds),
        repeat: repeatWith(background),
        executor: db,
        log: (level, message, details) => log[level]({ ...details, store: name }, message),
      };
      const made = await create(kind, settings, context);
      refuseSamePlace(places, name, made.place);
      await made.check?.().catch((error: unknown) => {
        // A wrong setting stays wrong; an unreachable store may come back, and fallbacks may replace it until then.
        if (!(error instanceof StorageError) || error.code !== 'UNAVAILABLE') return asConfigError(error);
        unreachable.set(name, `the store '${name}' cannot be reached: ${error.message}`);
        return undefined;
      });
      return createStore(name, driver, made, metrics?.store);
    }),
  );
  const writable = [config.STORAGE_PRIMARY, ...config.STORAGE_FALLBACKS];
  if (writable.every((name) => unreachable.has(name))) throw new ConfigError([...unreachable.values()]);
  for (const [store, reason] of unreachable)
    log.error({ store, reason }, 'a store cannot be reached; starting without it');
  return createStores(stores, {
    primary: config.STORAGE_PRIMARY,
    fallbacks: config.STORAGE_FALLBACKS,
    mirrors: config.STORAGE_MIRRORS,
  });
}

/** A driver may refuse its settings synchronously. */
async function create(kind: DriverKind, settings: Record<string, unknown>, context: DriverContext): Promise<Driver> {
  try {
    return await kind.create(settings, context);
  } catch (error) {
    return asConfigError(error);
  }
}

/** Two stores in one place would count one copy twice, and take each other's objects for foreign ones. */
function refuseSamePlace(places: Map<string, string>, name: string, place: string | undefined): void {
  if (place === undefined) return;
  const other = places.get(place);
  if (other !== undefined)
    throw new ConfigError([
      `STORES: '${other}' and '${name}' are the same place (${place}); give each store a folder, bucket, prefix or repository of its own`,
    ]);
  places.set(place, name);
}

/** A store that cannot be opened is reported like a wrong setting: the message names the setting and how to fix it. */
function asConfigError(error: unknown): never {
  if (!(error instanceof StorageError)) throw error;
  const cause = codeOf(error.cause);
  throw new ConfigError([cause === undefined ? error.message : `${error.message} (${cause})`]);
}
