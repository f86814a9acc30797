import { AppError } from '../../errors.ts';
import type { Store } from './store.ts';

/*
 * Routing of an item's bytes (staging/stage.ts writes, wanted-copies.ts and pending-copies.ts copy):
 *
 *   upload ──> primary ──────────────> stored ──> mirrors: a worker makes a copy in each
 *               │ store_unavailable, storage_full
 *               └──> fallbacks, in order ──> stored ──> mirrors, as above
 *                                              └──────> failback: once the primary is healthy, a worker copies the bytes there,
 *                                                       makes it the item's store and drops the fallback's copy (unless
 *                                                       that store is also a mirror)
 *
 * A breaker that is open skips its store. An item that names a store explicitly is written there only. A run's items go to the
 * run's store first, then to the primary and the fallbacks.
 */

/** All configured stores, by name, and their roles. */
export interface Stores {
  /** @throws AppError unknown_store */
  get(name: string): Store;
  has(name: string): boolean;
  /** Where new items are written. */
  readonly primary: Store;
  /** Where they are written while the primary is down, in order. */
  readonly fallbacks: readonly Store[];
  /** Stores that get a copy of each item afterwards. */
  readonly mirrors: readonly Store[];
  readonly all: readonly Store[];
  close(): Promise<void>;
}

/** Names of stores. */
export interface Routing {
  primary: string;
  fallbacks?: readonly string[];
  mirrors?: readonly string[];
}

/** @throws Error when a name of `routing` is not among `stores`. */
export function createStores(stores: readonly Store[], routing: Routing): Stores {
  const byName = new Map(stores.map((store) => [store.name, store]));
  const named = (name: string): Store => {
    const store = byName.get(name);
    if (!store) throw new Error(`There is no store '${name}'`);
    return store;
  };
  return {
    get(name) {
      const store = byName.get(name);
      if (!store) throw unknownStore([...byName.keys()], name);
      return store;
    },
    has: (name) => byName.has(name),
    primary: named(routing.primary),
    fallbacks: (routing.fallbacks ?? []).map(named),
    mirrors: (routing.mirrors ?? []).map(named),
    all: stores,
    close: async () => {
      await Promise.all(stores.map((store) => store.close()));
    },
  };
}

/** @throws AppError unknown_store when `names`, those of all stores, do not contain `name` */
export function requireStore(names: readonly string[], name: string): void {
  if (!names.includes(name)) throw unknownStore(names, name);
}

function unknownStore(names: readonly string[], name: string): AppError {
  return new AppError('unknown_store', `There is no store '${name}'; there are: ${names.join(', ')}.`, {
    field: 'store',
  });
}
