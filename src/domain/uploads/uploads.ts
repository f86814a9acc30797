import type { MediaItem } from '../../db/item-columns.ts';
import type { JsonObject } from '../../json/json.ts';
import { randomUUID } from 'node:crypto';
import { deleteIntent, markIntent, renewIntent } from '../../db/objects/intents.ts';
import { findItem } from '../../db/items/items.ts';
import {
  type Upload,
  deleteUpload,
  findUpload,
  insertUpload,
  intentOf,
  setUploadItem,
} from '../../db/objects/uploads.ts';
import { AppError, isAppError } from '../../errors.ts';
import { createInspector } from '../../media/inspect/inspect.ts';
import type { PresignedPut } from '../../storage/driver.ts';
import type { Store } from '../../storage/stores/store.ts';
import { openBody } from '../bytes/incoming-body.ts';
import { type Caller, mayReach, ownerFor } from '../caller.ts';
import { commitItem } from '../ingest/commit-item.ts';
import type { DeliveryDeps } from '../delivery/delivery-deps.ts';
import type { Deps } from '../deps.ts';
import { HEAD_BYTES, identify } from '../bytes/identify.ts';
import { checkParent } from '../ingest/ingest.ts';
import { keepLease } from '../staging/intent-lease.ts';
import { type ItemFields, type ItemInput, checkFields } from '../items/item-fields.ts';
import { assertOpen, destinationOf, findRunOf } from '../staging/destination.ts';
import { type ReadObject, readObject } from '../bytes/read-object.ts';
import { OCTETS, announcedType, checkType, hintsOf } from './announced-type.ts';

/** Long enough for a large file over a slow line. */
const UPLOAD_SECONDS = 3600;

export interface NewUpload {
  caller: Caller;
  input: ItemInput;
  /** As the browser tells it: maybe empty, or of another type of the same family. */
  contentType: string | undefined;
  bytes: number;
}

/** Where and how the client sends the bytes: to the store if it can presign, else to this service. */
export interface BegunUpload extends PresignedPut {
  id: string;
  method: 'PUT';
  expiresAt: string;
}

/** Begins an upload whose bytes the client sends later. @throws AppError invalid_request, too_large, unsupported_media, … */
export async function beginUpload(deps: DeliveryDeps, request: NewUpload): Promise<BegunUpload> {
  const userId = ownerFor(request.caller, request.input.userId);
  const fields = checkFields(request.input, userId);
  await checkParent(deps, request.caller, fields.parentId);
  const type = announcedType(request.contentType ?? '', fields.filename);
  const run = await findRunOf(deps, fields);
  assertOpen(run);
  if (run && !type)
    throw new AppError('invalid_request', 'In a run, say the type of the file, or give it a name with its ending.', {
      field: 'contentType',
    });
  const place = destinationOf(deps, fields, fields.filename, run);
  const [wanted, ...fallbacks] = place.stores;
  checkSize(deps, wanted, request.bytes);
  const store = [wanted, ...fallbacks].find((each) => each.available() && takes(each, request.bytes)) ?? wanted;
  const upload = {
    id: randomUUID(),
    userId,
    store: store.name,
    key: type ? await place.keyFor(type.ext, { type, store }) : await place.keyFor('bin', { type: OCTETS, store }),
    home: store === wanted ? undefined : wanted.name,
    contentType: (type ?? OCTETS).mime,
    bytes: request.bytes,
    fields: fields as unknown as JsonObject,
  };
  const { expiresAt } = await insertUpload(deps.db, upload, UPLOAD_SECONDS);
  const { id, contentType } = upload;
  const direct = deps.delivery === 'redirect' ? await presign(deps, store, upload) : undefined;
  if (direct) return { id, method: 'PUT', ...direct, expiresAt };
  const expires = Math.floor(Date.parse(expiresAt) / 1000);
  const token = deps.signer.sign({ method: 'PUT', itemId: id, variant: 'upload', download: false, expires });
  const url = `${deps.publicBaseUrl}/v1/uploads/${id}/content?token=${token}`;
  return { id, method: 'PUT', url, headers: { 'content-type': contentType }, expiresAt };
}

