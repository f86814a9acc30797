import type { PresignGetOptions, PresignPutOptions, PresignedPut } from '../driver.ts';
import type { S3Bucket } from './client.ts';
import { type GetSigner, createGetSigner } from './get-signer.ts';

/** Maximum validity of a signature of this kind (SigV4 in the query): 7 days. */
const MAX_SECONDS = 604_800;
/** Largest object that one request can store: 5 GiB. */
const MAX_PUT_BYTES = 5 * 1024 ** 3;

export interface Presigner {
  presignGet(key: string, options: PresignGetOptions): Promise<string>;
  presignPut(key: string, options: PresignPutOptions): Promise<PresignedPut | undefined>;
}

/** Creates signed URLs without contacting the server. */
export async function createPresigner(s3: S3Bucket, honoursConditions: () => Promise<boolean>): Promise<Presigner> {
  const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
  let learning: Promise<GetSigner | undefined> | undefined;
  /** Created at first use, because credentials may be unavailable before; retried after a failure. */
  const getSigner = () => {
    learning ??= createGetSigner(s3).catch((error: unknown) => {
      learning = undefined;
      throw error;
    });
    return learning;
  };
  return {
    async presignGet(key, { expiresIn, contentType, contentDisposition, cacheControl }) {
      checkLifetime(expiresIn);
      const sign = await getSigner();
      if (sign) {
        const query = {
          'x-id': 'GetObject',
          ...(contentType !== undefined && { 'response-content-type': contentType }),
          ...(contentDisposition !== undefined && { 'response-content-disposition': contentDisposition }),
          ...(cacheControl !== undefined && { 'response-cache-control': cacheControl }),
        };
        return sign(s3.path(key), query, expiresIn);
      }
      const command = new s3.sdk.GetObjectCommand({
        Bucket: s3.name,
        Key: s3.path(key),
        ...(contentType !== undefined && { ResponseContentType: contentType }),
        ...(contentDisposition !== undefined && { ResponseContentDisposition: contentDisposition }),
        ...(cacheControl !== undefined && { ResponseCacheControl: cacheControl }),
      });
      return getSignedUrl(s3.signer, command, { expiresIn });
    },

    async presignPut(key, { expiresIn, contentType, bytes }) {
      checkLifetime(expiresIn);
      if (bytes > MAX_PUT_BYTES) return undefined;
      // Without the condition, the URL could replace a stored object until it expires.
      if (!(await honoursConditions())) return undefined;
      const command = new s3.sdk.PutObjectCommand({
        Bucket: s3.name,
        Key: s3.path(key),
        ContentType: contentType,
        ContentLength: bytes,
        IfNoneMatch: '*',
      });
      const url = await getSignedUrl(s3.signer, command, {
        expiresIn,
        // All other headers are signed in any case; a signed header must be sent with exactly its value.
        signableHeaders: new Set(['content-type']),
      });
      return { url, headers: { 'content-type': contentType, 'if-none-match': '*' } };
    },
  };
}

function checkLifetime(seconds: number): void {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_SECONDS)
    throw new RangeError(
      `A presigned URL is valid for a whole number of seconds from 1 to ${MAX_SECONDS} (7 days), not ${seconds}`,
    );
}
