import { type Location, locationsOf } from '../db/locations.ts';
import { findItem, findItemByKey, findItems } from '../db/media.ts';
import type { MediaItem } from '../db/media-item.ts';
import { AppError, isAppError } from '../errors.ts';
import type { ByteRange, GetResult } from '../storage/driver.ts';
import { type Caller, mayReach } from './caller.ts';
import type { Deps } from './deps.ts';

export interface ItemWithLocations extends MediaItem {
  locations: Location[];
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such item, or this token may not see it.');
}

/** The record of an item that the caller owns, or any for a service's token. @throws AppError not_found */
export async function readItem(deps: Deps, caller: Caller, id: string): Promise<ItemWithLocations> {
  const item = await findItem(deps.db, id);
  if (!item || item.deletedAt !== null || !mayReach(caller, item.userId)) throw notFound();
  return { ...item, locations: await locationsOf(deps.db, id, item.storageProvider) };
}

/** The items among `ids` that the caller may reach, by id. */
export async function readItems(deps: Deps, caller: Caller, ids: readonly string[]): Promise<Map<string, MediaItem>> {
  const items = await findItems(deps.db, [...new Set(ids)]);
  return new Map(
    items.filter((item) => item.deletedAt === null && mayReach(caller, item.userId)).map((item) => [item.id, item]),
  );
}

/** Who asks for bytes: a token, a signature that names the item, or nobody. */
export type Reader = { type: 'caller'; caller: Caller } | { type: 'signature' } | { type: 'anonymous' };

/**
 * An item whose bytes the reader may have: its own, a public one, or one that a signature names.
 * @throws AppError not_found, or token_missing when a token could help
 */
export async function itemForReading(
  deps: Deps,
  reader: Reader,
  where: { id: string } | { store: string; key: string },
): Promise<MediaItem> {
  const item = 'id' in where ? await findItem(deps.db, where.id) : await findItemByKey(deps.db, where.store, where.key);
  const allowed =
    item &&
    item.deletedAt === null &&
    (reader.type === 'signature' ||
      item.visibility === 'public' ||
      (reader.type === 'caller' && mayReach(reader.caller, item.userId)));
  if (allowed) return item;
  // The same answer for what is private and what does not exist, so that nothing can be learned from the difference.
  if (reader.type === 'anonymous')
    throw new AppError(
      'token_missing',
      'Send a bearer token, or use a signed URL; only public items are served without.',
    );
  throw notFound();
}

export interface OpenedContent extends GetResult {
  /** The store that serves. */
  store: string;
}

/** Where the bytes of an item lie. @throws AppError not_stored when they lie nowhere that this service can reach. */
export async function contentLocations(deps: Deps, item: MediaItem): Promise<Location[]> {
  const locations = (await locationsOf(deps.db, item.id, item.storageProvider)).filter(
    (location) => location.state === 'stored' && deps.stores.has(location.store),
  );
  if (locations.length === 0) {
    throw new AppError(
      'not_stored',
      item.status === 'success'
        ? 'Only the record of this item is kept here; its bytes lie at its storageUrl.'
        : 'This item has no bytes: its generation failed or has not ended.',
    );
  }
  return locations;
}

/**
 * Opens the bytes at the first location that has them.
 * @throws AppError store_unavailable or content_missing when none has
 */
export async function openContent(
  deps: Deps,
  item: MediaItem,
  locations: readonly Location[],
  range: ByteRange | undefined,
  signal?: AbortSignal,
): Promise<OpenedContent> {
  let failure: unknown = new AppError('not_stored', 'This item has no bytes here.');
  for (const { store, key, bytes } of locations) {
    try {
      const content = await deps.stores.get(store).get(key, { ...(range && { range }), ...(signal && { signal }) });
      if (content.totalBytes === bytes) return { ...content, store };
      content.stream.destroy();
      throw new AppError(
        'content_missing',
        `The store has ${content.totalBytes} bytes of this item where ${bytes} were stored.`,
      );
    } catch (error) {
      if (!isAppError(error)) throw error;
      deps.log.error(
        { err: error, itemId: item.id, store, key, code: error.code },
        'a location of an item could not be read',
      );
      // "Not there just now" is the kinder answer, and the one worth a retry, when locations fail differently.
      if (!isAppError(failure, 'store_unavailable')) failure = error;
    }
  }
  throw failure;
}
