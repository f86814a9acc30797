import { repeat } from '../../background/repeat.ts';
import { type IntentKey, INTENT_LEASE_SECONDS, renewIntent } from '../../db/objects/intents.ts';
import { AppError } from '../../errors.ts';
import type { Deps } from '../deps.ts';

const RENEW_MS = (INTENT_LEASE_SECONDS * 1000) / 4;

export interface IntentLease {
  /** Fires with the caller's signal, and when the intent was lost. */
  signal: AbortSignal;
  stop(): void;
}

/** Renews an intent during the write. Losing it aborts the write, because the sweeper may already be deleting the object. */
export function keepLease(
  deps: Pick<Deps, 'db' | 'background'>,
  intent: IntentKey,
  { signal, onRenew }: { signal?: AbortSignal | undefined; onRenew?: (() => Promise<void>) | undefined },
): IntentLease {
  const lost = new AbortController();
  // While the database is unavailable the lease may survive until it is back; if not, the item's transaction fails.
  const renewals = repeat(
    deps.background,
    'upload-leases',
    async () => {
      const [kept] = await Promise.all([renewIntent(deps.db, intent), onRenew?.()]);
      if (!kept)
        lost.abort(
          new AppError('store_unavailable', 'The upload was given up because it made no progress for too long.', {
            retryAfter: 1,
          }),
        );
    },
    { everyMs: RENEW_MS, firstMs: RENEW_MS, details: { store: intent.store, key: intent.key } },
  );
  // Does what AbortSignal.any does, at a tenth of its cost.
  const follow = () => lost.abort(signal?.reason);
  if (signal?.aborted === true) follow();
  else signal?.addEventListener('abort', follow, { once: true });
  return {
    signal: lost.signal,
    stop: () => {
      void renewals.stop();
      signal?.removeEventListener('abort', follow);
    },
  };
}
