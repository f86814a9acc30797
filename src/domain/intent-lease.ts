import { type IntentKey, INTENT_LEASE_SECONDS, renewIntent } from '../db/intents.ts';
import { AppError } from '../errors.ts';
import type { Deps } from './deps.ts';

export interface IntentLease {
  /** Fires with the caller's signal, and when the intent was lost. */
  signal: AbortSignal;
  stop(): void;
}

/** Renews an intent while bytes flow. Losing it ends the write: the sweeper may be deleting the object already. */
export function keepLease(
  deps: Pick<Deps, 'db' | 'log'>,
  intent: IntentKey,
  { signal, onRenew }: { signal?: AbortSignal | undefined; onRenew?: (() => Promise<void>) | undefined },
): IntentLease {
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
  // What AbortSignal.any would do, at a tenth of its cost.
  const follow = () => lost.abort(signal?.reason);
  if (signal?.aborted === true) follow();
  else signal?.addEventListener('abort', follow, { once: true });
  return {
    signal: lost.signal,
    stop: () => {
      clearInterval(timer);
      signal?.removeEventListener('abort', follow);
    },
  };
}
