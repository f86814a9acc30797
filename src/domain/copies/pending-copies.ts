import {
  type PendingLocation,
  pendingStores,
  postponePending,
  secondsToNextPending,
  takePendingLocations,
} from '../../db/objects/locations.ts';
import { findItem } from '../../db/items/items.ts';
import { isAppError } from '../../errors.ts';
import { copyItem } from './copy-item.ts';
import type { Deps } from '../deps.ts';

export interface CopyReport {
  /** Items that failed back to the store that was down when they arrived. */
  home: number;
  mirrored: number;
  /** Copies that are retried later. */
  failed: number;
  /** Target stores that cannot be written to at the moment. */
  down: string[];
}

type CopiesDeps = Pick<Deps, 'db' | 'stores' | 'log' | 'background' | 'publicBaseUrl'>;

const AT_ONCE = 4;
const FIRST_DELAY_SECONDS = 5;
const LONGEST_DELAY_SECONDS = 300;

/**
 * Makes the copies that are due: failback of items that were written to a fallback, and copies for mirrors. Safe to run in
 * several processes. Returns when none is due, and starts none after the time `end`, in milliseconds.
 */
export async function makePendingCopies(deps: CopiesDeps, signal?: AbortSignal, end = Infinity): Promise<CopyReport> {
  const report: CopyReport = { home: 0, mirrored: 0, failed: 0, down: [] };
  const up: string[] = [];
  for (const store of await pendingStores(deps.db)) ((await canTake(deps, store)) ? up : report.down).push(store);
  while (signal?.aborted !== true && Date.now() < end) {
    // A store that went down during this round is skipped, too.
    const reachable = up.filter((store) => deps.stores.get(store).available());
    const taken = await takePendingLocations(deps.db, reachable, AT_ONCE);
    await Promise.all(
      taken.map(async (pending) => {
        const made = await makeCopy(deps, pending, signal);
        if (!made) report.failed += 1;
        else if (pending.purpose === 'home') report.home += 1;
        else report.mirrored += 1;
      }),
    );
    if (taken.length === 0) break;
  }
  return report;
}

/** Seconds until a copy is due; undefined when none are. */
export function secondsToNextCopy(deps: Pick<Deps, 'db'>): Promise<number | undefined> {
  return secondsToNextPending(deps.db);
}

/** Checked before a copy begins: whatever is sent to a store that is down must be cleaned up once it is back. */
async function canTake(deps: CopiesDeps, store: string): Promise<boolean> {
  if (!deps.stores.has(store)) {
    deps.log.warn({ store }, 'copies are wanted in a store that is not configured here; name it in STORES');
    return false;
  }
  try {
    await deps.stores.get(store).healthy();
    return true;
  } catch (error) {
    deps.log.warn({ err: error, store }, 'a store that is to get copies does not answer');
    return false;
  }
}

async function makeCopy(deps: CopiesDeps, pending: PendingLocation, signal?: AbortSignal): Promise<boolean> {
  const { mediaId, store, purpose, attempts } = pending;
  try {
    const item = await findItem(deps.db, mediaId);
    if (!item) return true;
    const to = deps.stores.get(store);
    const home = purpose === 'home';
    // A fallback that is a mirror as well keeps its copy.
    const leaves = home && !deps.stores.mirrors.some((mirror) => mirror.name === item.storageProvider);
    const drop = leaves ? (item.storageProvider ?? undefined) : undefined;
    await copyItem(deps, item, { to, home, drop, signal });
    return true;
  } catch (error) {
    // The item was deleted, or another process made the copy.
    if (isAppError(error, 'not_found', 'object_taken')) return true;
    const seconds = Math.min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (attempts - 1));
    deps.log.warn(
      { err: error, itemId: mediaId, store, purpose, seconds },
      'a copy could not be made; it is tried again',
    );
    const reason = error instanceof Error ? error.message : String(error);
    await postponePending(deps.db, pending, { seconds, error: reason.slice(0, 500) });
    return false;
  }
}
