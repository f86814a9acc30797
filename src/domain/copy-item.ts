import { createHash } from 'node:crypto';
import type { Trx } from '../db/database.ts';
import {
  type IntentKey,
  deleteIntent,
  fulfilIntent,
  insertIntent,
  insertMarkedIntents,
  takeExpiredIntent,
} from '../db/intents.ts';
import { type Location, deleteLocation, locationsOf, setLocationState, setStored } from '../db/locations.ts';
import { findItemForUpdate, setStorage } from '../db/media.ts';
import type { MediaItem } from '../db/media-item.ts';
import { AppError, codeOf, isAppError } from '../errors.ts';
import type { Store } from '../storage/stores.ts';
import type { Deps } from './deps.ts';
import { discard } from './discard.ts';
import { keepLease } from './intent-lease.ts';
import { storageUrlOf } from './storage-url.ts';

type CopyDeps = Pick<Deps, 'db' | 'stores' | 'log' | 'publicBaseUrl'>;

export interface CopyOptions {
  /** The store that gets the bytes. */
  to: Store;
  key: string;
  /** From then on the item's bytes are at home there: its `storageProvider` and `storageUrl` change. */
  home: boolean;
  /** A store that gives its copy up once the new one has been proven; its object is deleted when it is ours. */
  drop?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Bytes that were copied. */
export interface Copied {
  bytes: number;
  sha256: string;
}

/**
 * Copies an item's bytes into a further store: streamed, read back and compared by sha256, and only then recorded, all
 * under an intent. The old copy is dropped in the same transaction, its object after it.
 * @throws AppError content_missing, digest_mismatch, object_taken, store_unavailable, storage_full, not_found; then the item is as it was
 */
export async function copyItem(deps: CopyDeps, item: MediaItem, options: CopyOptions): Promise<Copied> {
  const { to, key, signal } = options;
  const locations = await locationsOf(deps.db, item.id, item.storageProvider);
  const intent: IntentKey = { store: to.name, key };
  await begin(deps, intent, to);
  const lease = keepLease(deps, intent, { signal });
  const dropped: IntentKey[] = [];
  try {
    const copied = await copyFromAny(deps, item, locations, { ...options, signal: lease.signal });
    await verifyStored(to, key, copied, lease.signal);
    await deps.db.transaction().execute(async (trx) => {
      dropped.push(...(await record(deps, trx, item.id, copied, options)));
      await fulfilIntent(trx, intent);
    });
    lease.stop();
    await removeDropped(deps, dropped);
    return copied;
  } catch (error) {
    lease.stop();
    await discard(deps, intent, to);
    throw error;
  }
}

/** Takes the key for this copy; what an earlier attempt left there, and could not remove, is removed first. @throws AppError object_taken */
async function begin(deps: CopyDeps, intent: IntentKey, to: Store): Promise<void> {
  const insert = () =>
    insertIntent(deps.db, intent).then(
      () => undefined,
      (error: unknown) => {
        if (codeOf(error) === '23505') return error;
        throw error;
      },
    );
  if ((await insert()) === undefined) return;
  if (await takeExpiredIntent(deps.db, intent)) await discard(deps, intent, to);
  const taken = await insert();
  if (taken !== undefined)
    throw new AppError('object_taken', 'Another process is writing or removing that object.', { cause: taken });
}

/**
 * The end of a move whose target has a copy already: that copy is read and compared, then the old one is dropped.
 * @throws AppError store_unavailable, content_missing, not_found; then the item is as it was
 */
export async function settleCopy(
  deps: CopyDeps,
  item: MediaItem,
  existing: Location,
  { to, key, home, drop, signal }: CopyOptions,
): Promise<void> {
  const sha256 = existing.sha256 ?? item.sha256;
  if (sha256 === null)
    throw new AppError('content_missing', `The copy in '${to.name}' cannot be compared: no SHA-256 is known of it.`);
  await verifyStored(to, key, { sha256 }, signal);
  const dropped = await deps.db.transaction().execute(async (trx) => {
    if (!(await findItemForUpdate(trx, item.id))) throw new AppError('not_found', 'The item was removed meanwhile.');
    if (home) await makeHome(deps, trx, item.id, { to, key });
    return drop === undefined ? [] : dropLocation(trx, item.id, drop);
  });
  await removeDropped(deps, dropped);
}

function makeHome(deps: CopyDeps, trx: Trx, itemId: string, { to, key }: { to: Store; key: string }): Promise<void> {
  return setStorage(trx, itemId, {
    storageProvider: to.name,
    storageUrl: storageUrlOf(deps.publicBaseUrl, to, key, itemId),
  });
}

/** Tries every location that may have the bytes, and notes which of them have turned out not to. */
async function copyFromAny(
  deps: CopyDeps,
  item: MediaItem,
  locations: readonly Location[],
  { to, key, signal }: CopyOptions,
): Promise<Copied> {
  let failure: unknown = new AppError('content_missing', 'No store that is configured has the bytes of this item.');
  for (const from of locations) {
    if (from.state !== 'stored' || from.store === to.name || !deps.stores.has(from.store)) continue;
    try {
      return await copyFrom(deps.stores.get(from.store), from, item, { to, key, signal });
    } catch (error) {
      failure = error;
      if (!isAppError(error, 'content_missing', 'digest_mismatch')) {
        // The target's own refusal would be the same for every source.
        if (!(error instanceof SourceError)) throw error;
        failure = error.cause;
        continue;
      }
      const state = error.code === 'content_missing' ? 'missing' : 'corrupt';
      deps.log.error({ err: error, itemId: item.id, store: from.store, key: from.key, state }, 'a location is no good');
      await setLocationState(deps.db, { mediaId: item.id, store: from.store, key: from.key }, state);
    }
  }
  throw failure;
}

/** A failure of the store that is read, in the midst of a write to another. */
class SourceError extends Error {
  override readonly name = 'SourceError';
}

async function copyFrom(
  source: Store,
  from: Location,
  item: MediaItem,
  { to, key, signal }: Pick<CopyOptions, 'to' | 'key' | 'signal'>,
): Promise<Copied> {
  const content = await source.get(from.key, { ...(signal && { signal }) }).catch((error: unknown) => {
    if (isAppError(error, 'content_missing')) throw error;
    throw new SourceError('the source cannot be read', { cause: error });
  });
  const expected = from.sha256 ?? item.sha256;
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of content.stream) yield chunk as Uint8Array;
    } catch (error) {
      throw new SourceError('the source broke off', { cause: error });
    }
  }
  try {
    return await to.put(key, {
      body: body(),
      size: from.bytes,
      contentType: item.mimeType ?? 'application/octet-stream',
      signal,
      verify: ({ bytes, sha256 }) => {
        if (bytes === from.bytes && (expected === null || sha256 === expected)) return;
        throw new AppError(
          'digest_mismatch',
          `The store '${from.store}' gave ${bytes} bytes with SHA-256 ${sha256} where ${from.bytes} with ${expected ?? 'any'} were stored.`,
        );
      },
    });
  } finally {
    content.stream.destroy();
  }
}

