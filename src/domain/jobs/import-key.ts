import type { Caller } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { assertSameContent, fingerprintOf, openKey } from '../idempotency.ts';

export interface Keyed {
  caller: Caller;
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Imports under an idempotency key, which stands for one content. Importing the same content again is safe, because its outputs
 * are recognised. A failed import releases the key.
 * @param contentOf the content the key stands for; called only when there is a key
 * @throws AppError idempotency_mismatch: the key was used for other content
 */
export async function underKey<T>(
  deps: Deps,
  { caller, idempotencyKey, signal }: Keyed,
  contentOf: () => object | Promise<object>,
  work: () => Promise<T>,
): Promise<T> {
  if (idempotencyKey === undefined) return work();
  const fingerprint = fingerprintOf(await contentOf());
  const opened = await openKey(deps.db, { caller: caller.sub, key: `${idempotencyKey}:import` }, signal);
  if (opened.state === 'done') {
    assertSameContent(opened.fingerprint, fingerprint);
    return work();
  }
  try {
    const result = await work();
    await deps.db.transaction().execute((trx) => opened.claim.finish(trx, fingerprint, {}));
    return result;
  } catch (error) {
    await opened.claim
      .release()
      .catch((cause: unknown) => deps.log.warn({ err: cause }, 'could not release an idempotency key'));
    throw error;
  }
}
