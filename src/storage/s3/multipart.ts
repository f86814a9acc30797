import { createHash } from 'node:crypto';
import { type PutResult, StorageError } from '../driver.ts';
import type { S3Bucket } from './client.ts';
import { asS3Failure, isAmbiguous, isMissing, nameOf, reasonOf, statusOf } from './errors.ts';
import { PUT_ID, removeOwn } from './object.ts';
import type { UploadPart } from './parts.ts';
import { type Put, digestOf, ifNoneMatch, refuseExisting, refuseWrong, requireStored, settle } from './settle.ts';

/** Bytes of one upload in flight at a time, besides the part that is being gathered. */
const IN_FLIGHT_BYTES = 16 * 1024 ** 2;

interface Upload {
  id: string;
  /** The server may have begun a second upload, whose id was lost with its response. */
  twice: boolean;
}

/**
 * Stores a body in parts. Only the last request, sent after the body has ended well, turns the upload into an object; when
 * anything fails before, the upload is aborted.
 * @param failed fired when a part fails, to stop waiting for the body
 */
export async function putMultipart(
  s3: S3Bucket,
  put: Put,
  first: UploadPart,
  rest: AsyncGenerator<UploadPart>,
  failed: AbortController,
): Promise<PutResult> {
  const upload = await begin(s3, put).catch(async (error: unknown) => {
    first.giveBack(true);
    await rest.return(undefined);
    throw error;
  });
  let completing = false;
  try {
    const { etags, bytes } = await sendParts(s3, put, upload, prepend(first, rest), failed);
    if (!put.overwrite) await refuseExisting(s3, put);
    completing = true;
    const etag = await complete(s3, put, upload, etags, bytes);
    if (upload.twice) await abortUploads(s3, put.key).catch(logLeft(s3, put.key));
    return { bytes, ...(etag !== undefined && { etag }) };
  } catch (error) {
    await takeBack(s3, put, upload, completing).catch(logLeft(s3, put.key));
    throw error;
  }
}

async function takeBack(s3: S3Bucket, put: Put, upload: Upload, completing: boolean): Promise<void> {
  await (upload.twice ? abortUploads(s3, put.key) : abortUpload(s3, put.key, upload.id));
  // It may have become an object before it was aborted; after the abort it no longer can.
  if (completing) await removeOwn(s3, put.key, put.id);
}

function logLeft(s3: S3Bucket, key: string): (error: unknown) => void {
  return (error) =>
    s3.log('warn', 'the parts of a failed upload could not be removed; the sweeper will', {
      key,
      reason: reasonOf(error),
    });
}

