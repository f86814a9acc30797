import { causeOf } from '../../errors.ts';
import type { Repeat } from '../driver.ts';
import type { Stores } from './stores.ts';
import type { Store } from './store.ts';

export interface Monitor {
  stop(): void;
}

export interface MonitorLog {
  warn(details: Record<string, unknown>, message: string): void;
  info(details: Record<string, unknown>, message: string): void;
}

const EVERY_MS = 5000;

/**
 * Checks the health of stores every five seconds: of failing ones, so that no caller's request has to test whether they are back,
 * and of those to which clients are redirected, whose failures are not seen here. Logs when one goes down and when it is back.
 */
export function watchStores(stores: Stores, log: MonitorLog, repeat: Repeat): Monitor {
  const watches = stores.all.map((store) => repeat('store-monitor', EVERY_MS, askWhenNeeded(store, log)));
  return {
    stop: () => {
      for (const watch of watches) watch.stop();
    },
  };
}

function askWhenNeeded(store: Store, log: MonitorLog): () => Promise<void> {
  let down = false;
  return async () => {
    if (store.available() && !store.presignGet && !down) return;
    try {
      await store.healthy();
    } catch (error) {
      if (!down)
        log.warn(
          { err: error, store: store.name },
          `store '${store.name}' cannot be reached (${causeOf(error)}); requests avoid it, and it is tried again every ${EVERY_MS / 1000} s`,
        );
      down = true;
      return;
    }
    if (down) log.info({ store: store.name }, `store '${store.name}' is back`);
    down = false;
  };
}
