import { isKnownKey } from '../../db/objects/intents.ts';
import { findStoredItemByKey } from '../../db/items/items.ts';
import { hasRecord } from '../../db/runs/run-outputs.ts';
import type { Run } from '../../db/runs/runs.ts';
import { AppError } from '../../errors.ts';
import { checkKey, runFolder } from '../../storage/keys.ts';
import type { Store } from '../../storage/stores/store.ts';
import type { Stores } from '../../storage/stores/stores.ts';
import type { Deps } from '../deps.ts';
import type { MetadataItem } from '../run-folder/parse-metadata.ts';
import { withFileData } from '../items/with-file-data.ts';
import { type ItemFields, checkFields } from '../items/item-fields.ts';
import { type ReadObject, readObject } from '../bytes/read-object.ts';
import type { RunFolder } from '../run-folder/list-folders.ts';
import type { Source } from '../bytes/source.ts';
import { checkText } from '../items/text-limits.ts';

/** What looking at folders needs; making rows needs more. */
export interface RebuildDeps extends Pick<Deps, 'db'> {
  stores: Pick<Stores, 'get' | 'has'>;
}

/** An item that can be inserted: its fields are within the limits, and its file was read and matches metadata.json. */
export interface CheckedItem {
  found: MetadataItem;
  fields: ItemFields;
  source: Source;
  bytes: (ReadObject & { store: string; key: string; owned: true }) | undefined;
}

/** Width of the column. */
const MAX_STATUS = 20;

/** @throws AppError about the item, or store_unavailable; `present`: it has a row */
export async function checkItem(
  deps: RebuildDeps,
  store: Store,
  folder: RunFolder,
  run: Pick<Run, 'id' | 'userId'>,
  found: MetadataItem,
): Promise<CheckedItem | 'present'> {
  const fields = checkFields({ ...found.input, runId: run.id }, run.userId);
  if (fields.status !== undefined) checkText('status', fields.status, MAX_STATUS);
  if (found.filename === undefined) return checkRecord(deps, run, found, fields);
  const place = fileOf(deps, store, folder, found, found.filename);
  if (await findStoredItemByKey(deps.db, place.store.name, place.key)) return 'present';
  if (await isKnownKey(deps.db, { store: place.store.name, key: place.key }))
    throw new AppError('object_taken', 'The file is just being written or removed.');
  const read = await readObject(place.store, place.key, { declaredType: found.mimeType });
  if (found.bytes !== undefined && found.bytes !== read.bytes)
    throw new AppError('length_mismatch', `It has ${read.bytes} bytes, metadata.json says ${found.bytes}.`);
  if (found.sha256 !== undefined && found.sha256 !== read.sha256)
    throw new AppError('digest_mismatch', `Its SHA-256 is ${read.sha256}, metadata.json says ${found.sha256}.`);
  const bytes = { ...read, store: place.store.name, key: place.key, owned: true as const };
  // Our own entries are complete; an older system did not record what its files contain.
  const known = found.id === undefined ? withFileData(fields, read.inspection) : fields;
  return { found, fields: known, source: { type: 'none' }, bytes };
}

/** A file in this folder, or in the folder of the same run in another store; never elsewhere, whatever metadata.json says. */
function fileOf(
  deps: RebuildDeps,
  store: Store,
  folder: RunFolder,
  { store: other }: MetadataItem,
  filename: string,
): { store: Store; key: string } {
  if (filename.includes('/') || filename.includes('\\'))
    throw new AppError('invalid_key', 'The file is not one of the folder.');
  const key = runFolder(folder.runId) + filename;
  checkKey(key);
  if (folder.files.has(filename)) return { store, key };
  if (other !== undefined && other !== store.name && deps.stores.has(other))
    return { store: deps.stores.get(other), key };
  throw new AppError(
    'content_missing',
    other === undefined
      ? 'The file is missing.'
      : `The file lies in the store '${other}', which is not configured here.`,
  );
}

/** An entry without a file: a failure, or an external item. */
async function checkRecord(
  deps: RebuildDeps,
  run: Pick<Run, 'id' | 'userId'>,
  found: MetadataItem,
  fields: ItemFields,
): Promise<CheckedItem | 'present'> {
  // metadata.json does not record where its bytes could be fetched.
  if (fields.status === 'pending')
    Object.assign(fields, { status: 'failed', error: 'Its bytes had not been fetched.' });
  const { status = 'success', error } = fields;
  const { external, createdAt } = found;
  const usable = status !== 'success' || (external !== undefined && !deps.stores.has(external.storageProvider));
  if (!usable)
    throw new AppError(
      'content_missing',
      'It names no file of the folder; an object elsewhere has to be adopted anew.',
    );
  const recorded = status === 'success' ? external : undefined;
  const known = { runId: run.id, userId: run.userId, createdAt, status, error, storageUrl: recorded?.storageUrl };
  if (await hasRecord(deps.db, known)) return 'present';
  const { mimeType, bytes, sha256 } = found;
  if (recorded && sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256)) fields.sha256 = sha256;
  const source: Source = recorded ? { type: 'external', ...recorded, mimeType, bytes } : { type: 'none' };
  return { found, fields, source, bytes: undefined };
}