async function* prepend(first: UploadPart, rest: AsyncGenerator<UploadPart>): AsyncGenerator<UploadPart> {
  try {
    yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function begin(s3: S3Bucket, put: Put): Promise<Upload> {
  try {
    const answer = await s3.client.send(
      new s3.sdk.CreateMultipartUploadCommand({
        Bucket: s3.name,
        Key: s3.path(put.key),
        ContentType: put.contentType,
        Metadata: { [PUT_ID]: put.id },
      }),
      put.signal && { abortSignal: put.signal },
    );
    if (answer.UploadId === undefined)
      throw new StorageError('UNAVAILABLE', 'The S3 server began an upload without an id');
    return { id: answer.UploadId, twice: (answer.$metadata.attempts ?? 1) > 1 };
  } catch (error) {
    if (isAmbiguous(error)) await abortUploads(s3, put.key).catch(logLeft(s3, put.key));
    put.signal?.throwIfAborted();
    throw asS3Failure(error, 'Beginning an upload');
  }
}

/**
 * Sends the parts, few at a time, and releases the memory of each. @throws the error of the body or of the first failed part,
 * once no request is running
 */
async function sendParts(
  s3: S3Bucket,
  put: Put,
  upload: Upload,
  parts: AsyncIterable<UploadPart>,
  failed: AbortController,
): Promise<{ etags: string[]; bytes: number }> {
  const signal = put.signal ? AbortSignal.any([put.signal, failed.signal]) : failed.signal;
  const etags: string[] = [];
  const running = new Set<Promise<void>>();
  let bytes = 0;
  try {
    for await (const part of parts) {
      bytes += part.bytes.length;
      const sending = sendPart(s3, put, upload, part, signal).then((etag) => {
        etags[part.number - 1] = etag;
      });
      const done = sending
        .catch((error: unknown) => failed.abort(error))
        .finally(() => {
          running.delete(done);
        });
      running.add(done);
      while (running.size >= Math.max(1, Math.floor(IN_FLIGHT_BYTES / part.bytes.length))) await Promise.race(running);
      signal.throwIfAborted();
    }
    await Promise.all(running);
    signal.throwIfAborted();
    return { etags, bytes };
  } catch (error) {
    // Ends running requests; an aborted upload may keep a part that arrives during the abort.
    failed.abort(error);
    await Promise.all(running);
    put.signal?.throwIfAborted();
    throw failed.signal.reason;
  }
}

async function sendPart(
  s3: S3Bucket,
  put: Put,
  upload: Upload,
  part: UploadPart,
  signal: AbortSignal,
): Promise<string> {
  const md5 = createHash('md5').update(part.bytes).digest();
  let unread = false;
  try {
    const answer = await s3.client.send(
      new s3.sdk.UploadPartCommand({
        Bucket: s3.name,
        Key: s3.path(put.key),
        UploadId: upload.id,
        PartNumber: part.number,
        Body: part.bytes,
        ContentLength: part.bytes.length,
        ContentMD5: md5.toString('base64'),
      }),
      { abortSignal: signal },
    );
    const known = digestOf(s3, answer);
    if (answer.ETag === undefined || (known !== undefined && known !== md5.toString('hex')))
      throw new StorageError(
        'UNAVAILABLE',
        `The S3 server has not stored what it was sent: the ETag of part ${part.number} is ${answer.ETag}`,
      );
    // The server has read all of it: it returned the ETag or accepted the MD5.
    unread = answer.$metadata.attempts === 1;
    return answer.ETag;
  } catch (error) {
    if (nameOf(error) === 'NoSuchUpload')
      throw new StorageError('UNAVAILABLE', 'The upload was given up while it was written', { cause: error });
    throw asS3Failure(error, 'Storing a part');
  } finally {
    part.giveBack(unread);
  }
}

/** Completes the upload; returns the object's ETag. */
async function complete(
  s3: S3Bucket,
  put: Put,
  upload: Upload,
  etags: readonly string[],
  bytes: number,
): Promise<string | undefined> {
  let etag: string | undefined;
  try {
    const answer = await s3.client.send(
      new s3.sdk.CompleteMultipartUploadCommand({
        Bucket: s3.name,
        Key: s3.path(put.key),
        UploadId: upload.id,
        MultipartUpload: { Parts: etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 })) },
        ...ifNoneMatch(s3, put),
      }),
      put.signal && { abortSignal: put.signal },
    );
    etag = answer.ETag;
  } catch (error) {
    // A retry does not find the upload when the first attempt worked and its response was lost.
    const unknown = nameOf(error) === 'NoSuchUpload' ? new Error('the upload is gone', { cause: error }) : error;
    const found = await settle(s3, put, unknown, 'Completing an upload');
    if (found === 'again') throw asS3Failure(error, 'Completing an upload');
    if (found.bytes !== bytes) await refuseWrong(s3, put, `it has ${found.bytes} of ${bytes} bytes`);
    return undefined;
  }
  await requireStored(s3, put, bytes);
  return etag;
}

async function abortUpload(s3: S3Bucket, key: string, id: string): Promise<void> {
  try {
    await s3.client.send(new s3.sdk.AbortMultipartUploadCommand({ Bucket: s3.name, Key: s3.path(key), UploadId: id }), {
      abortSignal: AbortSignal.timeout(s3.limits.settleMs),
    });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** More rounds are needed only while another writer keeps uploading. */
const MAX_ROUNDS = 3;

/** Aborts all uploads of exactly this key, repeating for those begun concurrently. */
export async function abortUploads(s3: S3Bucket, key: string): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const ids = await uploadsOf(s3, key);
    if (ids.length === 0) return;
    for (const id of ids) await abortUpload(s3, key, id);
  }
}

async function uploadsOf(s3: S3Bucket, key: string): Promise<string[]> {
  const path = s3.path(key);
  const ids: string[] = [];
  let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
  for (;;) {
    const page = await s3.client
      .send(new s3.sdk.ListMultipartUploadsCommand({ Bucket: s3.name, Prefix: path, ...markers }))
      .catch((error: unknown) => {
        if (statusOf(error) === 501 || nameOf(error) === 'NotImplemented') return undefined;
        throw error;
      });
    // Longer keys share this prefix; they are other objects.
    for (const upload of page?.Uploads ?? [])
      if (upload.Key === path && upload.UploadId !== undefined) ids.push(upload.UploadId);
    const next = page?.NextKeyMarker;
    // Sorted by key: after this one nothing of it follows.
    if (!page?.IsTruncated || next === undefined || next !== path) return ids;
    markers = { KeyMarker: next, UploadIdMarker: page.NextUploadIdMarker };
  }
}
