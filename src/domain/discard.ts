import { type IntentKey, abandonIntent, deleteIntent, markIntent } from '../db/intents.ts';
import { findStoredItemByKey } from '../db/media.ts';
import type { Store } from '../storage/stores.ts';
import type { Deps } from './deps.ts';

/**
 * Removes an object that was written under an intent, and the intent, unless an item was committed for them.
 * Never throws: what it cannot remove, the sweeper will.
 */
export async function discard(deps: Pick<Deps, 'db' | 'log'>, intent: IntentKey, store: Store): Promise<void> {
  const { store: name, key } = intent;
  try {
    // Without an intent the item may have been committed after all, its COMMIT's answer lost: then the object is its own.
    if (!(await markIntent(deps.db, intent)) && (await findStoredItemByKey(deps.db, name, key))) return;
    await store.delete(key);
    await deleteIntent(deps.db, intent);
  } catch (error) {
    deps.log.warn({ err: error, store: name, key }, 'could not remove what was given up; the sweeper will');
    await abandonIntent(deps.db, intent).catch(() => {});
  }
}
