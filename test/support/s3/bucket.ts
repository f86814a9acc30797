import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import type { Driver } from '../../../src/storage/driver.ts';
import { createS3Driver } from '../../../src/storage/s3/s3-driver.ts';
import type { S3Options } from '../../../src/storage/s3/settings.ts';
import { createDriverContext } from '../storage/driver-context.ts';

export interface TestServer {
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
  region?: string;
  bucket?: string | undefined;
}

export interface TestBucket {
  name: string;
  options: S3Options;
  driver: Driver;
  /** A plain client with the same keys, as another user of the bucket has. */
  client: S3Client;
  /** Another driver in this bucket. */
  open(overrides?: Partial<S3Options>): Promise<Driver>;
  /** Full keys of everything below `prefix`, unfinished uploads (`key?upload`) too. */
  everything(prefix?: string): Promise<string[]>;
  close(): Promise<void>;
}

/** A new bucket on that server (below a new prefix where only one bucket may be used), and a driver for it. */
export async function createTestBucket(server: TestServer, overrides: Partial<S3Options> = {}): Promise<TestBucket> {
  const { endpoint, accessKeyId, secretAccessKey, region = 'us-east-1' } = server;
  const unique = randomBytes(6).toString('hex');
  const name = server.bucket ?? `test-${unique}`;
  const options: S3Options = {
    bucket: name,
    createBucket: false,
    region,
    endpoint,
    publicEndpoint: undefined,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    presign: true,
    prefix: server.bucket === undefined ? '' : `test-${unique}/`,
    ...overrides,
  };
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  if (server.bucket === undefined) await client.send(new CreateBucketCommand({ Bucket: name }));
  const drivers: Driver[] = [];
  const open = async (more: Partial<S3Options> = {}) => {
    const driver = await createS3Driver({ ...options, ...more }, createDriverContext('s3'));
    drivers.push(driver);
    return driver;
  };
  return {
    name,
    options,
    driver: await open(),
    client,
    open,
    async everything(prefix = '') {
      const found: string[] = [];
      for await (const page of paginateListObjectsV2({ client }, { Bucket: name, Prefix: prefix }))
        found.push(...(page.Contents ?? []).map((object) => object.Key ?? ''));
      const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: name, Prefix: prefix }));
      found.push(...(Uploads ?? []).map((upload) => `${upload.Key}?upload`));
      return found.toSorted();
    },
    async close() {
      for (const driver of drivers) await driver.close?.();
      client.destroy();
    },
  };
}
