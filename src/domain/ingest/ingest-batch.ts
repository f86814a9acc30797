import type { MediaItem } from '../../db/item-columns.ts';
import { urlExpiresAt } from '../../sources/fetch/url-expiry.ts';
import type { Source } from '../bytes/source.ts';
import type { Caller } from '../caller.ts';
import type { Deps } from '../deps.ts';
import type { ItemInput } from '../items/item-fields.ts';
import { workThrough } from '../work-through.ts';
import { ingest } from './ingest.ts';

/** URL downloads mostly wait, so a few entries run at once; more would starve other callers. */
const CONCURRENCY = 4;

export interface BatchEntry {
  /** The URL its bytes come from, if any: the one that expires first is fetched first. */
  url?: { url: string; provider: string | undefined } | undefined;
  /** Reads the entry when its turn comes. @throws AppError which fails this entry alone */
  read(): Promise<{ input: ItemInput; source: Source }>;
}

export interface Batch {
  caller: Caller;
  entries: readonly BatchEntry[];
  /** The key of each entry is derived from this one. */
  idempotencyKey?: string | undefined;
  keepPending?: boolean | undefined;
  signal: AbortSignal;
}

/** Stores the entries of a batch independently; the results keep their order. */
export async function ingestBatch(
  deps: Deps,
  { caller, entries, idempotencyKey: key, keepPending = false, signal }: Batch,
): Promise<({ item: MediaItem } | { error: unknown })[]> {
  const results: ({ item: MediaItem } | { error: unknown })[] = [];
  const next = [...entries.entries()].toSorted(([, a], [, b]) => expiryOf(a) - expiryOf(b));
  await workThrough(next, { concurrency: CONCURRENCY }, async ([index, entry]) => {
    try {
      const idempotencyKey = key === undefined ? undefined : `${key}#${index}`;
      const { item } = await ingest(deps, { ...(await entry.read()), caller, idempotencyKey, keepPending, signal });
      results[index] = { item };
    } catch (error) {
      results[index] = { error };
    }
  });
  return results;
}

function expiryOf({ url }: BatchEntry): number {
  return (url && urlExpiresAt(url.url, url)?.getTime()) ?? Number.MAX_SAFE_INTEGER;
}
