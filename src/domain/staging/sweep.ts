import type { Logger } from 'pino';
import type { Db } from '../../db/database.ts';
import { deleteExpiredKeys } from '../../db/idempotency-keys.ts';
import { deleteIntent, takeExpiredIntents } from '../../db/objects/intents.ts';
import { findStoredItemByKey } from '../../db/items/items.ts';
import { deleteOldUploads } from '../../db/objects/uploads.ts';
import type { Stores } from '../../storage/stores/stores.ts';

const BATCH = 100;

export interface SweepReport {
  /** Deleted objects of abandoned uploads. */
  removed: number;
  /** Kept for the next sweep because their store failed. */
  failed: number;
}

/**
 * Cleans up after interrupted uploads and purges. Deletes only objects that our expired intents name; each intent is marked and
 * committed before its object is deleted.
 */
export async function sweepIntents(
  deps: { db: Db; stores: Stores; log: Logger },
  signal?: AbortSignal,
  onProgress?: () => void,
): Promise<SweepReport> {
  const report: SweepReport = { removed: 0, failed: 0 };
  for (;;) {
    const taken = await takeExpiredIntents(deps.db, BATCH);
    for (const intent of taken) {
      // Intents that were taken but not processed expire again with their lease.
      if (signal?.aborted === true) return report;
      onProgress?.();
      try {
        if (await findStoredItemByKey(deps.db, intent.store, intent.key)) {
          deps.log.error({ ...intent }, 'an intent names the object of a live item; the object stays');
        } else if (deps.stores.has(intent.store)) {
          await deps.stores.get(intent.store).delete(intent.key);
          report.removed += 1;
        } else {
          deps.log.warn({ ...intent }, 'an upload that was given up lies in a store that is no longer configured');
          report.failed += 1;
          continue;
        }
        await deleteIntent(deps.db, intent);
      } catch (error) {
        report.failed += 1;
        deps.log.warn(
          { err: error, ...intent },
          'could not remove an upload that was given up; the next sweep tries again',
        );
      }
    }
    if (taken.length < BATCH) break;
  }
  await deleteExpiredKeys(deps.db);
  await deleteOldUploads(deps.db);
  return report;
}
