import { insertMarkedIntents } from '../../db/objects/intents.ts';
import { removeExpiredDeliveries } from '../../db/jobs/webhook-deliveries.ts';
import type { Deps } from '../deps.ts';
import { removeDropped } from '../staging/discard.ts';

const AT_ONCE = 500;

/** Removes expired webhooks and the objects of their bodies. Returns how many. */
export async function removeOldDeliveries(deps: Pick<Deps, 'db' | 'stores' | 'log'>): Promise<number> {
  for (let total = 0; ;) {
    const { removed, parked, objects } = await deps.db.transaction().execute(async (trx) => {
      const expired = await removeExpiredDeliveries(trx, AT_ONCE);
      await insertMarkedIntents(trx, expired.objects);
      return expired;
    });
    total += removed;
    if (parked > 0)
      deps.log.warn({ parked }, 'parked webhooks expired: nobody has released them or registered their jobs');
    await removeDropped(deps, objects);
    if (removed < AT_ONCE) return total;
  }
}
