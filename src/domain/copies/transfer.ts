import { locationsOf } from '../../db/objects/locations.ts';
import { findItem } from '../../db/items/items.ts';
import type { ItemFilter } from '../../db/search/item-filter.ts';
import { countTransfers, nextTransfers } from '../../db/search/transfers.ts';
import { AppError, isAppError } from '../../errors.ts';
import type { Store } from '../../storage/stores/store.ts';
import { requireStore } from '../../storage/stores/stores.ts';
import { copyItem, settleCopy } from './copy-item.ts';
import type { Deps } from '../deps.ts';
import { workThrough } from '../work-through.ts';

type TransferDeps = Pick<Deps, 'db' | 'stores' | 'log' | 'background' | 'publicBaseUrl'>;

export interface TransferOptions {
  /** The store to empty; undefined: none, `to` becomes a mirror. */
  from?: string | undefined;
  to: string;
  filter: ItemFilter;
  /** Keep the old copies. */
  keep: boolean;
  concurrency: number;
  /** Aborting lets running copies finish and starts no more. */
  signal: AbortSignal;
  onProgress: (done: number, note: string) => void;
}

export interface TransferSummary {
  /** Copied and verified in this run. */
  copied: number;
  bytes: number;
  /** The store already had a good copy; the old one was dropped if requested. */
  present: number;
  failed: { id: string; reason: string }[];
  seconds: number;
  interrupted: boolean;
}

const PAGE = 200;

/** What a transfer would do. @param stores the names of all stores. @throws AppError unknown_store */
export async function planTransfer(
  { db, stores }: { db: TransferDeps['db']; stores: readonly string[] },
  { from, to, filter }: Pick<TransferOptions, 'from' | 'to' | 'filter'>,
): Promise<{ items: number; bytes: number }> {
  checkStores(stores, from, to);
  return countTransfers(db, { from, to, filter });
}

/**
 * Copies items into a store while the service runs. Each copy is read back and compared by sha256 before the old one is dropped.
 * Every item is an independent step, so a run may be interrupted and repeated.
 * @throws AppError unknown_store
 */
export async function transferItems(deps: TransferDeps, options: TransferOptions): Promise<TransferSummary> {
  checkStores(
    deps.stores.all.map(({ name }) => name),
    options.from,
    options.to,
  );
  const started = performance.now();
  const summary: TransferSummary = {
    copied: 0,
    bytes: 0,
    present: 0,
    failed: [],
    seconds: 0,
    interrupted: false,
  };
  let done = 0;
  await workThrough(ids(deps, options), options, async (id) => {
    try {
      const bytes = await transferOnce(deps, id, options);
      if (bytes === undefined) summary.present += 1;
      else {
        summary.copied += 1;
        summary.bytes += bytes;
      }
    } catch (error) {
      summary.failed.push({ id, reason: reasonOf(error) });
    }
    done += 1;
    options.onProgress(done, `item ${id}`);
  });
  summary.interrupted = options.signal.aborted;
  summary.seconds = (performance.now() - started) / 1000;
  return summary;
}

function checkStores(stores: readonly string[], from: string | undefined, to: string): void {
  requireStore(stores, to);
  if (from === undefined) return;
  requireStore(stores, from);
  if (from === to) throw new AppError('invalid_request', 'The two stores are the same one; name different ones.');
}

async function* ids({ db }: TransferDeps, { from, to, filter, signal }: TransferOptions): AsyncGenerator<string> {
  let after = '0';
  while (!signal.aborted) {
    const page = await nextTransfers(db, { from, to, filter }, after, PAGE);
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1) ?? after;
  }
}

/** Another process may copy the same item; its result counts. */
async function transferOnce(deps: TransferDeps, id: string, options: TransferOptions): Promise<number | undefined> {
  try {
    return await transferOne(deps, id, options);
  } catch (error) {
    if (!isAppError(error, 'object_taken', 'content_missing')) throw error;
    return transferOne(deps, id, options);
  }
}

/** Returns the bytes copied; undefined when there was nothing to copy. */
async function transferOne(deps: TransferDeps, id: string, options: TransferOptions): Promise<number | undefined> {
  const { from, keep, signal } = options;
  const to = deps.stores.get(options.to);
  const item = await findItem(deps.db, id);
  if (!item) return undefined;
  const locations = (await locationsOf(deps.db, id, item.storageProvider)).filter(({ state }) => state !== 'pending');
  const base = from === undefined ? locations[0] : locations.find((location) => location.store === from);
  // Another process was faster.
  if (!base) return undefined;
  const home = from !== undefined && item.storageProvider === from;
  const drop = keep || from === undefined ? undefined : from;
  const existing = locations.find((location) => location.store === to.name && location.state === 'stored');
  if (existing) {
    if (from !== undefined) await settleCopy(deps, item, existing, { to, home, drop, signal });
    return undefined;
  }
  checkSize(to, base.bytes);
  const { bytes } = await copyItem(deps, item, { to, home, drop });
  return bytes;
}

function checkSize(to: Store, bytes: number): void {
  const { maxObjectBytes } = to.capabilities;
  if (maxObjectBytes !== undefined && bytes > maxObjectBytes)
    throw new AppError(
      'too_large',
      `It has ${bytes} bytes; the store '${to.name}' takes at most ${maxObjectBytes}. It stays where it is.`,
    );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.message}${cause}`;
}
