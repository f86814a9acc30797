import { CreateBucketCommand, PutBucketCorsCommand, S3Client } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import type { TestServer } from './bucket.ts';

export interface S3Settings {
  /** Settings of a service whose store `s3` is a new bucket or prefix there. */
  env: Record<string, string>;
  client: S3Client;
  bucket: string;
  /** Prefix of every key. */
  prefix: string;
}

/** Creates a bucket on that server, with CORS for `origin` if given. */
export async function s3Settings(server: TestServer, origin?: string): Promise<S3Settings> {
  const { endpoint, accessKeyId, secretAccessKey, region = 'us-east-1' } = server;
  const unique = randomBytes(6).toString('hex');
  const bucket = server.bucket ?? `service-${unique}`;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  if (server.bucket === undefined) await client.send(new CreateBucketCommand({ Bucket: bucket }));
  if (origin !== undefined)
    await client.send(
      new PutBucketCorsCommand({
        Bucket: bucket,
        CORSConfiguration: {
          CORSRules: [
            { AllowedOrigins: [origin], AllowedMethods: ['PUT'], AllowedHeaders: ['*'] },
            // After the service's redirect a browser sends the store only the origin 'null'.
            { AllowedOrigins: ['*'], AllowedMethods: ['GET'], AllowedHeaders: ['*'] },
          ],
        },
      }),
    );
  const prefix = server.bucket === undefined ? '' : `service-${unique}`;
  return {
    env: {
      STORAGE_PRIMARY: 's3',
      S3_BUCKET: bucket,
      S3_ENDPOINT: endpoint,
      S3_REGION: region,
      S3_ACCESS_KEY_ID: accessKeyId,
      S3_SECRET_ACCESS_KEY: secretAccessKey,
      ...(prefix !== '' && { S3_PREFIX: prefix }),
    },
    client,
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
  };
}
