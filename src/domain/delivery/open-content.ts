import type { MediaItem } from '../../db/item-columns.ts';
import { buffer } from 'node:stream/consumers';
import { type Location, locationsOf } from '../../db/objects/locations.ts';
import {
  type DeliveredItem,
  type DeliveredItemWithLocations,
  findDeliveredItem,
  findDeliveredItems,
} from '../../db/items/delivery-row.ts';
import {
  type ItemWithLocations,
  findItemByFormerKey,
  findItemWithLocations,
  findStoredItemByKey,
} from '../../db/items/items.ts';
import { AppError, isAppError } from '../../errors.ts';
import type { ByteRange, GetResult } from '../../storage/driver.ts';
import { BufferedObject } from '../../storage/streams/buffered-object.ts';
import { type Caller, isAdmin, mayReach } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { slice } from '../bytes/slice.ts';
import { verifiedContent } from './verified-content.ts';

/** An item to deliver, with its locations if they were read along with it. */
export type ReadItem = DeliveredItem & Partial<DeliveredItemWithLocations>;

function notFound(): AppError {
  return new AppError('not_found', 'There is no such item, or this token may not see it.');
}

/** The record of an item that the caller owns; a service's token reads any. @throws AppError not_found */
export async function readItem(deps: Deps, caller: Caller, id: string): Promise<ItemWithLocations> {
  const item = await findItemWithLocations(deps.db, id, isAdmin(caller) ? undefined : caller.sub);
  if (!item || item.deletedAt !== null) throw notFound();
  return item;
}

/** The items among `ids` that the caller may reach, by id, with the fields that delivery needs. */
export async function readDeliveredItems(
  deps: Deps,
  caller: Caller,
  ids: readonly string[],
): Promise<Map<string, DeliveredItemWithLocations>> {
  const items = await findDeliveredItems(deps.db, ids, isAdmin(caller) ? undefined : caller.sub);
  return new Map([...items].filter(([, item]) => item.deletedAt === null));
}

/** Who requests bytes: a token, a signature that names the item, or an anonymous reader. */
export type Reader = { type: 'caller'; caller: Caller } | { type: 'signature' } | { type: 'anonymous' };

/**
 * An item whose bytes the reader may read: its own, a public one, or one that a signature names.
 * @throws AppError not_found, or token_missing when a token could help
 */
export async function itemForReading(
  deps: Deps,
  reader: Reader,
  where: { id: string } | { key: string },
): Promise<ReadItem> {
  const item = 'id' in where ? await findDeliveredItem(deps.db, where.id) : await findServedItem(deps, where.key);
  return item && isReadable(reader, item) ? item : refuseReading(reader);
}

/** The item that a permanent URL with a key names: its bytes lie under that key in the store that is or was served that way. */
async function findServedItem({ db, stores }: Deps, key: string): Promise<ReadItem | undefined> {
  const store = stores.all.find(({ servedPath }) => servedPath);
  return (store && (await findStoredItemByKey(db, store.name, key))) ?? findItemByFormerKey(db, key);
}

/** Whether the reader may read an item's bytes, or its record, which stays private for public items. */
export function isReadable(
  reader: Reader,
  item: Pick<MediaItem, 'userId' | 'visibility' | 'deletedAt'>,
  what: 'bytes' | 'record' = 'bytes',
): boolean {
  if (item.deletedAt !== null) return false;
  if (reader.type === 'signature' || (what === 'bytes' && item.visibility === 'public')) return true;
  return reader.type === 'caller' && mayReach(reader.caller, item.userId);
}

