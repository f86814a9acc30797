import { isMissing } from './errors.ts';
import type { S3Bucket } from './client.ts';

/** Name of the metadata that identifies the put that wrote an object. */
export const PUT_ID = 'mediakeep-put';

export interface FoundObject {
  bytes: number;
  modifiedAt: Date;
  /** The put that stored it; undefined when it was none of ours. */
  putId: string | undefined;
}

/** The object under `key`. A missing bucket looks like a missing object: responses to HEAD carry no error name. */
export async function headObject(s3: S3Bucket, key: string, signal?: AbortSignal): Promise<FoundObject | undefined> {
  try {
    const found = await s3.client.send(
      new s3.sdk.HeadObjectCommand({ Bucket: s3.name, Key: s3.path(key) }),
      signal && { abortSignal: signal },
    );
    return {
      bytes: found.ContentLength ?? 0,
      modifiedAt: found.LastModified ?? new Date(0),
      putId: found.Metadata?.[PUT_ID],
    };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export async function deleteObject(s3: S3Bucket, key: string, signal?: AbortSignal): Promise<void> {
  try {
    await s3.client.send(
      new s3.sdk.DeleteObjectCommand({ Bucket: s3.name, Key: s3.path(key) }),
      signal && { abortSignal: signal },
    );
  } catch (error) {
    // Some servers report an error when there is nothing to delete.
    if (!isMissing(error)) throw error;
  }
}

/** Removes the object if the put `putId` stored it, whatever that put's own outcome. */
export async function removeOwn(s3: S3Bucket, key: string, putId: string): Promise<void> {
  const signal = AbortSignal.timeout(s3.limits.settleMs);
  const found = await headObject(s3, key, signal);
  if (found?.putId === putId) await deleteObject(s3, key, signal);
}
