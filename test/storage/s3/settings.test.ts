import dns from 'node:dns';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateMultipartUploadCommand, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { afterEach, expect, inject, test, vi } from 'vitest';
import { createStore } from '../../../src/storage/stores/store.ts';
import { chunked, readAll } from '../../support/bodies.ts';
import { type TestBucket, createTestBucket } from '../../support/s3/bucket.ts';
import { type S3ServerOptions, TEST_KEYS, startS3Server } from '../../support/s3/server.ts';

const chosen = inject('s3');
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  for (const close of closing.splice(0).toReversed()) await close();
});

async function onChosen(): Promise<TestBucket> {
  const bucket = await createTestBucket(chosen);
  closing.push(() => bucket.close());
  return bucket;
}

async function onStrict(options: S3ServerOptions = {}) {
  const server = await startS3Server(options);
  const bucket = await createTestBucket({ endpoint: server.endpoint, ...TEST_KEYS });
  closing.push(
    () => server.close(),
    () => bucket.close(),
  );
  return { server, bucket };
}

const put = (driver: TestBucket['driver'], key: string, text: string) =>
  driver.put(key, chunked(Buffer.from(text)), { contentType: 'text/plain' });
const read = async (driver: TestBucket['driver'], key: string) => {
  const found = await driver.get(key);
  return found && String(await readAll(found.stream));
};

test('two stores with prefixes share a bucket without seeing each other, even if one prefix begins with the other', async () => {
  const bucket = await onChosen();
  const base = bucket.options.prefix;
  const a = await bucket.open({ prefix: `${base}a/` });
  const ab = await bucket.open({ prefix: `${base}ab/` });
  await put(a, 'outputs/x', 'of a');
  await put(ab, 'outputs/x', 'of ab');
  await put(ab, 'b/outputs/x', 'deeper');
  expect(await read(a, 'outputs/x')).toBe('of a');
  expect(await read(ab, 'outputs/x')).toBe('of ab');
  expect((await a.list('')).objects.map((object) => object.key)).toEqual(['outputs/x']);
  expect((await ab.list('')).objects.map((object) => object.key)).toEqual(['b/outputs/x', 'outputs/x']);
  await a.delete('outputs/x');
  expect(await read(ab, 'outputs/x')).toBe('of ab');
  expect(await bucket.everything(base)).toEqual([`${base}ab/b/outputs/x`, `${base}ab/outputs/x`]);
});

test('the store’s sha256 is that of the bytes, in one part and in several', async () => {
  const bucket = await onChosen();
  const store = createStore('s3', 's3', bucket.driver);
  const { createHash, randomBytes } = await import('node:crypto');
  for (const bytes of [randomBytes(1000), randomBytes(20 * 1024 ** 2)]) {
    const key = `outputs/u/${bytes.length}.bin`;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(await store.put(key, { body: chunked(bytes), contentType: 'image/png' })).toEqual({
      bytes: bytes.length,
      sha256,
    });
    const { stream } = await store.get(key);
    expect(
      createHash('sha256')
        .update(await readAll(stream))
        .digest('hex'),
    ).toBe(sha256);
  }
});

test('deleting a key removes the leftovers of its interrupted upload, and nothing of others', async () => {
  const bucket = await onChosen();
  const { client, name: Bucket, driver } = bucket;
  const base = bucket.options.prefix;
  const begin = async (Key: string) => {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    for (const PartNumber of [1, 2])
      await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: Buffer.alloc(1000) }));
  };
  const ours = `${base}outputs/u/a.bin`;
  await begin(ours);
  await begin(ours);
  await begin(`${ours}2`);
  await begin(`${base}outputs/u/a`);
  for (const Key of [ours, `${ours}.json`, `${base}outputs/u/theirs.bin`])
    await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
  await driver.delete('outputs/u/a.bin');
  expect(await bucket.everything(base)).toEqual(
    [`${base}outputs/u/a?upload`, `${ours}.json`, `${ours}2?upload`, `${base}outputs/u/theirs.bin`].toSorted(),
  );
});