/** Reads the copy back: only bytes that can be read are stored. */
async function verifyStored(
  to: Store,
  key: string,
  expected: { sha256: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  const { stream } = await to.get(key, { ...(signal && { signal }) });
  const hash = createHash('sha256');
  try {
    for await (const chunk of stream) hash.update(chunk as Uint8Array);
  } catch (error) {
    throw new AppError('store_unavailable', `The store '${to.name}' did not give back what was written.`, {
      cause: error,
      retryAfter: 5,
    });
  }
  if (hash.digest('hex') !== expected.sha256)
    throw new AppError('store_unavailable', `The store '${to.name}' gave back other bytes than were written.`);
}

/** The rows of a finished copy. Answers the objects that are to be deleted. */
async function record(
  deps: CopyDeps,
  trx: Trx,
  itemId: string,
  copied: Copied,
  { to, key, home, drop }: CopyOptions,
): Promise<IntentKey[]> {
  if (!(await findItemForUpdate(trx, itemId)))
    throw new AppError('not_found', 'The item was removed while it was copied.');
  const location = { mediaId: itemId, store: to.name, key, ...copied, owned: true };
  if (!(await setStored(trx, location)))
    throw new AppError('object_taken', 'The store has a copy of this item already.');
  if (home) await makeHome(deps, trx, itemId, { to, key });
  return drop === undefined ? [] : dropLocation(trx, itemId, drop);
}

/** Takes an item's copy in `store` away, and answers its object when that is ours to delete: from here on an intent knows it. */
async function dropLocation(trx: Trx, itemId: string, store: string): Promise<IntentKey[]> {
  const old = (await locationsOf(trx, itemId, null)).find((location) => location.store === store);
  if (!old) return [];
  await deleteLocation(trx, { mediaId: itemId, store });
  if (!old.owned) return [];
  const objects = [{ store: old.store, key: old.key }];
  await insertMarkedIntents(trx, objects);
  return objects;
}

/** Deletes objects that marked intents name; what fails is left to the sweeper. */
export async function removeDropped(deps: CopyDeps, objects: readonly IntentKey[]): Promise<void> {
  for (const { store, key } of objects) {
    try {
      await deps.stores.get(store).delete(key);
      await deleteIntent(deps.db, { store, key });
    } catch (error) {
      deps.log.warn(
        { err: error, store, key },
        'could not remove an object that is no longer needed; the sweeper will',
      );
    }
  }
}
