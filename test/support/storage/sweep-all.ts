import { expect } from 'vitest';
import { sweepIntents } from '../../../src/domain/staging/sweep.ts';
import { until } from '../until.ts';

/**
 * Ends every intent's lease and sweeps, until no intent is left. A request that failed may still be clearing up when its answer
 * arrives, and then renews the lease of its intent.
 */
export async function sweepAll(deps: Parameters<typeof sweepIntents>[0]): Promise<void> {
  const left = () => deps.db.selectFrom('storage_intents').select(['store', 'key']).execute();
  await until(async () => {
    await deps.db.updateTable('storage_intents').set({ leased_until: '2000-01-01' }).execute();
    await sweepIntents(deps);
    return (await left()).length === 0;
  }).catch(async () => expect(await left()).toEqual([]));
}
