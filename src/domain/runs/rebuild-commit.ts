import type { Trx } from '../../db/database.ts';
import { insertLocation, insertPendingLocations } from '../../db/objects/locations.ts';
import { insertItem, reserveIdsUpTo } from '../../db/items/items.ts';
import { insertRunSlot, setItemTimes } from '../../db/runs/run-outputs.ts';
import { type Run, adoptRun, touchRun } from '../../db/runs/runs.ts';
import { runSlotOf } from '../../storage/keys.ts';
import { toRow } from '../ingest/commit-item.ts';
import { wantedCopies } from '../staging/wanted-copies.ts';
import type { Deps } from '../deps.ts';
import type { CheckedItem } from './rebuild-item.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { storageUrlOf } from '../staging/storage-url.ts';

export interface RebuiltRun {
  run: Omit<Run, 'updatedAt'>;
  items: readonly CheckedItem[];
  /** Names of all files in the folder: no output to come gets one of them. */
  files: readonly string[];
  /** metadata.json is to be made anew, for the rows tell more than it does. */
  rewrite: boolean;
}

/** The rows of one folder, all or none: half of them would make a metadata.json that forgets the other half. */
export async function commitRun(deps: Deps, { run, items, files, rewrite }: RebuiltRun): Promise<void> {
  let copies = 0;
  const touched = rewrite && items.length > 0;
  const last = items
    .flatMap(({ found }) => found.id ?? [])
    .reduce((most, id) => (BigInt(id) > most ? BigInt(id) : most), 0n);
  if (last > 0n) await reserveIdsUpTo(deps.db, String(last));
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

/** Answers how many copies a worker has to make. */
async function insertFound(deps: Deps, trx: Trx, { found, fields, source, bytes }: CheckedItem): Promise<number> {
  const row = toRow(deps, fields, source, bytes, undefined);
  const { id } = await insertItem(
    trx,
    row,
    (itemId) => {
      if (source.type === 'external') return source.storageUrl;
      return bytes ? storageUrlOf(deps.publicBaseUrl, deps.stores.get(bytes.store), bytes.key, itemId) : '';
    },
    found.id,
  );
  await setItemTimes(trx, id, found);
  if (!bytes) return 0;
  const { store, key, sha256 } = bytes;
  const slot = runSlotOf(key.split('/').at(-1) ?? '');
  if (slot && fields.runId !== undefined) await insertRunSlot(trx, { runId: fields.runId, store, ...slot });
  await insertLocation(trx, { mediaId: id, store, key, bytes: bytes.bytes, sha256, owned: true });
  const copies = wantedCopies(deps.stores, bytes);
  await insertPendingLocations(trx, id, bytes, copies);
  return copies.length;
}
