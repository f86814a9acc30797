import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Db } from '../../db/database.ts';
import { ROLLUP_BATCH, catchUpRollups, resetRollups, rollupsAreBehind } from '../../db/search/rollups.ts';

interface RollupDeps {
  db: Db;
  log: Logger;
}

/** Changes that one reader counts before reading: some 10 ms. */
const FRESHEN = 200;
/** Pause between checks whether another process has finished its batch. */
const OTHERS_TURN_MS = 100;

/** Brings totals up to date before they are read, as far as that is quick; never fails. */
export async function freshenRollups({ db, log }: RollupDeps): Promise<void> {
  try {
    if (await rollupsAreBehind(db)) await catchUpRollups(db, FRESHEN);
  } catch (error) {
    log.warn({ err: error }, 'totals could not be brought up to date; they are told as they were');
  }
}

/**
 * Counts all changes, batch by batch, until none is left, the signal fires or another process is found to be counting. Returns
 * the number of changes counted.
 */
export async function keepRollups(
  { db }: Pick<RollupDeps, 'db'>,
  signal?: AbortSignal,
  onBatch?: () => void,
): Promise<number> {
  let counted = 0;
  if (!(await rollupsAreBehind(db))) return 0;
  while (signal?.aborted !== true) {
    const batch = await catchUpRollups(db, ROLLUP_BATCH);
    counted += batch?.counted ?? 0;
    onBatch?.();
    if (batch?.more !== true) break;
  }
  return counted;
}

/** Catches up completely, alongside other processes. `rebuild` first clears all totals, which are too low until it has finished. */
export async function finishRollups(
  { db }: Pick<RollupDeps, 'db'>,
  options: { rebuild: boolean; signal: AbortSignal; onProgress: (counted: number) => void },
): Promise<number> {
  if (options.rebuild) await resetRollups(db);
  let counted = 0;
  while (!options.signal.aborted && (await rollupsAreBehind(db))) {
    const batch = await catchUpRollups(db, ROLLUP_BATCH);
    if (!batch) await sleep(OTHERS_TURN_MS);
    counted += batch?.counted ?? 0;
    options.onProgress(counted);
  }
  return counted;
}
