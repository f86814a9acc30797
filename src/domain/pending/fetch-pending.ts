import type { MediaItem } from '../../db/item-columns.ts';
import {
  deleteFetch,
  type Fetch,
  type FetchSource,
  giveUpFetch,
  isAtHand,
  postponeFetch,
  renewFetch,
  takeFetch,
} from '../../db/jobs/fetches.ts';
import { enqueue, fetchTask } from '../../db/queue/enqueue.ts';
import { forgetAnswersAbout } from '../../db/idempotency-keys.ts';
import { moveJobOutputs } from '../../db/jobs/job-outputs.ts';
import { deleteItem, findItem, findItemForUpdate, findStoredItemByKey, updateItem } from '../../db/items/items.ts';
import { touchRun } from '../../db/runs/runs.ts';
import { replaceCurrentItem } from '../../db/items/scenes.ts';
import { isAppError } from '../../errors.ts';
import { isGone } from '../../sources/fetch/fetch-failure.ts';
import { deliveredOutput } from '../webhooks/delivered-output.ts';
import type { Deps } from '../deps.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { keepFetches } from './fetch-lease.ts';
import { recordItemEvent } from '../items/item-event.ts';
import { type BytesFrom, fillItem } from '../ingest/fill-item.ts';

export type FetchOutcome =
  | { state: 'stored'; item: MediaItem }
  /** Retried after this many seconds. */
  | { state: 'later'; seconds: number }
  | { state: 'failed'; reason: string }
  /**
   * The only bytes were those of the request, and they could not be stored at the moment. The item has failed until they are sent
   * again.
   */
  | { state: 'lost'; error: unknown }
  /** Another process has stored it, or the item was removed. */
  | { state: 'gone' };

const FIRST_DELAY_SECONDS = 5;
const LONGEST_DELAY_SECONDS = 300;
const EARLY_ATTEMPTS = 3;
/** For URLs whose expiry is unknown. */
const PATIENCE_MS = 7 * 24 * 60 * 60_000;

/**
 * Fetches the bytes of the pending item whose URL expires first, or of a named item. Each place is tried, the best first. Errors
 * that may pass are retried with growing pauses until the last URL has expired; then the item fails with the reason. Items whose
 * bytes are at hand, in a webhook's body or a store, are taken separately from those that need the network. Returns undefined
 * when none is due. Safe to run in several processes.
 * @param held bytes that the caller has in memory, better than any URL
 */
export async function fetchPending(
  deps: Deps,
  which: { mediaId: string } | { atHand: boolean },
  { held = [], signal }: { held?: readonly BytesFrom[]; signal?: AbortSignal | undefined } = {},
): Promise<FetchOutcome | undefined> {
  const fetch = await takeFetch(deps.db, which);
  if (!fetch) return undefined;
  // If it cannot be renewed, another worker may try as well.
  const lease = keepFetches(deps, { itemId: fetch.mediaId }, () => renewFetch(deps.db, fetch));
  try {
    return await attempt(deps, fetch, held, signal);
  } finally {
    void lease.stop();
  }
}

async function attempt(
  deps: Deps,
  fetch: Fetch,
  held: readonly BytesFrom[],
  signal: AbortSignal | undefined,
): Promise<FetchOutcome> {
  const item = await findItem(deps.db, fetch.mediaId);
  if (!item) return { state: 'gone' };
  if (item.storageKey !== null) {
    await deps.db.transaction().execute((trx) => deleteFetch(trx, item.id));
    return { state: 'gone' };
  }
  const failures: unknown[] = [];
  const places: readonly (FetchSource | BytesFrom)[] = [
    ...fetch.sources.filter((source) => source.type === 'object'),
    ...held,
    ...fetch.sources.filter((source) => source.type !== 'object'),
  ];
  for (const place of places) {
    try {
      const from = place.type === 'delivery' ? await deliveredOutput(deps, place) : place;
      const stored = await fillItem(deps, item, from, { options: fetch.options, signal });
      return { state: 'stored', item: stored };
    } catch (error) {
      const still = await findItem(deps.db, item.id);
      if (!still || still.storageKey !== null) return { state: 'gone' };
      failures.push(error);
      deps.log.debug({ err: error, itemId: item.id, source: place.type }, 'a place did not give the bytes of an item');
    }
  }
  const same = await mergeIntoOwn(deps, item, fetch);
  if (same) return { state: 'stored', item: same };
  if (fetch.sources.length === 0 && held.length > 0) {
    const passing = failures.find((error) => !isFinal(error));
    if (passing !== undefined) return loseHeld(deps, fetch, passing);
  }
  return settleFailure(deps, fetch, failures, signal?.aborted === true);
}

/**
 * If an object is already an item of the same user (reported concurrently by another job, or twice in one answer), that item is
 * used. The pending one, which has no bytes and is no version of a scene, is deleted.
 */