async function presign(
  { log }: Pick<Deps, 'log'>,
  store: Store,
  { key, contentType, bytes }: Pick<Upload, 'key' | 'contentType' | 'bytes'>,
): Promise<PresignedPut | undefined> {
  try {
    return await store.presignPut?.(key, { expiresIn: UPLOAD_SECONDS, contentType, bytes });
  } catch (error) {
    log.warn({ err: error, store: store.name }, 'could not presign; the upload goes through the service');
    return undefined;
  }
}

/** Characters; this service issues no longer token. */
const MAX_TOKEN = 2000;

/** The upload's token replaces a caller's. @throws AppError signature_invalid, signature_expired */
export function checkUploadToken({ signer }: Pick<DeliveryDeps, 'signer'>, id: string, token: unknown): void {
  const grant = signer.verify(typeof token === 'string' ? token.slice(0, MAX_TOKEN) : '');
  if (grant.method !== 'PUT' || grant.variant !== 'upload' || grant.itemId !== id)
    throw new AppError('signature_invalid', 'The token is not one for this upload; begin a new upload.');
}

function takes({ capabilities: { maxObjectBytes } }: Store, bytes: number): boolean {
  return maxObjectBytes === undefined || bytes <= maxObjectBytes;
}

function checkSize(deps: Deps, store: Store, bytes: number): void {
  const most = Math.min(deps.limits.maxUploadBytes, store.capabilities.maxObjectBytes ?? Infinity);
  if (bytes > most) throw new AppError('too_large', `The file may have at most ${most} bytes.`, { field: 'bytes' });
}

/** Receives the bytes of an upload through this service. @throws AppError not_found, object_taken, length_mismatch, … */
export async function receiveUpload(
  deps: Deps,
  id: string,
  { body, size, signal }: { body: AsyncIterable<Uint8Array>; size: number | undefined; signal: AbortSignal },
): Promise<void> {
  const upload = await findUpload(deps.db, id);
  if (!upload) throw notFound();
  checkStore(deps, upload);
  if (upload.itemId !== undefined) throw taken();
  if (size !== undefined && size !== upload.bytes) throw wrongLength(size, upload.bytes);
  const store = deps.stores.get(upload.store);
  const lease = keepLease(deps, intentOf(upload), { signal });
  try {
    const incoming = await openBody(body, { headBytes: HEAD_BYTES, maxBytes: upload.bytes });
    const type = await identify(incoming, hintsOf(upload));
    checkType(upload, type.mime);
    const inspector = createInspector(type);
    await store.put(upload.key, {
      body: incoming.read(),
      onChunk: (chunk) => inspector.push(chunk),
      size: upload.bytes,
      contentType: type.mime,
      signal: lease.signal,
      verify: ({ bytes, sha256 }) => {
        const result = inspector.finish();
        checkFound(upload, { bytes, sha256, type, ...(result.ok ? {} : { reason: result.reason }) });
      },
    });
  } catch (error) {
    throw isAppError(error, 'object_taken') ? taken(error) : error;
  } finally {
    lease.stop();
  }
}

/**
 * Creates the item of an upload whose bytes have arrived, once they match what was announced; bytes that do not match are
 * removed. Repeated, it returns the same item.
 * @throws AppError not_found, upload_incomplete, upload_expired, length_mismatch, digest_mismatch, unsupported_media
 */
export async function completeUpload(
  deps: Deps,
  caller: Caller,
  id: string,
  signal?: AbortSignal,
): Promise<{ item: MediaItem; created: boolean }> {
  const upload = await findUpload(deps.db, id);
  if (!upload || !mayReach(caller, upload.userId)) throw notFound();
  checkStore(deps, upload);
  if (upload.itemId !== undefined) return { item: await itemOf(deps, upload.itemId), created: false };
  const intent = intentOf(upload);
  const lease = keepLease(deps, intent, { signal });
  try {
    if (!(await renewIntent(deps.db, intent))) throw expired();
    const found = await arrived(deps, upload, lease.signal);
    checkFound(upload, found);
    const item = await commitUploaded(deps, upload, found);
    return { item, created: true };
  } catch (error) {
    if (isAppError(error, 'length_mismatch', 'digest_mismatch', 'unsupported_media', 'file_missing')) {
      await removeUpload(deps, upload);
      throw error;
    }
    // Another call may have completed it; otherwise its intent has expired.
    const now = await findUpload(deps.db, id);
    if (now?.itemId !== undefined) return { item: await itemOf(deps, now.itemId), created: false };
    throw error;
  } finally {
    lease.stop();
  }
}