test('deleting a key does not touch an upload of a longer one', async () => {
  const { server, bucket } = await onStrict();
  await bucket.client.send(new CreateMultipartUploadCommand({ Bucket: bucket.name, Key: 'outputs/u/a.bin2' }));
  await bucket.driver.delete('outputs/u/a.bin');
  expect(server.asked).not.toContain('AbortMultipartUpload');
});

test('an upload whose parts a sweep has removed fails as unavailable, and leaves nothing', async () => {
  const bucket = await onChosen();
  const { driver } = bucket;
  async function* body() {
    yield Buffer.alloc(20 * 1024 ** 2);
    // Until the first part has been sent, there is nothing to sweep.
    while ((await bucket.everything(bucket.options.prefix)).length === 0) await sleep(20);
    await driver.delete('outputs/u/a.bin');
    yield Buffer.alloc(20 * 1024 ** 2);
  }
  await expect(driver.put('outputs/u/a.bin', body(), { contentType: 'a/b' })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  });
  expect(await bucket.everything(bucket.options.prefix)).toEqual([]);
});

test('with PRESIGN=false the capability says so, names the setting, and the methods are absent', async () => {
  const bucket = await onChosen();
  const driver = await bucket.open({ presign: false });
  expect(driver.presignGet).toBeUndefined();
  expect(driver.presignPut).toBeUndefined();
  expect(driver.capabilities.presignGet).toMatchObject({ able: false, reason: expect.stringContaining('S3_PRESIGN') });
  expect(driver.capabilities.presignPut.able).toBe(false);
});

test('presigned URLs contain the public endpoint and are signed for it', async () => {
  const { server, bucket } = await onStrict();
  const driver = await bucket.open({ publicEndpoint: `http://localhost:${server.port}` });
  await put(driver, 'outputs/x', 'seen from outside');
  const url = (await driver.presignGet?.('outputs/x', { expiresIn: 60 })) ?? '';
  expect(new URL(url).host).toBe(`localhost:${server.port}`);
  expect(await (await fetch(url)).text()).toBe('seen from outside');
  expect((await fetch(url.replace('localhost', '127.0.0.1'))).status).toBe(403);
  const upload = await driver.presignPut?.('outputs/y', { expiresIn: 60, contentType: 'text/plain', bytes: 1 });
  expect(new URL(upload?.url ?? '').host).toBe(`localhost:${server.port}`);
});

test('without path style the bucket is named in the host', async () => {
  const { server, bucket } = await onStrict({ domain: 's3.test' });
  // No resolver knows these names.
  const lookup = dns.lookup;
  vi.spyOn(dns, 'lookup').mockImplementation(((host: string, ...rest: never[]) =>
    (lookup as (...words: never[]) => void)(
      (host.endsWith('.s3.test') ? '127.0.0.1' : host) as never,
      ...rest,
    )) as never);
  const driver = await bucket.open({ endpoint: `http://s3.test:${server.port}`, forcePathStyle: false });
  await driver.check?.();
  await put(driver, 'outputs/a b', 'x');
  expect(await read(driver, 'outputs/a b')).toBe('x');
  expect((await driver.list('')).objects.map((object) => object.key)).toEqual(['outputs/a b']);
  const url = new URL((await driver.presignGet?.('outputs/a b', { expiresIn: 60 })) ?? '');
  expect(url.host).toBe(`${bucket.name}.s3.test:${server.port}`);
});

test('temporary credentials are sent with their token, also in presigned URLs', async () => {
  const { server, bucket } = await onStrict({
    keys: [TEST_KEYS, { accessKeyId: 'temporary', secretAccessKey: 'secret', sessionToken: 'a token' }],
  });
  const keys = { accessKeyId: 'temporary', secretAccessKey: 'secret' };
  const driver = await bucket.open({ credentials: { ...keys, sessionToken: 'a token' } });
  await driver.check?.();
  await put(driver, 'outputs/x', 'x');
  const url = (await driver.presignGet?.('outputs/x', { expiresIn: 60 })) ?? '';
  expect((await fetch(url)).status).toBe(200);
  const without = await bucket.open({ credentials: keys });
  await expect(without.check?.()).rejects.toMatchObject({ code: 'MISCONFIGURED' });
  expect(server.asked.length).toBeGreaterThan(0);
});

