import { createHash } from 'node:crypto';
import { locationsOfMany } from '../db/locations.ts';
import { findByExternalId } from '../db/media.ts';
import type { MediaItem } from '../db/media-item.ts';
import { AppError, isAppError } from '../errors.ts';
import { decodeData } from '../sources/base64.ts';
import type { Deps } from './deps.ts';
import type { ImportRecord } from './import-records.ts';
import { identitiesOf } from './output-identity.ts';
import { readObject } from './read-object.ts';
import type { Source } from './source.ts';

/**
 * The item that an earlier run has made of a record, by its externalId.
 * @param candidates where its file may lie, for a record that names a path
 * @throws AppError invalid_request when the id belongs to another file: two systems number alike, and nothing may be skipped for that
 */
export async function findKnown(
  deps: Deps,
  record: ImportRecord & { userId: string; externalId: string },
  candidates: readonly Source[],
): Promise<MediaItem | undefined> {
  const known = await findByExternalId(deps.db, record.userId, record.externalId);
  const [first] = known;
  if (!first) return undefined;
  for (const item of known) if (await isSame(deps, item, record, candidates)) return item;
  throw new AppError(
    'invalid_request',
    `The externalId '${record.externalId.slice(0, 200)}' is that of item ${first.id}, which is another file; put the name of the old system before its ids ('name:' || id) and import again.`,
    { field: 'externalId' },
  );
}

/** What cannot be compared counts as the same: a failure has no file. */
async function isSame(
  deps: Deps,
  item: MediaItem,
  { source, originalUrl }: ImportRecord,
  candidates: readonly Source[],
): Promise<boolean> {
  if (!source) return true;
  if (source.type === 'base64') {
    const sha256 = createHash('sha256')
      .update((await decodeData(source.data)).bytes)
      .digest('hex');
    return item.sha256 === null || item.sha256 === sha256;
  }
  if (source.type === 'url') return item.originalUrl === null || sameUrl(item.originalUrl, originalUrl ?? source.url);
  if (source.type === 'external')
    return [item.storageUrl, item.originalUrl ?? ''].some((url) => sameUrl(url, source.storageUrl));
  return isSameObject(deps, item, candidates);
}

/** Apart from a signature, which is another one each time. */
function sameUrl(a: string, b: string): boolean {
  const address = (url: string) => identitiesOf({ from: [{ type: 'url', url }] })[0];
  return address(a) === address(b);
}

/** The object itself, or, when the item was moved since, one with the same bytes. */
async function isSameObject(deps: Deps, item: MediaItem, candidates: readonly Source[]): Promise<boolean> {
  const objects = candidates.filter((each) => each.type === 'object');
  const places = (await locationsOfMany(deps.db, [item.id])).get(item.id) ?? [];
  const keys = new Set([item.storageKey, ...places.map(({ key }) => key)]);
  if (objects.some(({ key }) => keys.has(key))) return true;
  for (const { store, key } of objects) {
    try {
      const { sha256 } = await readObject(deps.stores.get(store), key);
      return sha256 === item.sha256;
    } catch (error) {
      if (!isAppError(error, 'content_missing', 'unknown_store')) throw error;
    }
  }
  return false;
}
