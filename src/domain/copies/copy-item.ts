import type { MediaItem } from '../../db/item-columns.ts';
import type { Trx } from '../../db/database.ts';
import { type IntentKey, fulfilIntent, insertMarkedIntents } from '../../db/objects/intents.ts';
import { insertIntent } from '../../db/items/upload-commits.ts';
import { type Location, deleteLocation, locationsOf, setStored } from '../../db/objects/locations.ts';
import { findItemForUpdate, setStorage } from '../../db/items/items.ts';
import { touchRun } from '../../db/runs/runs.ts';
import { AppError } from '../../errors.ts';
import { mediaTypeByMime } from '../../media/media-type.ts';
import { copyKey, outputKey, runFolder, runSlotOf } from '../../storage/keys.ts';
import type { Store } from '../../storage/stores/store.ts';
import { type Copied, copyBytes, verifyStored } from './copy-bytes.ts';
import type { Deps } from '../deps.ts';
import { discard, removeDropped } from '../staging/discard.ts';
import { keepLease } from '../staging/intent-lease.ts';
import { runOutputKey } from '../staging/destination.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { storageUrlOf } from '../staging/storage-url.ts';

type CopyDeps = Pick<Deps, 'db' | 'stores' | 'log' | 'background' | 'publicBaseUrl'>;

