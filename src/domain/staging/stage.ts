import { type IntentKey, deleteIntent } from '../../db/objects/intents.ts';
import { insertIntent } from '../../db/items/upload-commits.ts';
import { AppError, isAppError } from '../../errors.ts';
import { type Inspection, createInspector } from '../../media/inspect/inspect.ts';
import type { MediaType } from '../../media/media-type.ts';
import type { Store } from '../../storage/stores/store.ts';
import { openBody } from '../bytes/incoming-body.ts';
import type { Deps } from '../deps.ts';
import { discard } from './discard.ts';
import { HEAD_BYTES, identify } from '../bytes/identify.ts';
import { keepLease } from './intent-lease.ts';

export interface StageRequest {
  /** Where to write, the wanted one first; the others take over while it is down. */
  stores: readonly [Store, ...Store[]];
  body: AsyncIterable<Uint8Array>;
  filename: string | undefined;
  declaredType: string | undefined;
  /** Bytes that were announced, if any. */
  size?: number | undefined;
  /** Hexadecimal; what the caller says the bytes are. */
  sha256?: string | undefined;
  /** A key for the sniffed extension that was never used in that store. */
  keyFor: (ext: string, where: { type: MediaType; store: Store }) => string | Promise<string>;
  /** Told of a key at which surely nothing lies (any more). */
  keyUnused?: ((key: IntentKey) => Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
  /** Called at every renewal of the lease. */
  onRenew?: (() => Promise<void>) | undefined;
}

/** Bytes that are durable in a store but belong to no item yet. */
export interface Staged extends IntentKey {
  bytes: number;
  sha256: string;
  type: MediaType;
  inspection: Inspection;
  /** The wanted store, when a fallback has taken the bytes in its stead. */
  home: Store | undefined;
  /** Ends the renewal of the lease; to be called when the item's transaction has ended. */
  release(): void;
  /** Removes the object and its intent, unless an item was committed for them. Never throws: what it cannot remove, the sweeper will. */
  discard(): Promise<void>;
}

/**
 * A body of 8 MiB is kept until a store has acknowledged it, so that another one can be given it. So is a little more: an S3 store that
 * is down says so when it is given the first part of a larger body, which is 8 MiB and the chunk that shows that it is not the last.
 */
const REPLAY_BYTES = (8 * 1024 + 512) * 1024;

/**
 * Tells the type, names a key, and streams the body into the first store that takes it, under an intent.
 * @throws AppError unsupported_media, too_large, digest_mismatch, length_mismatch, store_unavailable, storage_full;
 * then nothing is left behind
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
      // A key of its own for each attempt: a deletion that the failed store carries out late must not meet the item when it comes home.
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
        // A fallback that takes no file of that size is no reason to give up for good.
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

/** The wanted store is always among them, so that its own refusal is what the caller hears when there is no other. */
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
  /** Another store is going to be tried when this one fails. */
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
    // A client that went away may have sent all of it: the store may still be at work.
    if ((await discard(deps, intent, store, failure)) && request.signal?.aborted !== true)
      await request.keyUnused?.(intent);
  };
  try {
    const inspector = createInspector(type);
    let inspection: Inspection = { width: null, height: null, durationMs: null, generation: null };
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
        inspection = result.inspection;
      },
    });
    return { ...intent, ...stored, type, inspection, release: lease.stop, discard: giveUp };
  } catch (error) {
    if (isAppError(error, 'object_taken')) {
      // Not what this attempt has written, so not its to delete.
      lease.stop();
      await deleteIntent(deps.db, intent);
      throw error;
    }
    // A store that is down cannot remove anything either, and whoever waits for a fallback need not wait for that.
    if (hasNext && isAppError(error, 'store_unavailable')) giveUp(error).catch(() => {});
    else await giveUp(error);
    throw error;
  }
}