test('without keys the SDK’s default chain is used', async () => {
  const { bucket } = await onStrict();
  vi.stubEnv('AWS_ACCESS_KEY_ID', TEST_KEYS.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', TEST_KEYS.secretAccessKey);
  const driver = await bucket.open({ credentials: undefined });
  await driver.check?.();
  await put(driver, 'outputs/x', 'x');
  expect(await read(driver, 'outputs/x')).toBe('x');
});

test('without any credentials the check names the settings', async () => {
  const { bucket } = await onStrict();
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, '');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent');
  vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
  const driver = await bucket.open({ credentials: undefined });
  await expect(driver.check?.()).rejects.toMatchObject({
    code: 'MISCONFIGURED',
    message: expect.stringMatching(/^S3_ACCESS_KEY_ID: .*set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY/),
  });
});

test('a browser may send to a presigned URL where the bucket’s rule names its origin', async () => {
  const { bucket } = await onStrict();
  const { PutBucketCorsCommand } = await import('@aws-sdk/client-s3');
  await bucket.client.send(
    new PutBucketCorsCommand({
      Bucket: bucket.name,
      CORSConfiguration: {
        CORSRules: [
          {
            AllowedOrigins: ['https://app.example'],
            AllowedMethods: ['GET', 'HEAD', 'PUT'],
            AllowedHeaders: ['content-type', 'if-none-match'],
            ExposeHeaders: ['ETag'],
          },
        ],
      },
    }),
  );
  const made = await bucket.driver.presignPut?.('outputs/x', { expiresIn: 60, contentType: 'text/plain', bytes: 1 });
  const preflight = (origin: string) =>
    fetch(made?.url ?? '', {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': Object.keys(made?.headers ?? {}).join(', '),
      },
    });
  const allowed = await preflight('https://app.example');
  expect(allowed.status).toBe(200);
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example');
  expect((await preflight('https://evil.example')).status).toBe(403);
});

test('one PUT takes 5 GiB: a larger object gets no presigned URL', async () => {
  const { bucket } = await onStrict();
  const presigned = (bytes: number) =>
    bucket.driver.presignPut?.('outputs/u/big.bin', { expiresIn: 60, contentType: 'video/mp4', bytes });
  expect(await presigned(5 * 1024 ** 3)).toMatchObject({ url: expect.stringContaining('big.bin') as string });
  expect(await presigned(5 * 1024 ** 3 + 1)).toBeUndefined();
});

test('a bucket that is gone is named by the check of its health', async () => {
  const { server, bucket } = await onStrict();
  await bucket.driver.healthy();
  server.buckets.delete(bucket.name);
  await expect(bucket.driver.healthy()).rejects.toThrow(`The bucket '${bucket.name}' does not exist (any more)`);
});

test('an upload in parts whose object is not there afterwards has failed', async () => {
  const { server, bucket } = await onStrict();
  server.break('CompleteMultipartUpload', {
    kind: 'meanwhile',
    work: () => {
      const objects = server.buckets.get(bucket.name)?.objects;
      // Right after the server has answered, as a server does that loses what it has confirmed.
      setImmediate(() => objects?.clear());
    },
  });
  const big = Buffer.alloc(12 * 1024 ** 2, 1);
  await expect(bucket.driver.put('outputs/u/lost.bin', chunked(big), { contentType: 'image/png' })).rejects.toThrow();
});

test('a conflict with another request is tried again, a few times', async () => {
  const { server, bucket } = await onStrict();
  const before = server.asked.length;
  server.break('PutObject', { kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' }, 50);
  await expect(put(bucket.driver, 'outputs/u/busy.png', 'x')).rejects.toThrow();
  expect(server.asked.slice(before).filter((operation) => operation === 'PutObject')).toHaveLength(6);
});
