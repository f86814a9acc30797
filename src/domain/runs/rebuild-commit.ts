import type { Trx } from '../../db/database.ts';
import { insertItem } from '../../db/items/insert-items.ts';
import { reserveIdsUpTo } from '../../db/items/items.ts';
import { insertRunSlot, setItemTimes } from '../../db/runs/run-outputs.ts';
import { type Run, adoptRun, touchRun } from '../../db/runs/runs.ts';
import { runSlotOf } from '../../storage/keys.ts';
import { newItem } from '../ingest/new-item.ts';
import type { Deps } from '../deps.ts';
import type { CheckedItem } from './rebuild-item.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';

export interface RebuiltRun {
  run: Omit<Run, 'updatedAt'>;
  items: readonly CheckedItem[];
  /** Names of all files in the folder; later outputs get none of them. */
  files: readonly string[];
  /** metadata.json must be rewritten, because the rows say more than it does. */
  rewrite: boolean;
}

/** Inserts the rows of one folder, all or none: with half of them, the next metadata.json would lose the others. */
export async function commitRun(deps: Deps, { run, items, files, rewrite }: RebuiltRun): Promise<void> {
  let copies = 0;
  const touched = rewrite && items.length > 0;
  const last = items
    .flatMap(({ found }) => found.id ?? [])
    .reduce((most, id) => (BigInt(id) > most ? BigInt(id) : most), 0n);
  await reserveIdsUpTo(deps.db, String(last));
  await deps.db.transaction().execute(async (trx) => {
    await adoptRun(trx, run);
    for (const name of files) {
      const slot = runSlotOf(name);
      if (slot) await insertRunSlot(trx, { runId: run.id, store: run.store, ...slot });
    }
    for (const item of items) copies += await insertFound(deps, trx, item);
    if (touched) await touchRun(trx, run.id, run.userId);
  });
  if (copies > 0) deps.copiesWanted();
  if (touched) await refreshRun(deps, run.id);
}

/** Returns how many copies a worker must make. */
async function insertFound(deps: Deps, trx: Trx, { found, fields, source, bytes }: CheckedItem): Promise<number> {
  // Its event was published, and its scene had this version, when it was first stored.
  const item = {
    ...newItem(deps, { fields, source, bytes }),
    formerId: found.id,
    takesVersion: false,
    event: undefined,
  };
  const { id } = await insertItem(trx, item);
  await setItemTimes(trx, id, found);
  if (!bytes) return 0;
  const slot = runSlotOf(bytes.key.split('/').at(-1) ?? '');
  if (slot && fields.runId !== undefined)
    await insertRunSlot(trx, { runId: fields.runId, store: bytes.store, ...slot });
  return item.copies?.length ?? 0;
}
