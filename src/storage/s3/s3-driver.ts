import { Readable } from 'node:stream';
import { type Driver, type DriverContext, type GetResult, type ListPage, StorageError } from '../driver.ts';
import { PROBE, checkBucket } from './check.ts';
import { type S3Bucket, openBucket } from './client.ts';
import { watchedDownload } from './download.ts';
import { asS3Failure, isMissing, statusOf } from './errors.ts';
import { abortUploads } from './multipart.ts';
import { deleteObject, headObject } from './object.ts';
import { largestUpload } from './parts.ts';
import { createPresigner } from './presign.ts';
import { putObject } from './put.ts';
import type { S3Options } from './settings.ts';

const TIB = 1024 ** 4;

/**
 * Objects in a bucket of any S3-compatible server. The server is not contacted before the first operation; `check` reports
 * problems at the start.
 */
export async function createS3Driver(options: S3Options, context: DriverContext): Promise<Driver> {
  const s3 = await openBucket(options, context);
  let checked = false;
  const check = async () => {
    await checkBucket(s3, options, context.lookOnly);
    checked = true;
  };
  const presigner = options.presign
    ? await createPresigner(s3, async () => {
        if (s3.conditional === 'unknown') await check();
        return s3.conditional === 'honoured';
      })
    : undefined;
  const presign = (reason: string) =>
    options.presign
      ? { able: true, reason }
      : { able: false, reason: `${s3.setting('PRESIGN')} is false; the bytes go through the service.` };

  return {
    remote: true,
    place: `${options.endpoint ?? 'AWS'}/${options.bucket}/${s3.prefix}`,
    capabilities: {
      range: { able: true, reason: 'S3 serves ranges of bytes.' },
      presignGet: presign('A signature in the URL lets a client fetch one object for a limited time.'),
      presignPut: presign('A signature in the URL lets a client store one object of a stated size and type.'),
      publicUrl: { able: false, reason: 'Objects are private; URLs are presigned for each use.' },
      list: { able: true, reason: 'Keys are listed in the order of their UTF-8 bytes.' },
      // S3's limit, or what fits in parts within their memory; a server's own limit may differ.
      maxObjectBytes: Math.min(5 * TIB, largestUpload(s3.limits.partBytes, s3.memory.bytes)),
    },
    ...presigner,

    check,
    put: (key, body, put) => putObject(s3, key, body, put),
    get: (key, get) => getObject(s3, key, get),

    async stat(key) {
      try {
        const found = await headObject(s3, key);
        if (found) return { bytes: found.bytes, modifiedAt: found.modifiedAt };
        // A missing bucket answers HEAD just like a missing object.
        await headBucket(s3);
        return undefined;
      } catch (error) {
        throw asS3Failure(error, 'Looking for an object');
      }
    },

    async delete(key) {
      try {
        // First, so that none of them becomes an object afterwards.
        await abortUploads(s3, key);
        await deleteObject(s3, key);
      } catch (error) {
        throw asS3Failure(error, 'Deleting an object');
      }
    },

    list: (prefix, cursor) => listObjects(s3, prefix, cursor),
    // If the server was down at the start, the start check runs once it is back.
    healthy: () => (checked ? headBucket(s3) : check()),
    close: async () => s3.close(),
  };
}

async function headBucket(s3: S3Bucket): Promise<void> {
  try {
    await s3.client.send(new s3.sdk.HeadBucketCommand({ Bucket: s3.name }));
  } catch (error) {
    if (isMissing(error))
      throw new StorageError('UNAVAILABLE', `The bucket '${s3.name}' does not exist (any more)`, { cause: error });
    throw asS3Failure(error, `Looking for the bucket '${s3.name}'`);
  }
}

async function getObject(
  s3: S3Bucket,
  key: string,
  { range, signal }: Parameters<Driver['get']>[1] = {},
): Promise<GetResult | undefined> {
  signal?.throwIfAborted();
  const tooLate = new AbortController();
  const timer = setTimeout(() => tooLate.abort(), s3.limits.stallMs);
  try {
    const answer = await s3.reader.send(
      new s3.sdk.GetObjectCommand({
        Bucket: s3.name,
        Key: s3.path(key),
        ...(range && { Range: `bytes=${range.start}-${range.end}` }),
      }),
      { abortSignal: signal ? AbortSignal.any([signal, tooLate.signal]) : tooLate.signal },
    );
    const source = answer.Body as Readable;
    const bytes = answer.ContentLength;
    const totalBytes = range ? Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1]) : bytes;
    if (bytes === undefined || totalBytes === undefined || !Number.isInteger(totalBytes)) {
      source.destroy();
      throw new StorageError(
        'UNAVAILABLE',
        range
          ? 'The S3 server ignored the range that was asked for'
          : 'The S3 server did not tell the length of an object',
      );
    }
    return { stream: watchedDownload(source, { bytes, stallMs: s3.limits.stallMs, signal }), bytes, totalBytes };
  } catch (error) {
    signal?.throwIfAborted();
    if (isMissing(error)) return undefined;
    // An object that has become shorter is no failure of the server: the caller gets its size, and learns that these bytes do not
    // exist.
    if (statusOf(error) === 416) {
      const found = await headObject(s3, key, signal);
      return found && { stream: Readable.from([]), bytes: 0, totalBytes: found.bytes };
    }
    if (tooLate.signal.aborted)
      throw new StorageError('UNAVAILABLE', `The S3 server did not answer within ${s3.limits.stallMs} ms`, {
        cause: error,
      });
    throw asS3Failure(error, 'Reading an object');
  } finally {
    clearTimeout(timer);
  }
}

/** One page of keys, sorted by their UTF-8 bytes; the cursor is the page's last key. */
async function listObjects(s3: S3Bucket, prefix: string, cursor?: string): Promise<ListPage> {
  try {
    const page = await s3.client.send(
      new s3.sdk.ListObjectsV2Command({
        Bucket: s3.name,
        Prefix: s3.path(prefix),
        // XML cannot hold every character that a key can.
        EncodingType: 'url',
        ...(cursor !== undefined && { StartAfter: s3.path(cursor) }),
      }),
    );
    const decode = (key: string) =>
      page.EncodingType === 'url' ? decodeURIComponent(key.replaceAll('+', '%20')) : key;
    const found = (page.Contents ?? []).map((object) => ({
      key: decode(object.Key ?? '').slice(s3.prefix.length),
      bytes: object.Size ?? 0,
      modifiedAt: object.LastModified ?? new Date(0),
    }));
    return {
      objects: found.filter((object) => !object.key.startsWith(PROBE)),
      cursor: page.IsTruncated ? found.at(-1)?.key : undefined,
    };
  } catch (error) {
    throw asS3Failure(error, 'Listing objects');
  }
}