/** Private and missing items get the same error, so that a reader cannot tell them apart. */
export function refuseReading(reader: Reader): never {
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

/**
 * Order in which locations are tried. Missing: its store may have been mounted wrongly then. Corrupt: verified again, never
 * served in part.
 */
const ORDER = { stored: 0, missing: 1, corrupt: 2 };

/** Locations that can be read, the most reliable first. */
export function servable(deps: Pick<Deps, 'stores'>, locations: readonly Location[]): Location[] {
  return locations
    .flatMap((location) => (location.state !== 'pending' && deps.stores.has(location.store) ? [location] : []))
    .toSorted((a, b) => orderOf(a) - orderOf(b));
}

function orderOf({ state }: Location): number {
  return state === 'pending' ? Number.POSITIVE_INFINITY : ORDER[state];
}

const PENDING_RETRY_S = 5;

/** Why an item has no bytes: `content_pending` while they may still come, `not_stored` with `reason` otherwise. */
export function withoutBytes({ status }: Pick<ReadItem, 'status'>, reason: string): AppError {
  return status === 'pending'
    ? new AppError(
        'content_pending',
        'This item has no bytes yet: its download or its generation has not ended; ask again.',
        {
          retryAfter: PENDING_RETRY_S,
        },
      )
    : new AppError('not_stored', reason);
}

/** The locations of an item's bytes. @throws AppError content_missing, content_pending, not_stored */
export async function contentLocations(deps: Deps, item: ReadItem): Promise<Location[]> {
  const all = item.locations ?? (await locationsOf(deps.db, item.id, item.storageProvider));
  const locations = servable(deps, all);
  if (locations.length === 0) {
    if (all.length > 0)
      throw new AppError('content_missing', 'No store that is configured has the bytes of this item any more.');
    throw withoutBytes(
      item,
      item.status === 'success'
        ? 'Only the record of this item is kept here; its bytes lie at its storageUrl.'
        : 'This item has no bytes: its generation failed.',
    );
  }
  return locations;
}

/**
 * Opens the bytes at the first location that has them. If the item was moved since its locations were read, they are read again.
 * @throws AppError store_unavailable or content_missing when none has them; not_found: it was deleted since
 */
export async function openContent(
  deps: Deps,
  item: Pick<DeliveredItem, 'id'>,
  locations: readonly Location[],
  range: ByteRange | undefined,
  signal?: AbortSignal,
): Promise<OpenedContent> {
  let failure: unknown;
  for (const location of locations) {
    try {
      const content = await openAt(deps, location, range, signal);
      if (range && !isWhole(range, location)) return content;
      return Object.assign(await verifiedContent(deps, item.id, location, content), { store: location.store });
    } catch (error) {
      // A reader that disconnects, as players do when they seek, is no failure of the location; try no other.
      signal?.throwIfAborted();
      if (!isAppError(error)) throw error;
      const moved = isAppError(error, 'content_missing') ? await newLocations(deps, item, location) : undefined;
      if (moved) return openContent(deps, item, moved, range, signal);
      const { store, key } = location;
      deps.log.error(
        { err: error, itemId: item.id, store, key, code: error.code },
        'a location of an item could not be read',
      );
      // When locations fail differently, report the failure that is worth a retry.
      if (!isAppError(failure, 'store_unavailable')) failure = error;
    }
  }
  throw failure ?? new AppError('not_stored', 'This item has no bytes here.');
}

function isWhole({ start, end }: ByteRange, { bytes }: Location): boolean {
  return start === 0 && end === bytes - 1;
}

async function openAt(
  deps: Deps,
  location: Location,
  range: ByteRange | undefined,
  signal?: AbortSignal,
): Promise<OpenedContent> {
  const { store, key, bytes, state } = location;
  // The hash covers the whole object, so a part of a damaged one cannot be verified.
  if (state === 'corrupt' && range && !isWhole(range, location))
    throw new AppError('content_missing', 'The stored bytes of this item are damaged; ask for all of them.');
  const opened = deps.stores.get(store);
  const cut = range !== undefined && !opened.capabilities.range.able;
  const content = await opened.get(key, { ...(range && !cut && { range }), bytes, signal });
  if (content.totalBytes === bytes) {
    if (!cut) return Object.assign(content, { store });
    const bytesOfRange = range.end - range.start + 1;
    return { stream: slice(content.stream, range), bytes: bytesOfRange, totalBytes: bytes, store };
  }
  content.stream.destroy();
  throw new AppError(
    'content_missing',
    `The store has ${content.totalBytes} bytes of this item where ${bytes} were stored.`,
  );
}

/** The new locations, when a location was removed since it was read; undefined when it still exists. @throws AppError not_found */
async function newLocations(
  deps: Deps,
  { id }: Pick<DeliveredItem, 'id'>,
  { store, key }: Location,
): Promise<Location[] | undefined> {
  const item = await findDeliveredItem(deps.db, id);
  if (!item || item.deletedAt !== null) throw notFound();
  const still = item.locations.some((location) => location.store === store && location.key === key);
  return still ? undefined : servable(deps, item.locations);
}

/** The same, from memory when the bytes are small and often requested. */
export async function openCachedContent(
  deps: Deps,
  item: Pick<DeliveredItem, 'id'>,
  locations: readonly Location[],
  range: ByteRange | undefined,
  signal?: AbortSignal,
): Promise<OpenedContent> {
  const [first] = locations;
  const hot = first && deps.bodyCache.get(first);
  if (first && hot) {
    const data = range ? hot.subarray(range.start, range.end + 1) : hot;
    return Object.assign(new BufferedObject(data, hot.length), { store: first.store });
  }
  const wanted = first !== undefined && range === undefined && deps.bodyCache.wants(first);
  const content = await openContent(deps, item, locations, range, signal);
  if (!wanted || content.store !== first.store) return content;
  const data = content.data ?? (await buffer(content.stream).catch(() => undefined));
  // It failed or was found damaged: try the other locations first; the same one last, to report the error.
  if (data?.length !== content.bytes) return openContent(deps, item, [...locations.slice(1), first], range, signal);
  deps.bodyCache.keep(first, data);
  return Object.assign(new BufferedObject(data, content.totalBytes), { store: content.store });
}
