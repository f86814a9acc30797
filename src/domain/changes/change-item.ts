import type { MediaItem } from '../../db/item-columns.ts';
import { insertMarkedIntents } from '../../db/objects/intents.ts';
import { locationsOf } from '../../db/objects/locations.ts';
import { forgetAnswersAbout } from '../../db/idempotency-keys.ts';
import {
  type ItemChange,
  deleteItem,
  findItem,
  findItemForUpdate,
  setDeleted,
  updateItem,
} from '../../db/items/items.ts';
import { touchRun } from '../../db/runs/runs.ts';
import { fillCurrentItem, replaceCurrentItem } from '../../db/items/scenes.ts';
import { AppError } from '../../errors.ts';
import { type Caller, mayReach } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { removeDropped } from '../staging/discard.ts';
import { checkFields } from '../items/item-fields.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { searchText } from '../items/search-text.ts';

export interface ItemPatch {
  tags?: string[] | undefined;
  metadata?: unknown;
  prompt?: string | undefined;
  visibility?: 'private' | 'public' | undefined;
  /** Null: never. */
  expiresAt?: string | null | undefined;
}

async function reachable(deps: Deps, caller: Caller, id: string, deleted: 'alive' | 'any'): Promise<MediaItem> {
  const item = await findItem(deps.db, id);
  if (!item || !mayReach(caller, item.userId) || (deleted === 'alive' && item.deletedAt !== null)) {
    throw new AppError('not_found', 'There is no such item, or this token may not see it.');
  }
  return item;
}

/**
 * Changes the fields that a caller may change; each given field replaces the old value whole. @throws AppError not_found,
 * invalid_request
 */
export async function patchItem(deps: Deps, caller: Caller, id: string, patch: ItemPatch): Promise<MediaItem> {
  const item = await reachable(deps, caller, id, 'alive');
  const { tags, metadata, prompt, visibility, expiresAt } = patch;
  const fields = checkFields({ tags, metadata, prompt, visibility, expiresAt: expiresAt ?? undefined }, item.userId);
  const changed = await deps.db.transaction().execute(async (trx) => {
    // Read again under the lock: the search text covers unchanged fields too.
    const current = await findItemForUpdate(trx, id);
    const change: ItemChange = {
      ...(tags !== undefined && { tags: fields.tags }),
      ...(metadata !== undefined && { metadata: JSON.stringify(fields.metadata) }),
      ...(prompt !== undefined && { prompt }),
      ...(visibility !== undefined && { visibility }),
      ...(expiresAt !== undefined && { expires_at: expiresAt === null ? null : fields.expiresAt }),
      ...(current && { search_text: searchText(wordsOf(current, fields.tags, patch)) }),
    };
    const updated = await updateItem(trx, id, change);
    await touchRun(trx, item.runId, item.userId);
    return updated;
  });
  if (!changed) throw new AppError('not_found', 'The item was deleted meanwhile.');
  await refreshRun(deps, item.runId);
  return changed;
}

function wordsOf(item: MediaItem, tags: string[], patch: ItemPatch) {
  return {
    userId: item.userId,
    prompt: patch.prompt ?? item.prompt,
    tags: patch.tags === undefined ? item.tags : tags,
    generation: item.generation,
    model: item.model ?? undefined,
    toolName: item.toolName ?? undefined,
    filename: item.filename ?? undefined,
  };
}

/** Soft-deletes an item (sets its tombstone); deleting twice is not an error. @throws AppError not_found */
export async function softDelete(deps: Deps, caller: Caller, id: string): Promise<void> {
  const item = await reachable(deps, caller, id, 'any');
  await deps.db.transaction().execute(async (trx) => {
    await setDeleted(trx, id, true);
    await replaceCurrentItem(trx, id);
    await touchRun(trx, item.runId, item.userId);
  });
  await refreshRun(deps, item.runId);
}

/** Removes the tombstone; an item without one is returned as it is. @throws AppError not_found */
export async function restore(deps: Deps, caller: Caller, id: string): Promise<MediaItem> {
  const item = await reachable(deps, caller, id, 'any');
  const restored = await deps.db.transaction().execute(async (trx) => {
    const changed = await setDeleted(trx, id, false);
    await fillCurrentItem(trx, id);
    await touchRun(trx, item.runId, item.userId);
    return (await findItem(trx, id)) ?? changed ?? item;
  });
  await refreshRun(deps, item.runId);
  return restored;
}

/**
 * Removes the record and every owned copy for good. Marked intents name the objects before the record goes, so that after a crash
 * the sweeper finishes the deletion.
 * @throws AppError not_found
 */
export async function purge(deps: Deps, caller: Caller, id: string): Promise<void> {
  const item = await reachable(deps, caller, id, 'any');
  const owned = await deps.db.transaction().execute(async (trx) => {
    // First, so that a copy that is being recorded is either seen here or finds the item gone.
    await findItemForUpdate(trx, id);
    const objects = (await locationsOf(trx, id, null))
      .filter((location) => location.owned && location.state !== 'pending')
      .map(({ store, key }) => ({ store, key }));
    await insertMarkedIntents(trx, objects);
    await replaceCurrentItem(trx, id);
    // Kept idempotent responses would live on for a day and tell a repeated upload that the item is stored.
    await forgetAnswersAbout(trx, id);
    await deleteItem(trx, id);
    await touchRun(trx, item.runId, item.userId);
    return objects;
  });
  for (const object of owned) deps.bodyCache.forget(object);
  // First the file that names the object, then the object.
  await refreshRun(deps, item.runId);
  await removeDropped(deps, owned);
}