export interface CopyOptions {
  /** The target store. */
  to: Store;
  /** Makes it the item's own store: `storageProvider` and `storageUrl` change. */
  home: boolean;
  /** A store whose copy is dropped once the new one is verified; its object is deleted if we own it. */
  drop?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Copies an item's bytes into another store under an intent: streamed, read back, compared by sha256, and only then recorded. The
 * old copy is dropped in the same transaction, and its object deleted after it. Each attempt has a separate key, so attempts do
 * not interfere and one's leftovers do not affect the next.
 * @throws AppError content_missing, digest_mismatch, object_taken (the store has a copy by now), store_unavailable, storage_full,
 * not_found; then the item is unchanged
 */
export async function copyItem(deps: CopyDeps, item: MediaItem, options: CopyOptions): Promise<Copied> {
  const { to, signal } = options;
  const locations = await locationsOf(deps.db, item.id, item.storageProvider);
  const intent: IntentKey = { store: to.name, key: await keyForCopy(deps, item, locations, to) };
  await insertIntent(deps.db, intent);
  const lease = keepLease(deps, intent, { signal });
  try {
    const copied = await copyBytes(deps, item, locations, { ...intent, to, signal: lease.signal });
    await verifyStored(to, intent.key, copied, lease.signal);
    const dropped = await deps.db.transaction().execute(async (trx) => {
      const objects = await record(deps, trx, item.id, { ...copied, key: intent.key }, options);
      await fulfilIntent(trx, intent);
      await touchRun(trx, item.runId, item.userId);
      return objects;
    });
    lease.stop();
    await refreshRun(deps, item.runId);
    await removeDropped(deps, dropped);
    return copied;
  } catch (error) {
    lease.stop();
    await discard(deps, intent, to, error);
    throw error;
  }
}

/**
 * Next to the original's key if we own that; an adopted key may mean anything in another store. In a run's folder, the run's
 * naming.
 */
async function keyForCopy(deps: CopyDeps, item: MediaItem, locations: readonly Location[], to: Store): Promise<string> {
  const base = locations.find((location) => location.owned && location.state !== 'pending');
  if (base) return (await runKeyForCopy(deps, item, base.key, to)) ?? copyKey(base.key);
  return outputKey({
    userId: item.userId,
    filename: item.filename ?? locations[0]?.key.split('/').at(-1),
    ext: mediaTypeByMime(item.mimeType ?? '')?.ext ?? 'bin',
  });
}

/** The same name as in the other store, or the next free one. */
async function runKeyForCopy(deps: CopyDeps, item: MediaItem, key: string, to: Store): Promise<string | undefined> {
  const { runId } = item;
  if (runId === null || !key.startsWith(runFolder(runId))) return undefined;
  const name = key.slice(runFolder(runId).length);
  const slot = runSlotOf(name);
  const ext = name.split('.').at(-1);
  if (!slot || ext === undefined) return undefined;
  return runOutputKey(deps, { runId, store: to.name, type: slot.type, ext, wanted: slot.n });
}

/**
 * Ends a move whose target already has a copy: verifies that copy, then drops the old one.
 * @throws AppError store_unavailable, content_missing, not_found; then the item is unchanged
 */
export async function settleCopy(
  deps: CopyDeps,
  item: MediaItem,
  existing: Location,
  { to, home, drop, signal }: CopyOptions,
): Promise<void> {
  const sha256 = existing.sha256 ?? item.sha256;
  if (sha256 === null)
    throw new AppError('content_missing', `The copy in '${to.name}' cannot be compared: no SHA-256 is known of it.`);
  await verifyStored(to, existing.key, { sha256 }, signal);
  const dropped = await deps.db.transaction().execute(async (trx) => {
    await lockItem(trx, item.id);
    // Another process may have dropped it since it was read.
    const still = (await locationsOf(trx, item.id, null)).some(
      ({ store, key, state }) => store === to.name && key === existing.key && state === 'stored',
    );
    if (!still) throw new AppError('content_missing', `The copy in '${to.name}' has gone meanwhile.`);
    if (home) await makeHome(deps, trx, item.id, { to, key: existing.key });
    const objects = drop === undefined ? [] : await dropLocation(deps, trx, item.id, drop);
    await touchRun(trx, item.runId, item.userId);
    return objects;
  });
  await refreshRun(deps, item.runId);
  await removeDropped(deps, dropped);
}

/** Writes the rows of a finished copy. Returns the objects to delete. */
async function record(
  deps: CopyDeps,
  trx: Trx,
  itemId: string,
  copied: Copied & { key: string },
  { to, home, drop }: CopyOptions,
): Promise<IntentKey[]> {
  await lockItem(trx, itemId);
  const replaced = (await locationsOf(trx, itemId, null)).filter(
    ({ store, state, owned }) => store === to.name && owned && (state === 'corrupt' || state === 'missing'),
  );
  const location = { mediaId: itemId, store: to.name, ...copied, owned: true };
  if (!(await setStored(trx, location)))
    throw new AppError('object_taken', `The store '${to.name}' has a copy of this item already.`);
  if (home) await makeHome(deps, trx, itemId, { to, key: copied.key });
  // A bad copy that is replaced would otherwise be an object that no row names.
  const objects = replaced.map(({ store, key }) => ({ store, key }));
  await insertMarkedIntents(trx, objects);
  return drop === undefined ? objects : [...objects, ...(await dropLocation(deps, trx, itemId, drop))];
}

/** Locks the item's row first, so that changes of its locations are serialised. */
async function lockItem(trx: Trx, itemId: string): Promise<void> {
  if (!(await findItemForUpdate(trx, itemId)))
    throw new AppError('not_found', 'The item was removed while it was copied.');
}

function makeHome(deps: CopyDeps, trx: Trx, itemId: string, { to, key }: { to: Store; key: string }): Promise<void> {
  return setStorage(trx, itemId, {
    storageProvider: to.name,
    storageUrl: storageUrlOf(deps.publicBaseUrl, to, key, itemId),
  });
}

/** Removes an item's location in `store`. Returns its object if we must delete it, with a marked intent that names it. */
async function dropLocation({ stores }: CopyDeps, trx: Trx, itemId: string, store: string): Promise<IntentKey[]> {
  const locations = await locationsOf(trx, itemId, null);
  const old = locations.find((location) => location.store === store && location.state !== 'pending');
  if (!old) return [];
  if (!locations.some((location) => location.store !== store && location.state === 'stored'))
    throw new AppError('content_missing', `The copy in '${store}' is the last one of this item; it stays.`);
  const keepsKey = stores.has(store) && stores.get(store).servedPath !== undefined;
  await deleteLocation(trx, { mediaId: itemId, store, key: old.key, keepsKey });
  if (!old.owned) return [];
  const objects = [{ store: old.store, key: old.key }];
  await insertMarkedIntents(trx, objects);
  return objects;
}
