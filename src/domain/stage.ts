import {
  type IntentKey,
  INTENT_LEASE_SECONDS,
  deleteIntent,
  insertIntent,
  markIntent,
  renewIntent,
} from '../db/intents.ts';
import { findItemByKey } from '../db/media.ts';
import { AppError } from '../errors.ts';
import { type Inspection, createInspector } from '../media/inspect.ts';
import type { MediaType } from '../media/media-type.ts';
import type { Store } from '../storage/stores.ts';
import { limited, peek } from './body.ts';
import type { Deps } from './deps.ts';
import { HEAD_BYTES, identify } from './identify.ts';

export interface StageRequest {
  store: Store;
  body: AsyncIterable<Uint8Array>;
  filename: string | undefined;
  declaredType: string | undefined;
  /** Bytes that were announced, if any. */
  size?: number | undefined;
  /** Hexadecimal; what the caller says the bytes are. */
  sha256?: string | undefined;
  /** The key for the sniffed extension. */
  keyFor: (ext: string) => string;
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
  /** Ends the renewal of the lease; to be called when the item's transaction has ended. */
  release(): void;
  /** Removes the object and its intent, unless an item was committed for them. Never throws: what it cannot remove, the sweeper will. */
  discard(): Promise<void>;
}

/**
 * Tells the type, names a key, and streams the body into the store under an intent.
 * @throws AppError unsupported_media, too_large, digest_mismatch, length_mismatch, store_unavailable, storage_full;
 * then nothing is left behind
 */
export async function stage(deps: Deps, request: StageRequest): Promise<Staged> {
  const body = await peek(limited(request.body, deps.limits.maxUploadBytes), HEAD_BYTES);
  let intent: IntentKey;
  let type: MediaType;
  try {
    type = await identify(body, request);
    intent = { store: request.store.name, key: request.keyFor(type.ext) };
    await insertIntent(deps.db, intent);
  } catch (error) {
    await body.cancel();
    throw error;
  }
  const lease = keepLease(deps, intent, request);
  const discard = async () => {
    lease.stop();
    try {
      // Without an intent the item may have been committed after all, its COMMIT's answer lost: then the object is its own.
      if (!(await markIntent(deps.db, intent)) && (await findItemByKey(deps.db, intent.store, intent.key))) return;
      await request.store.delete(intent.key);
      await deleteIntent(deps.db, intent);
    } catch (error) {
      deps.log.warn(
        { err: error, store: intent.store, key: intent.key },
        'could not remove an upload that was given up; the sweeper will',
      );
    }
  };
  try {
    const inspector = createInspector(type);
    let inspection: Inspection = { width: null, height: null, durationMs: null };
    const stored = await request.store.put(intent.key, {
      body: inspected(body.all(), inspector),
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
    return { ...intent, ...stored, type, inspection, release: lease.stop, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

async function* inspected(
  body: AsyncIterable<Uint8Array>,
  inspector: { push(chunk: Uint8Array): void },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    inspector.push(chunk);
    yield chunk;
  }
}

/** Renews the lease while bytes flow. Losing it ends the upload: the sweeper may be deleting the object already. */
function keepLease(
  deps: Deps,
  intent: IntentKey,
  { signal, onRenew }: StageRequest,
): { signal: AbortSignal; stop(): void } {
  const lost = new AbortController();
  const timer = setInterval(
    () => {
      Promise.all([renewIntent(deps.db, intent), onRenew?.()]).then(
        ([kept]) => {
          if (!kept)
            lost.abort(
              new AppError('store_unavailable', 'The upload was given up because it made no progress for too long.', {
                retryAfter: 1,
              }),
            );
        },
        // The database is away: the lease may survive until it is back, and the item's transaction finds out.
        (error: unknown) =>
          deps.log.warn({ err: error, store: intent.store, key: intent.key }, 'could not renew the lease of an upload'),
      );
    },
    (INTENT_LEASE_SECONDS * 1000) / 4,
  );
  timer.unref();
  return { signal: signal ? AbortSignal.any([signal, lost.signal]) : lost.signal, stop: () => clearInterval(timer) };
}
