import { randomUUID } from 'node:crypto';
import { type IntentKey, markIntent } from '../../db/objects/intents.ts';
import { insertIntent } from '../../db/items/upload-commits.ts';
import type { KeptBody } from '../../db/jobs/webhook-deliveries.ts';
import { AppError, isAppError } from '../../errors.ts';
import { once } from '../bytes/incoming-body.ts';
import type { Deps } from '../deps.ts';
import { discard, removeDropped } from '../staging/discard.ts';
import { keepLease } from '../staging/intent-lease.ts';

/** A larger body goes to a store: rows of that size would slow down every copy and backup of the database. */
const INLINE_BYTES = 64 * 1024;

export interface Kept {
  body: KeptBody;
  /** To be fulfilled in the transaction that records the delivery. */
  intent: IntentKey | undefined;
  release(): void;
  /** Removes the body again. Never throws. */
  discard(): Promise<void>;
}

/** Makes the raw body of a webhook durable: a small one in its row, a large one in a store. @throws AppError store_unavailable */
export async function keepBody(deps: Deps, provider: string, raw: Buffer): Promise<Kept> {
  if (raw.length <= INLINE_BYTES)
    return { body: { inline: raw }, intent: undefined, release: () => {}, discard: async () => {} };
  let failure: unknown = new AppError('store_unavailable', 'No store can take the webhook at the moment.', {
    retryAfter: 10,
  });
  for (const store of [deps.stores.primary, ...deps.stores.fallbacks].filter((each) => each.available())) {
    const intent = { store: store.name, key: `webhooks/${provider}/${randomUUID()}.json` };
    await insertIntent(deps.db, intent);
    const lease = keepLease(deps, intent, {});
    try {
      await store.put(intent.key, {
        body: once(raw),
        contentType: 'application/json',
        size: raw.length,
        signal: lease.signal,
      });
      return {
        body: intent,
        intent,
        release: lease.stop,
        discard: async () => {
          lease.stop();
          // If the intent is gone, the transaction whose answer was lost did commit, and a delivery uses the body.
          if (await markIntent(deps.db, intent).catch(() => false)) await removeDropped(deps, [intent]);
        },
      };
    } catch (error) {
      lease.stop();
      await discard(deps, intent, store, error);
      if (!isAppError(error, 'store_unavailable', 'storage_full', 'too_large')) throw error;
      failure = error;
    }
  }
  throw failure;
}

/** @throws AppError content_missing, store_unavailable */
export async function readKeptBody(deps: Pick<Deps, 'stores'>, body: KeptBody): Promise<Buffer> {
  if ('inline' in body) return body.inline;
  const { stream } = await deps.stores.get(body.store).get(body.key);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