async function mergeIntoOwn(deps: Deps, item: MediaItem, fetch: Fetch): Promise<MediaItem | undefined> {
  if (item.version !== null) return undefined;
  for (const source of fetch.sources) {
    if (source.type !== 'object') continue;
    const own = await findStoredItemByKey(deps.db, source.store, source.key);
    if (own?.userId !== item.userId || own.deletedAt !== null || own.id === item.id) continue;
    const merged = await deps.db.transaction().execute(async (trx) => {
      const waiting = await findItemForUpdate(trx, item.id);
      if (!waiting || waiting.storageKey !== null) return false;
      await moveJobOutputs(trx, item.id, own.id);
      await forgetAnswersAbout(trx, item.id);
      await deleteItem(trx, item.id);
      return true;
    });
    if (merged) return own;
  }
  return undefined;
}

/** The request's bytes could not be stored: fails the item, unless another place for them is known by now. */
async function loseHeld(deps: Deps, fetch: Fetch, error: unknown): Promise<FetchOutcome> {
  const failed = await failItem(deps, fetch, `${reasonOf(error)} Send the answer again.`);
  return failed ? { state: 'lost', error } : { state: 'later', seconds: 0 };
}

async function settleFailure(deps: Deps, fetch: Fetch, failures: unknown[], aborted: boolean): Promise<FetchOutcome> {
  const reason =
    [...new Set(failures.map((error) => reasonOf(error)))].join(' ') || 'No place is known that has the bytes.';
  const left = Number(fetch.expiresAt ?? fetch.createdAt.getTime() + PATIENCE_MS) - fetch.now();
  // A file written on another machine appears on a shared volume with a delay.
  const early = fetch.attempts <= EARLY_ATTEMPTS && fetch.sources.some((source) => source.type === 'object');
  const worthARetry = failures.some((error) => !isFinal(error) || (early && isAppError(error, 'not_found')));
  if (aborted || (worthARetry && left > 0)) {
    const pause = Math.min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** Math.min(10, fetch.attempts - 1));
    // The last attempt is made just before the URL expires.
    const seconds = aborted ? 1 : Math.max(1, Math.min(pause, left > 2000 ? (left - 1000) / 1000 : 1));
    await deps.db.transaction().execute(async (trx) => {
      const postponed = await postponeFetch(trx, fetch, { seconds, error: reason.slice(0, 500) });
      if (postponed) await enqueue(trx, fetchTask(isAtHand(fetch.sources)), 1, seconds);
    });
    if (!aborted)
      deps.log.warn(
        { err: failures.at(-1), itemId: fetch.mediaId, attempts: fetch.attempts, seconds, expiresAt: fetch.expiresAt },
        'the bytes of a pending item could not be had; it is tried again',
      );
    return { state: 'later', seconds };
  }
  if (!(await failItem(deps, fetch, reason))) return { state: 'later', seconds: 0 };
  // A URL that never worked is the sender's to fix; one that expired while we tried is ours.
  deps.log[worthARetry ? 'error' : 'warn'](
    { err: failures.at(-1), itemId: fetch.mediaId, attempts: fetch.attempts, expiresAt: fetch.expiresAt },
    worthARetry
      ? 'the addresses of a pending item have died before its bytes could be had; it has failed'
      : 'the bytes of a pending item cannot be had; it has failed',
  );
  return { state: 'failed', reason };
}

/** Failures of this service, a store or a host are worth a retry; a definite answer is not. */
function isFinal(error: unknown): boolean {
  return (
    isGone(error) ||
    isAppError(
      error,
      'url_not_allowed',
      'unsupported_media',
      'invalid_base64',
      'invalid_key',
      'invalid_request',
      'file_missing',
      'too_large',
      'length_mismatch',
      'object_taken',
      'unknown_store',
      'not_found',
      'content_missing',
    )
  );
}

/** Never the text of an internal error: it may contain anything. */
function reasonOf(error: unknown): string {
  return isAppError(error) ? error.message : 'The bytes could not be stored.';
}

/** False: further places are known by now, and another attempt will be made. */
async function failItem(deps: Deps, fetch: Fetch, reason: string): Promise<boolean> {
  const id = fetch.mediaId;
  const failed = await deps.db.transaction().execute(async (trx) => {
    const item = await findItemForUpdate(trx, id);
    if (!item || item.status !== 'pending') return undefined;
    if (!(await giveUpFetch(trx, fetch, reason.slice(0, 500)))) return undefined;
    await replaceCurrentItem(trx, id);
    const updated = await updateItem(trx, id, { status: 'failed', error: reason.slice(0, 10_000) }, 'any');
    if (updated) await recordItemEvent(trx, updated);
    await touchRun(trx, item.runId, item.userId);
    return updated;
  });
  await refreshRun(deps, failed?.runId);
  if (failed) deps.metrics.generationFailed(failed.toolName ?? 'unknown', failed.provider ?? 'unknown');
  return failed !== undefined;
}
