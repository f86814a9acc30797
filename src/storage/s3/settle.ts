import { StorageError } from '../driver.ts';
import type { S3Bucket } from './client.ts';
import { asS3Failure, isAmbiguous, nameOf, reasonOf, statusOf } from './errors.ts';
import { type FoundObject, headObject, removeOwn } from './object.ts';

/** One running put. */
export interface Put {
  key: string;
  /** Random, stored with the object, to find it when the answer was lost. */
  id: string;
  contentType: string;
  overwrite: boolean;
  signal: AbortSignal | undefined;
}

/** The MD5 in the ETag of a single request's body; undefined where the ETag is something else, as with a KMS key. */
export function digestOf(
  s3: S3Bucket,
  answer: { ETag?: string; ServerSideEncryption?: string; SSECustomerAlgorithm?: string },
): string | undefined {
  const otherwise = answer.SSECustomerAlgorithm !== undefined || answer.ServerSideEncryption?.startsWith('aws:kms');
  if (otherwise || !s3.plainEtags) return undefined;
  return /^"?([0-9a-f]{32})"?$/i.exec(answer.ETag ?? '')?.[1]?.toLowerCase();
}

export function ifNoneMatch(s3: S3Bucket, put: Put): { IfNoneMatch?: '*' } {
  return put.overwrite || s3.conditional === 'refused' ? {} : { IfNoneMatch: '*' };
}

/** @throws StorageError EXISTS when the put's key has an object */
export async function refuseExisting(s3: S3Bucket, put: Put): Promise<void> {
  const found = await headObject(s3, put.key, put.signal).catch((error: unknown) => {
    put.signal?.throwIfAborted();
    throw asS3Failure(error, 'Looking for an object');
  });
  if (found) throw new StorageError('EXISTS', 'There is an object of that key already');
}

/** Checks what was stored, where the acknowledgement alone does not tell. */
export async function requireStored(s3: S3Bucket, put: Put, bytes: number): Promise<void> {
  const found = await headObject(s3, put.key, put.signal).catch((error: unknown) => {
    put.signal?.throwIfAborted();
    throw asS3Failure(error, 'Checking an object');
  });
  if (found?.putId === put.id && found.bytes === bytes) return;
  if (found && found.putId !== put.id && !put.overwrite)
    throw new StorageError('EXISTS', 'Another writer has stored an object of that key at the same time');
  await refuseWrong(s3, put, found ? `it has ${found.bytes} of ${bytes} bytes` : 'it is not there');
}

/** Removes an object that differs from what was sent. */
export async function refuseWrong(s3: S3Bucket, put: Put, problem: string): Promise<never> {
  await removeOwn(s3, put.key, put.id).catch((error: unknown) =>
    s3.log('warn', 'an object that arrived wrong could not be removed', { key: put.key, reason: reasonOf(error) }),
  );
  throw new StorageError('UNAVAILABLE', `The S3 server has not stored what it was sent: ${problem}`);
}

/**
 * Finds out what a failed request has done (states: put.ts). Returns the object if it was stored after all, 'again' if another
 * attempt is due; otherwise throws and leaves nothing of ours.
 */
export async function settle(s3: S3Bucket, put: Put, error: unknown, doing: string): Promise<FoundObject | 'again'> {
  const status = statusOf(error);
  const conflict = status === 409 && nameOf(error) !== 'BucketAlreadyExists';
  const aborted = put.signal?.aborted ?? false;
  if (!aborted && !conflict && status !== 412 && !isAmbiguous(error)) throw asS3Failure(error, doing);
  const signal = AbortSignal.timeout(s3.limits.settleMs);
  if (aborted) {
    await removeOwn(s3, put.key, put.id).catch((cause: unknown) =>
      s3.log('warn', 'what an interrupted upload has left could not be looked up', {
        key: put.key,
        reason: reasonOf(cause),
      }),
    );
    throw put.signal?.reason;
  }
  const found = await headObject(s3, put.key, signal).catch(() => {
    throw asS3Failure(error, doing);
  });
  if (found?.putId === put.id) return found;
  if (found && !put.overwrite)
    throw new StorageError('EXISTS', 'There is an object of that key already', { cause: error });
  if (conflict) return 'again';
  throw asS3Failure(error, doing);
}
