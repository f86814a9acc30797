import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PutOptions, type PutResult, StorageError } from '../driver.ts';
import { abortable } from '../streams/abortable.ts';
import type { S3Bucket } from './client.ts';
import { asS3Failure } from './errors.ts';
import { putMultipart } from './multipart.ts';
import { PUT_ID } from './object.ts';
import { type UploadPart, cutParts } from './parts.ts';
import { type Put, digestOf, ifNoneMatch, refuseExisting, refuseWrong, requireStored, settle } from './settle.ts';

/*
 * A put never replaces an object (unless `overwrite`) and carries a random id (`Put.id`) in its metadata:
 *
 *   one part ──> PutObject, If-None-Match: * ─────────┬─ ok ─────> verified: the ETag is our MD5, or HEAD finds our id and size;
 *   parts ─────> begin ─> parts ─> Complete, likewise ┤            stored, else removed again
 *                  └── failure: upload aborted        └─ failed ─> settle
 *
 *   settle (after an abort, 409, 412 or an unclear answer) asks HEAD:
 *     our id ───────────> stored: the answer was lost
 *     another's object ─> EXISTS
 *     nothing ──────────> 409: a single put retries, up to 5 times; else it fails
 *     aborted by us ────> our object is removed, and the signal's reason thrown
 *
 * Servers that ignore or refuse If-None-Match are asked with HEAD before a single put; a multipart upload always asks before it
 * completes.
 */

/** Stores a body: in one request when it fits into one part, else in parts; nothing is sent as complete before the body has ended. */
export async function putObject(
  s3: S3Bucket,
  key: string,
  body: AsyncIterable<Uint8Array>,
  { size, contentType, overwrite = false, signal }: PutOptions,
): Promise<PutResult> {
  signal?.throwIfAborted();
  const put: Put = { key, id: randomUUID(), contentType, overwrite, signal };
  const failed = new AbortController();
  const interrupted = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const parts = cutParts(abortable(body, failed.signal), {
    memory: s3.memory,
    smallest: s3.limits.partBytes,
    size,
    signal: interrupted,
  });
  const first = await parts.next();
  if (first.done) throw new Error('a body has at least one part');
  if (first.value.last) return putSingle(s3, put, first.value);
  return putMultipart(s3, put, first.value, parts, failed);
}

/** Retries of a conflict, which a server may report while another request for the same key is running. */
const MAX_CONFLICTS = 5;

async function putSingle(s3: S3Bucket, put: Put, part: UploadPart): Promise<PutResult> {
  let unread = false;
  try {
    const { attempts, ...stored } = await sendSingle(s3, put, part.bytes);
    unread = attempts === 1;
    return stored;
  } finally {
    part.giveBack(unread);
  }
}

/** `attempts`: undefined when the number of requests that were sent the bytes is unknown. */
async function sendSingle(
  s3: S3Bucket,
  put: Put,
  bytes: Buffer,
): Promise<PutResult & { attempts?: number | undefined }> {
  const md5 = createHash('md5').update(bytes).digest();
  if (!put.overwrite && s3.conditional !== 'honoured') await refuseExisting(s3, put);
  const command = () =>
    new s3.sdk.PutObjectCommand({
      Bucket: s3.name,
      Key: s3.path(put.key),
      Body: bytes,
      ContentLength: bytes.length,
      ContentType: put.contentType,
      ContentMD5: md5.toString('base64'),
      Metadata: { [PUT_ID]: put.id },
      ...ifNoneMatch(s3, put),
    });
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      const answer = await s3.client.send(command(), put.signal && { abortSignal: put.signal });
      const known = digestOf(s3, answer);
      if (known === undefined) await requireStored(s3, put, bytes.length);
      else if (known !== md5.toString('hex')) await refuseWrong(s3, put, `its ETag is ${known}`);
      return {
        bytes: bytes.length,
        ...(answer.ETag !== undefined && { etag: answer.ETag }),
        attempts: conflicts === 0 ? answer.$metadata.attempts : undefined,
      };
    } catch (error) {
      if (error instanceof StorageError) throw error;
      const settled = await settle(s3, put, error, 'Storing an object');
      if (settled === 'again' && conflicts < MAX_CONFLICTS) await sleep(50 * 2 ** conflicts * (0.5 + Math.random()));
      else if (settled === 'again') throw asS3Failure(error, 'Storing an object');
      else if (settled.bytes === bytes.length) return { bytes: bytes.length };
      else await refuseWrong(s3, put, `it has ${settled.bytes} bytes`);
    }
  }
}
