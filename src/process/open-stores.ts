import type { Logger } from 'pino';
import type { BackgroundParts } from '../background/parts.ts';
import { repeatWith } from '../background/repeat.ts';
import { type Config, ConfigError } from '../config/load-config.ts';
import type { StoreConfig } from '../config/stores.ts';
import type { Database } from '../db/database.ts';
import { takeLease } from '../db/leases.ts';
import { registerIdentity, registeredIdentity } from '../db/objects/store-identities.ts';
import { causeOf, codeOf } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Driver, type DriverContext, StorageError } from '../storage/driver.ts';
import type { DriverKind } from '../storage/stores/registry.ts';
import { type Stores, createStores, requireStore } from '../storage/stores/stores.ts';
import { createStore } from '../storage/stores/store.ts';

/** Opens the configured stores. One that is unreachable is opened later, as long as another one can be written. @throws ConfigError */
export async function openStores(
  config: Config,
  { db }: Database,
  { log, metrics, background }: { log: Logger; metrics: Metrics | undefined; background: BackgroundParts },
): Promise<Stores> {
  const unreachable = new Map<string, string>();
  const places = new Map<string, string>();
  const stores = await Promise.all(
    config.stores.map(async (store) => {
      const { name, driver } = store;
      const made = await openDriver(store, { db, log, background });
      refuseSamePlace(places, name, made.place);
      await made.check?.().catch((error: unknown) => {
        // A wrong setting stays wrong; an unreachable store may come back, and fallbacks may replace it until then.
        if (!(error instanceof StorageError) || error.code !== 'UNAVAILABLE') return asConfigError(error);
        const cause = causeOf(error);
        const why = error.message.includes(cause) ? error.message : `${error.message} (${cause})`;
        unreachable.set(name, `store '${name}' cannot be reached: ${why}`);
        return undefined;
      });
      return createStore(name, driver, made, metrics?.store);
    }),
  );
  const writable = [config.STORAGE_PRIMARY, ...config.STORAGE_FALLBACKS];
  if (writable.every((name) => unreachable.has(name))) throw new ConfigError([...unreachable.values()]);
  for (const [store, reason] of unreachable) log.error({ store }, `${reason}; starting without it`);
  return createStores(stores, {
    primary: config.STORAGE_PRIMARY,
    fallbacks: config.STORAGE_FALLBACKS,
    mirrors: config.STORAGE_MIRRORS,
  });
}

export interface DriverDeps {
  db: Database['db'];
  log: Logger;
  background: BackgroundParts;
  /** Nothing is made that is not there. */
  lookOnly?: boolean;
}

/** The driver of a store, which has not been checked yet. @throws ConfigError: its settings cannot work */
export function openDriver(
  { name, kind, settings }: StoreConfig,
  { db, log, background, lookOnly = false }: DriverDeps,
): Promise<Driver> {
  return create(kind, settings, {
    store: name,
    lookOnly,
    registeredIdentity: () => registeredIdentity(db, name),
    registerIdentity: (identity) => registerIdentity(db, name, identity),
    lease: (lease, seconds) => takeLease(db, lease, seconds),
    repeat: repeatWith(background),
    executor: db,
    log: (level, message, details) => log[level]({ ...details, store: name }, message),
  });
}

/** Stores for a dry run, which reads them and changes nothing. One that cannot be opened is refused when it is asked for. */
export async function openStoresToRead(
  config: Config,
  deps: Omit<DriverDeps, 'lookOnly'>,
): Promise<Pick<Stores, 'get' | 'has' | 'close'>> {
  const names = config.stores.map(({ name }) => name);
  const opened = await Promise.allSettled(
    config.stores.map(async (store) => {
      const driver = await openDriver(store, { ...deps, lookOnly: true });
      return createStore(store.name, store.driver, driver);
    }),
  );
  return {
    has: (name) => names.includes(name),
    get(name) {
      requireStore(names, name);
      const found = opened[names.indexOf(name)];
      if (found?.status === 'fulfilled') return found.value;
      throw found?.reason;
    },
    close: async () => {
      for (const each of opened) if (each.status === 'fulfilled') await each.value.close();
    },
  };
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
  if (!(error instanceof StorageError) || error.code === 'UNUSED') throw error;
  const cause = codeOf(error.cause);
  throw new ConfigError([cause === undefined ? error.message : `${error.message} (${cause})`]);
}
