import { type IntentKey, deleteIntent } from '../../db/objects/intents.ts';
import { insertIntent } from '../../db/items/upload-commits.ts';
import { AppError, isAppError } from '../../errors.ts';
import { type Inspection, createInspector, withHiddenText } from '../../media/inspect/inspect.ts';
import type { MediaType } from '../../media/media-type.ts';
import type { Store } from '../../storage/stores/store.ts';
import { openBody } from '../bytes/incoming-body.ts';
import type { Deps } from '../deps.ts';
import { discard } from './discard.ts';
import { HEAD_BYTES, identify } from '../bytes/identify.ts';
import { keepLease } from './intent-lease.ts';

/*
 * Staging makes bytes durable before any row refers to them. Each attempt, in one store, has a new key and an intent on it:
 *
 *   intent begun ──> bytes written ──> committed   the item's transaction inserts the row and ends the intent
 *    │                 └─────────────> discarded   by `discard()`: intent marked, object deleted, intent deleted
 *    ├── the write fails ────────────> discarded   the next store gets the body, under a new key
 *    ├── the key is taken ───────────> (no object) only the intent is deleted
 *    └── a crash, a failed deletion ─> swept       when the lease expires: intent marked, object deleted, intent deleted
 *
 * A marked intent can no longer be committed, so the object of a live item is never deleted. After an unclear answer of the
 * store, the marked intent stays for another 15 minutes, because the write may still arrive. The next store is tried after
 * store_unavailable or storage_full, if the body can be replayed and the client is still connected. After a fallback took the
 * bytes, `home` names the wanted store; the commit then requests the failback (wanted-copies.ts).
 */

