import type { Stores } from './routing.ts';
import type { Store } from './stores.ts';

export interface Monitor {
  stop(): void;
}

export interface MonitorLog {
  warn(details: Record<string, unknown>, message: string): void;
  info(details: Record<string, unknown>, message: string): void;
}

const EVERY_MS = 5000;

/**
 * Asks stores how they are, every five seconds: those that fail, so that no caller has to find out whether they are back, and those
 * to which clients are sent, for their failures are never seen here. Tells the log when one goes and when it is back.
 */
export function watchStores(stores: Stores, log: MonitorLog): Monitor {
  const down = new Set<string>();
  const asked = new Set<string>();
  const ask = async (store: Store) => {
    if (asked.has(store.name) || (store.available() && !store.presignGet && !down.has(store.name))) return;
    asked.add(store.name);
    try {
      await store.healthy();
      if (down.delete(store.name)) log.info({ store: store.name }, 'a store is back');
    } catch (error) {
      if (!down.has(store.name))
        log.warn({ err: error, store: store.name }, 'a store does not answer; it is left alone until it does');
      down.add(store.name);
    } finally {
      asked.delete(store.name);
    }
  };
  const timer = setInterval(() => {
    for (const store of stores.all) void ask(store);
  }, EVERY_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
