import type { MediaItem } from '../../db/item-columns.ts';
import { insertMarkedIntents } from '../../db/objects/intents.ts';
import { locationsOf } from '../../db/objects/locations.ts';
import { forgetAnswersAbout } from '../../db/idempotency-keys.ts';
import {
  type ItemChange,
  deleteItem,
  type RevisedItem,
  editItem,
  findItem,
  findRevisionForUpdate,
  setDeleted,
} from '../../db/items/items.ts';
import type { Trx } from '../../db/database.ts';
import { touchRun } from '../../db/runs/runs.ts';
import { fillCurrentItem, replaceCurrentItem } from '../../db/items/scenes.ts';
import { AppError } from '../../errors.ts';
import { type Caller, mayReach } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { removeDropped } from '../staging/discard.ts';
import { checkFields } from '../items/item-fields.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { searchColumns } from '../items/search-columns.ts';

/** Null clears a field. */
export interface ItemPatch {
  tags?: string[] | null | undefined;
  metadata?: unknown;
  prompt?: string | null | undefined;
  filename?: string | null | undefined;
  visibility?: 'private' | 'public' | undefined;
  expiresAt?: string | null | undefined;
}

/** Whether an edit may go on from the state that it finds; by default it may from any. */
export type Expected = (found: RevisedItem) => boolean;

const ANY: Expected = () => true;

/** The item, locked. @throws AppError precondition_failed, not_found when it has gone since it was looked up */
async function expectItem(trx: Trx, id: string, expected: Expected): Promise<RevisedItem> {
  const found = await findRevisionForUpdate(trx, id);
  if (!found) throw new AppError('not_found', 'The item was removed meanwhile.');
  if (!expected(found))
    throw new AppError(
      'precondition_failed',
      'The record was changed since that ETag; read it again, then repeat the change.',
      {
        field: 'If-Match',
      },
    );
  return found;
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
 * invalid_request, precondition_failed
 */
export async function patchItem(
  deps: Deps,
  caller: Caller,
  id: string,
  { patch, expected = ANY }: { patch: ItemPatch; expected?: Expected | undefined },
): Promise<RevisedItem> {
  const item = await reachable(deps, caller, id, 'alive');
  const { tags, metadata, prompt, filename, visibility, expiresAt } = patch;
  const fields = checkFields(
    {
      tags: tags ?? undefined,
      metadata: metadata ?? undefined,
      prompt: prompt ?? undefined,
      filename: filename ?? undefined,
      visibility,
      expiresAt: expiresAt ?? undefined,
    },
    item.userId,
  );
  const given: ItemChange = {
    ...(tags !== undefined && { tags: fields.tags }),
    ...(metadata !== undefined && { metadata: JSON.stringify(fields.metadata ?? {}) }),
    ...(prompt !== undefined && { prompt: fields.prompt ?? '' }),
    ...(filename !== undefined && { filename: fields.filename ?? null }),
    ...(visibility !== undefined && { visibility }),
    ...(expiresAt !== undefined && { expires_at: fields.expiresAt ?? null }),
  };
  return edit(deps, item, { expected, change: () => given });
}

/** Adds tags to an item, or removes them. @throws AppError not_found, invalid_request: too many */
export async function retagItem(
  deps: Deps,
  caller: Caller,
  id: string,
  { add = [], remove = [] }: { add?: readonly string[]; remove?: readonly string[] },
): Promise<RevisedItem> {
  const item = await reachable(deps, caller, id, 'alive');
  return edit(deps, item, {
    expected: ANY,
    change: ({ tags }) => {
      const wanted = [...new Set([...tags.filter((tag) => !remove.includes(tag)), ...add])];
      if (wanted.length === tags.length && wanted.every((tag, index) => tag === tags[index])) return {};
      return { tags: checkFields({ tags: wanted }, item.userId).tags };
    },
  });
}

/** Changes an item under its lock. @throws AppError not_found, precondition_failed */
async function edit(
  deps: Deps,
  { id, runId, userId }: MediaItem,
  { expected, change }: { expected: Expected; change: (current: MediaItem) => ItemChange },
): Promise<RevisedItem> {
  const changed = await deps.db.transaction().execute(async (trx) => {
    // Read again under the lock: the words of a search cover unchanged fields too.
    const current = await expectItem(trx, id, expected);
    const given = change(current.item);
    if (Object.keys(given).length === 0) return current;
    const edited = await editItem(trx, id, { ...given, ...searchColumns(wordsOf(current.item, given)) });
    await touchRun(trx, runId, userId);
    return edited;
  });
  if (!changed) throw new AppError('not_found', 'The item was deleted meanwhile.');
  await refreshRun(deps, runId);
  return changed;
}

function wordsOf(item: MediaItem, given: ItemChange) {
  const { tags = item.tags, prompt = item.prompt, filename = item.filename } = given;
  return {
    userId: item.userId,
    prompt,
    tags: tags as string[],
    generation: item.generation,
    model: item.model ?? undefined,
    toolName: item.toolName ?? undefined,
    filename: filename ?? undefined,
  };
}

/** Soft-deletes an item (sets its tombstone); deleting twice is not an error. @throws AppError not_found, precondition_failed */
export async function softDelete(deps: Deps, caller: Caller, id: string, expected = ANY): Promise<void> {
  const item = await reachable(deps, caller, id, 'any');
  await deps.db.transaction().execute(async (trx) => {
    await expectItem(trx, id, expected);
    await setDeleted(trx, id, true);
    await replaceCurrentItem(trx, id);
    await touchRun(trx, item.runId, item.userId);
  });
  await refreshRun(deps, item.runId);
}

/** Removes the tombstone; an item without one is returned as it is. @throws AppError not_found, precondition_failed */
export async function restore(deps: Deps, caller: Caller, id: string, expected = ANY): Promise<RevisedItem> {
  const item = await reachable(deps, caller, id, 'any');
  const restored = await deps.db.transaction().execute(async (trx) => {
    await expectItem(trx, id, expected);
    await setDeleted(trx, id, false);
    await fillCurrentItem(trx, id);
    await touchRun(trx, item.runId, item.userId);
    return expectItem(trx, id, ANY);
  });
  await refreshRun(deps, item.runId);
  return restored;
}

/**
 * Removes the record and every owned copy for good. Marked intents name the objects before the record goes, so that after a crash
 * the sweeper finishes the deletion.
 * @throws AppError not_found, precondition_failed
 */
export async function purge(deps: Deps, caller: Caller, id: string, expected = ANY): Promise<void> {
  const item = await reachable(deps, caller, id, 'any');
  const owned = await deps.db.transaction().execute(async (trx) => {
    // First, so that a copy that is being recorded is either seen here or finds the item gone.
    await expectItem(trx, id, expected);
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