async function arrived(deps: Deps, upload: Upload, signal: AbortSignal): Promise<ReadObject> {
  const store = deps.stores.get(upload.store);
  try {
    // Its size is checked before all of it is read.
    const stat = await store.stat(upload.key);
    if (stat && stat.bytes !== upload.bytes) throw wrongLength(stat.bytes, upload.bytes);
    return await readObject(store, upload.key, { ...hintsOf(upload), signal });
  } catch (error) {
    if (!isAppError(error, 'content_missing')) throw error;
    if (Date.parse(upload.expiresAt) < Date.now()) throw expired(error);
    throw new AppError('upload_incomplete', 'The bytes have not arrived; send them to the URL of the upload first.', {
      cause: error,
    });
  }
}

async function commitUploaded(deps: Deps, upload: Upload, found: ReadObject): Promise<MediaItem> {
  const fields: ItemFields = checkFields(upload.fields, upload.userId);
  const home = upload.home !== undefined && deps.stores.has(upload.home) ? deps.stores.get(upload.home) : undefined;
  return commitItem(deps, {
    fields,
    source: { type: 'none' },
    bytes: { store: upload.store, key: upload.key, ...found, owned: true, home },
    intent: intentOf(upload),
    within: async (trx, itemId) => {
      if (!(await setUploadItem(trx, upload.id, itemId))) throw notFound();
    },
  });
}

async function itemOf(deps: Deps, id: string): Promise<MediaItem> {
  const item = await findItem(deps.db, id);
  if (!item || item.deletedAt !== null) throw new AppError('not_found', 'The item of this upload was deleted.');
  return item;
}

async function removeUpload(deps: Deps, upload: Upload): Promise<void> {
  const intent = intentOf(upload);
  try {
    if (!(await markIntent(deps.db, intent))) return;
    await deps.stores.get(upload.store).delete(upload.key);
    // The intent outlives the URL, with which bytes may be written again until it expires.
    await deleteIntent(deps.db, intent);
    await deleteUpload(deps.db, upload.id);
  } catch (error) {
    deps.log.warn({ err: error, ...intent }, 'could not remove an upload that was refused; the sweeper will');
  }
}

/** The configuration may have changed since the upload began. */
function checkStore({ stores }: Deps, { store }: Upload): void {
  if (!stores.has(store))
    throw new AppError('upload_expired', 'The store of this upload is no longer in use; begin a new one.');
}

function checkFound(
  upload: Upload,
  found: { bytes: number; sha256: string; type: { mime: string }; reason?: string },
): void {
  if (found.bytes !== upload.bytes) throw wrongLength(found.bytes, upload.bytes);
  checkType(upload, found.type.mime);
  if (found.reason !== undefined)
    throw new AppError(
      'unsupported_media',
      `The file is not the ${found.type.mime} that it seemed to be: ${found.reason}.`,
    );
  const { sha256 } = upload.fields;
  if (typeof sha256 === 'string' && sha256 !== found.sha256)
    throw new AppError('digest_mismatch', `The file's SHA-256 is ${found.sha256}, not ${sha256}; nothing was kept.`, {
      field: 'sha256',
    });
}

function wrongLength(arrivedBytes: number, announced: number): AppError {
  return new AppError(
    'length_mismatch',
    `${arrivedBytes} bytes came where ${announced} were announced; nothing was kept.`,
    {
      field: 'bytes',
    },
  );
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such upload, or this token may not see it.');
}

function taken(cause?: unknown): AppError {
  return new AppError('object_taken', 'The bytes of this upload have arrived already; complete it.', { cause });
}

function expired(cause?: unknown): AppError {
  return new AppError('upload_expired', 'The time of this upload is over; begin a new one.', { cause });
}