export interface StageRequest {
  /** Where to write, the wanted store first; the others are its fallbacks while it is down. */
  stores: readonly [Store, ...Store[]];
  body: AsyncIterable<Uint8Array>;
  filename: string | undefined;
  declaredType: string | undefined;
  /** Announced bytes, if any. */
  size?: number | undefined;
  /** Hexadecimal; the digest that the caller expects. */
  sha256?: string | undefined;
  /** Returns a key for the detected extension that was never used in that store. */
  keyFor: (ext: string, where: { type: MediaType; store: Store }) => string | Promise<string>;
  /** Called with a key that is known to hold no object. */
  keyUnused?: ((key: IntentKey) => Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
  /** Called at every renewal of the lease. */
  onRenew?: (() => Promise<void>) | undefined;
}

/** Durable bytes that no item references yet. */
export interface Staged extends IntentKey {
  bytes: number;
  sha256: string;
  type: MediaType;
  inspection: Inspection;
  /** The wanted store, when a fallback took the bytes. */
  home: Store | undefined;
  /** Stops renewing the lease; call it when the item's transaction has ended. */
  release(): void;
  /** Removes the object and its intent, unless an item was committed for them. Never throws: the sweeper removes what is left. */
  discard(): Promise<void>;
}

/**
 * Bodies up to 8 MiB are buffered until a store has acknowledged them, so that another store can get them. The extra 512 KiB is
 * for larger bodies: an S3 store that is down fails at the first part, which is 8 MiB plus the chunk that shows that it is not
 * the last.
 */
const REPLAY_BYTES = (8 * 1024 + 512) * 1024;

/**
 * Detects the type, chooses a key, and streams the body into the first store that accepts it, under an intent.
 * @throws AppError unsupported_media, too_large, digest_mismatch, length_mismatch, store_unavailable, storage_full; then nothing
 * is left behind
 */
export async function stage(deps: Deps, request: StageRequest): Promise<Staged> {
  const [wanted] = request.stores;
  const candidates = writable(request.stores, request.size);
  const body = await openBody(request.body, {
    headBytes: HEAD_BYTES,
    maxBytes: deps.limits.maxUploadBytes,
    // With a single store there is nowhere to replay to, so nothing is buffered.
    replayBytes: candidates.length > 1 ? REPLAY_BYTES : 0,
  });
  let type: MediaType;
  try {
    type = await identify(body, request);
  } catch (error) {
    await body.cancel();
    throw error;
  }
  try {
    for (const [index, store] of candidates.entries()) {
      // A new key for each attempt: a late deletion by the failed store must not hit the item after failback.
      const key = await request.keyFor(type.ext, { type, store });
      try {
        const staged = await write(deps, request, {
          store,
          key,
          type,
          body: body.read(),
          hasNext: index + 1 < candidates.length,
        });
        if (store !== wanted)
          deps.log.debug({ store: store.name, key, wanted: wanted.name }, 'an upload was written to a fallback');
        return { ...staged, home: store === wanted ? undefined : wanted };
      } catch (error) {
        // A fallback with a smaller size limit is no reason to refuse the file for good.
        if (store !== wanted && isAppError(error, 'too_large')) throw tooLargeForFallback(error);
        const next = candidates[index + 1];
        const down = isAppError(error, 'store_unavailable', 'storage_full');
        if (!next || !down || request.signal?.aborted === true || !body.whole()) throw error;
        deps.log.warn({ err: error, store: store.name, key, next: next.name }, 'a store failed; another one is tried');
      }
    }
    throw new AppError('store_unavailable', 'No store can take the file at the moment.', { retryAfter: 5 });
  } catch (error) {
    await body.cancel();
    throw error;
  }
}

function tooLargeForFallback(cause: unknown): AppError {
  return new AppError(
    'store_unavailable',
    'The store is down, and the one that stands in takes no file of that size.',
    {
      cause,
      retryAfter: 30,
    },
  );
}

/** Stores that accept writes now. If no fallback does, the wanted store is tried, so that the caller gets its error. */
function writable([wanted, ...others]: StageRequest['stores'], size = 0): Store[] {
  const fits = others.filter(({ capabilities: { maxObjectBytes: max } }) => max === undefined || size <= max);
  const up = fits.filter((store) => store.available());
  return wanted.available() || up.length === 0 ? [wanted, ...up] : up;
}

interface Attempt {
  store: Store;
  key: string;
  type: MediaType;
  body: AsyncIterable<Uint8Array>;
  /** Another store is tried if this one fails. */
  hasNext: boolean;
}

async function write(
  deps: Deps,
  request: StageRequest,
  { store, key, type, body, hasNext }: Attempt,
): Promise<Omit<Staged, 'home'>> {
  const intent: IntentKey = { store: store.name, key };
  await insertIntent(deps.db, intent);
  const lease = keepLease(deps, intent, request);
  const giveUp = async (failure?: unknown) => {
    lease.stop();
    // A client that disconnected may have sent everything: the store may still be writing.
    if ((await discard(deps, intent, store, failure)) && request.signal?.aborted !== true)
      await request.keyUnused?.(intent);
  };
  try {
    const inspector = createInspector(type);
    let inspected: Parameters<typeof withHiddenText>[0] & { type: MediaType } = {
      type,
      inspection: { width: null, height: null, durationMs: null, generation: null },
    };
    const stored = await store.put(key, {
      body,
      onChunk: (chunk) => inspector.push(chunk),
      contentType: type.mime,
      size: request.size,
      signal: lease.signal,
      verify: ({ sha256 }) => {
        const result = inspector.finish();
        if (!result.ok)
          throw new AppError(
            'unsupported_media',
            `The file is not the ${type.mime} that it seemed to be: ${result.reason}.`,
          );
        if (request.sha256 !== undefined && request.sha256 !== sha256) {
          throw new AppError(
            'digest_mismatch',
            `The file's SHA-256 is ${sha256}, not ${request.sha256}; nothing was kept.`,
            { field: 'sha256' },
          );
        }
        inspected = result;
      },
    });
    const inspection = await withHiddenText(inspected);
    return { ...intent, ...stored, type: inspected.type, inspection, release: lease.stop, discard: giveUp };
  } catch (error) {
    if (isAppError(error, 'object_taken')) {
      // This attempt did not write the object, so it must not delete it.
      lease.stop();
      await deleteIntent(deps.db, intent);
      throw error;
    }
    // Do not wait for the cleanup: a store that is down cannot delete either, and the caller waits for the fallback.
    if (hasNext && isAppError(error, 'store_unavailable')) giveUp(error).catch(() => {});
    else await giveUp(error);
    throw error;
  }
}
