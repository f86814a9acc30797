import { AppError } from '../../errors.ts';
import type { Store } from './store.ts';

/** All configured stores, by name, and what they are for. */
export interface Stores {
  /** @throws AppError unknown_store */
  get(name: string): Store;
  has(name: string): boolean;
  /** Where new items go. */
  readonly primary: Store;
  /** Where they go while the primary one is down, in order. */
  readonly fallbacks: readonly Store[];
  /** Which get a copy of each item afterwards. */
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
      if (!store)
        throw new AppError(
          'unknown_store',
          `There is no store '${name}'; there are: ${[...byName.keys()].join(', ')}.`,
          { field: 'store' },
        );
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
