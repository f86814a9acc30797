import type { ImportRecord } from './import-record.ts';
import type { MediaItem } from '../../db/item-columns.ts';
import { createHash } from 'node:crypto';
import { type KnownFile, filesByExternalId } from '../../db/items/item-names.ts';
import { locationsOfMany } from '../../db/objects/locations.ts';
import { findItem } from '../../db/items/items.ts';
import { AppError, isAppError } from '../../errors.ts';
import { decodeData } from '../../sources/base64.ts';
import type { Deps } from '../deps.ts';
import { urlIdentity } from '../answers/output-identity.ts';
import { readObject } from '../bytes/read-object.ts';
import type { Source } from '../bytes/source.ts';

/**
 * The item that an earlier run made of a record, found by its externalId.
 * @param candidates possible locations of its file, for a record that names a path
 * @throws AppError invalid_request when the id belongs to another file: two systems may use the same ids, and no record may be
 * skipped
 */
export async function findKnown(
  deps: Deps,
  record: ImportRecord & { userId: string; externalId: string },
  candidates: readonly Source[],
): Promise<MediaItem | undefined> {
  const isSame = comparison(deps, record, candidates);
  let first: string | undefined;
  for await (const file of filesByExternalId(deps.db, record.userId, record.externalId)) {
    first ??= file.id;
    const item = (await isSame(file)) ? await findItem(deps.db, file.id) : undefined;
    if (item) return item;
  }
  if (first === undefined) return undefined;
  throw new AppError(
    'invalid_request',
    `The externalId '${record.externalId.slice(0, 200)}' is that of item ${first}, which is another file; put the name of the old system before its ids ('name:' || id) and import again.`,
    { field: 'externalId' },
  );
}

/** Whether an item has a record's file. If nothing can be compared, as for a failure without a file, they count as the same. */
function comparison(
  deps: Deps,
  { source, originalUrl }: ImportRecord,
  candidates: readonly Source[],
): (file: KnownFile) => Promise<boolean> {
  if (!source) return async () => true;
  if (source.type === 'base64') {
    let sha256: string | undefined;
    return async (file) => {
      sha256 ??= createHash('sha256')
        .update((await decodeData(source.data)).bytes)
        .digest('hex');
      return file.sha256 === null || file.sha256 === sha256;
    };
  }
  if (source.type === 'url')
    return async (file) => file.originalUrl === null || sameUrl(file.originalUrl, originalUrl ?? source.url);
  if (source.type === 'external')
    return async (file) => [file.storageUrl, file.originalUrl ?? ''].some((url) => sameUrl(url, source.storageUrl));
  return objectComparison(deps, candidates);
}

/** Ignores signatures, which differ each time. */
function sameUrl(a: string, b: string): boolean {
  return urlIdentity(a) === urlIdentity(b);
}

/** Whether it is the same object or, if the item was moved since, one with the same bytes; those are read once for all items. */
function objectComparison(deps: Deps, candidates: readonly Source[]): (file: KnownFile) => Promise<boolean> {
  const objects = candidates.filter((each) => each.type === 'object');
  let hash: Promise<string | undefined> | undefined;
  return async (file) => {
    const places = (await locationsOfMany(deps.db, [file.id])).get(file.id) ?? [];
    const keys = new Set([file.storageKey, ...places.map(({ key }) => key)]);
    if (objects.some(({ key }) => keys.has(key))) return true;
    hash ??= hashOfFirst(deps, objects);
    const sha256 = await hash;
    return sha256 !== undefined && sha256 === file.sha256;
  };
}

async function hashOfFirst(
  deps: Deps,
  objects: readonly Extract<Source, { type: 'object' }>[],
): Promise<string | undefined> {
  for (const { store, key } of objects) {
    try {
      return (await readObject(deps.stores.get(store), key)).sha256;
    } catch (error) {
      if (!isAppError(error, 'content_missing', 'unknown_store')) throw error;
    }
  }
  return undefined;
}
