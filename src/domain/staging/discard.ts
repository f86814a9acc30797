import { type IntentKey, deleteIntent, keepMarkedIntent, markIntent } from '../../db/objects/intents.ts';
import { findStoredItemByKey } from '../../db/items/items.ts';
import { isAppError } from '../../errors.ts';
import type { Store } from '../../storage/stores/store.ts';
import type { Deps } from '../deps.ts';

type DiscardDeps = Pick<Deps, 'db' | 'log' | 'stores'>;

/**
 * Removes an object that was written under an intent, and the intent, unless an item uses it. If the failure leaves open what the
 * store will still do, the intent stays and a sweep deletes once more. True: the key is known to hold no object. Never throws:
 * the sweeper removes what is left.
 */
export async function discard(
  deps: Pick<Deps, 'db' | 'log'>,
  intent: IntentKey,
  store: Store,
  failure?: unknown,
): Promise<boolean> {
  const { store: name, key } = intent;
  try {
    const marked = await markIntent(deps.db, intent);
    // A COMMIT whose answer was lost has ended the intent, and the object is the item's own.
    if (await findStoredItemByKey(deps.db, name, key)) {
      if (marked) await deleteIntent(deps.db, intent);
      return false;
    }
    await store.delete(key);
    if (isAppError(failure, 'store_unavailable') && failure.cause !== undefined) {
      await keepMarkedIntent(deps.db, intent);
      return false;
    }
    await deleteIntent(deps.db, intent);
    return marked;
  } catch (error) {
    deps.log.warn({ err: error, store: name, key }, 'could not remove what was given up; the sweeper will');
    return false;
  }
}

/** Deletes objects of marked intents; the sweeper retries failures. */
export async function removeDropped(deps: DiscardDeps, objects: readonly IntentKey[]): Promise<void> {
  for (const { store, key } of objects) {
    try {
      await deps.stores.get(store).delete(key);
      await deleteIntent(deps.db, { store, key });
    } catch (error) {
      deps.log.warn(
        { err: error, store, key },
        'could not remove an object that is no longer needed; the sweeper will',
      );
    }
  }
}
