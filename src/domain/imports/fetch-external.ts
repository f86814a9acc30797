import type { MediaItem } from '../../db/item-columns.ts';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { externalItems } from '../../db/items/external-items.ts';
import { isAppError } from '../../errors.ts';
import type { Deps } from '../deps.ts';
import { type BytesFrom, fillItem } from '../ingest/fill-item.ts';
import { workThrough } from '../work-through.ts';

export interface FetchExternalOptions {
  /** Only items that this system is recorded to store. */
  storageProvider?: string | undefined;
  userId?: string | undefined;
  /** URLs with such a prefix are read from a folder of this machine. */
  folders: readonly { prefix: string; folder: string }[];
  concurrency: number;
  signal: AbortSignal;
  onProgress: (done: number) => void;
}

export interface FetchExternalSummary {
  items: number;
  stored: number;
  failed: { id: string; reason: string }[];
  interrupted: boolean;
}

const PAGE = 500;

/** How many items there are to fetch. */
export async function countExternal(
  db: Deps['db'],
  filter: Pick<FetchExternalOptions, 'storageProvider' | 'userId'>,
): Promise<number> {
  let count = 0;
  let after: string | undefined = '0';
  while (after !== undefined) {
    const page: MediaItem[] = await externalItems(db, { ...filter, after, limit: PAGE });
    count += page.length;
    after = page.at(-1)?.id;
  }
  return count;
}

/**
 * Stores the bytes of external items, each from its storage URL; from then on the service delivers them, and the old URL is their
 * `originalUrl`. An item whose bytes are unavailable stays as it is, so a run can be repeated.
 */
export async function fetchExternal(deps: Deps, options: FetchExternalOptions): Promise<FetchExternalSummary> {
  const summary: FetchExternalSummary = { items: 0, stored: 0, failed: [], interrupted: false };
  let after = '0';
  for (;;) {
    const page = await externalItems(deps.db, { ...options, after, limit: PAGE });
    const last = page.at(-1);
    if (!last) return summary;
    after = last.id;
    summary.items += page.length;
    await workThrough(page, options, async (item) => {
      await fetchOne(deps, item, options, summary);
      options.onProgress(summary.stored + summary.failed.length);
    });
    if (options.signal.aborted) return { ...summary, interrupted: true };
  }
}

async function fetchOne(
  deps: Deps,
  item: MediaItem,
  { folders, signal }: FetchExternalOptions,
  summary: FetchExternalSummary,
): Promise<void> {
  try {
    await fillItem(deps, item, await sourceAt(item.storageUrl ?? '', folders), { options: {}, signal });
    summary.stored += 1;
  } catch (error) {
    if (isAppError(error, 'database_unavailable', 'store_unavailable', 'storage_full')) throw error;
    summary.failed.push({ id: item.id, reason: error instanceof Error ? error.message : String(error) });
  }
}

async function sourceAt(url: string, folders: FetchExternalOptions['folders']): Promise<BytesFrom> {
  const mapped = folders.find(({ prefix }) => url.startsWith(prefix));
  if (!mapped) return { type: 'url', url };
  const name = decodeURIComponent(url.slice(mapped.prefix.length).split(/[?#]/, 1)[0] ?? '');
  const file = path.resolve(mapped.folder, name);
  if (!file.startsWith(`${path.resolve(mapped.folder)}${path.sep}`))
    throw new Error(`${name} lies outside of ${mapped.folder}`);
  const { size } = await stat(file);
  return { type: 'stream', body: createReadStream(file, { highWaterMark: 256 * 1024 }), size };
}
