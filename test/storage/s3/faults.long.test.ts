// Case numbers in titles are those of the table in docs/threat-model.md.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Driver } from '../../../src/storage/driver.ts';
import { type Store, createStore } from '../../../src/storage/stores/store.ts';
import { breaking, chunked, readAll, stalling } from '../../support/bodies.ts';
import { type TestBucket, createTestBucket } from '../../support/s3/bucket.ts';
import type { S3Operation } from '../../support/s3/operations.ts';
import { type Fault, type S3Server, TEST_KEYS, startS3Server } from '../../support/s3/server.ts';

const MIB = 1024 ** 2;
/** Long enough for a machine that is busy with other tests. */
const STALL_MS = 1500;
const small = randomBytes(100_000);
/** Three parts. */
const large = randomBytes(12 * MIB);
const KEY = 'outputs/u/a.bin';

let server: S3Server;
let bucket: TestBucket;
let driver: Driver;
let store: Store;
let rejections = 0;
const count = () => (rejections += 1);

beforeAll(() => void process.on('unhandledRejection', count));
afterAll(() => void process.off('unhandledRejection', count));
beforeEach(async () => {
  server = await startS3Server();
  bucket = await createTestBucket(
    { endpoint: server.endpoint, ...TEST_KEYS },
    { limits: { stallMs: STALL_MS, connectMs: 500, settleMs: 2000, partBytes: 5 * MIB } },
  );
  driver = bucket.driver;
  store = createStore('s3', 's3', driver);
  server.asked.length = 0;
});
afterEach(async () => {
  await bucket.close();
  await server.close();
  expect(rejections).toBe(0);
});

const put = (bytes: Buffer, signal?: AbortSignal) =>
  store.put(KEY, { body: chunked(bytes), contentType: 'image/png', size: bytes.length, signal });
const times = (operation: S3Operation) => server.asked.filter((each) => each === operation).length;
const isStored = async (bytes: Buffer) => {
  const found = await driver.get(KEY);
  expect(found && (await readAll(found.stream)).equals(bytes)).toBe(true);
  expect(await bucket.everything()).toEqual([KEY]);
};
const nothingLeft = async () => expect(await bucket.everything()).toEqual([]);
const refusal = (status: number, code: string, headers?: Record<string, string>): Fault => ({
  kind: 'refuse',
  status,
  code,
  ...(headers && { headers }),
});
const INTERNAL = refusal(500, 'InternalError');

const ONCE: [string, Fault][] = [
  ['a 500', INTERNAL],
  ['a 503 SlowDown', refusal(503, 'SlowDown')],
  ['a 429', refusal(429, 'TooManyRequests')],
  ['a reset before anything was done', { kind: 'reset-before' }],
  ['an acknowledgement that got lost', { kind: 'reset-after' }],
];
const UPLOAD: S3Operation[] = ['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'];

test.each(ONCE)('case 98: %s, once, harms no small upload', async (_name, fault) => {
  server.break('PutObject', fault);
  expect(await put(small)).toMatchObject({ bytes: small.length });
  expect(times('PutObject')).toBe(2);
  await isStored(small);
});

test.each(UPLOAD.flatMap((operation) => ONCE.map(([name, fault]) => [name, operation, fault] as const)))(
  'case 98: %s, once, at %s harms no large upload, and no parts are left',
  async (_name, operation, fault) => {
    server.break(operation, fault);
    expect(await put(large)).toMatchObject({ bytes: large.length });
    await isStored(large);
  },
);

const ALWAYS: [string, Fault][] = [
  ['500', INTERNAL],
  ['503 SlowDown', refusal(503, 'SlowDown')],
  ['resets', { kind: 'reset-before' }],
  ['200 with an error inside', { kind: 'error-in-200' }],
  ['403 AccessDenied', refusal(403, 'AccessDenied')],
  ['403 SignatureDoesNotMatch', refusal(403, 'SignatureDoesNotMatch')],
  ['404 NoSuchBucket', refusal(404, 'NoSuchBucket')],
  ['silence', { kind: 'hang-up' }],
];

test.each(ALWAYS)(
  'case 98: %s, for good, is store_unavailable and leaves nothing of a small upload',
  async (_name, fault) => {
    server.break('PutObject', fault, 9);
    const started = performance.now();
    await expect(put(small)).rejects.toMatchObject({ code: 'store_unavailable', retryAfter: 5 });
    expect(performance.now() - started).toBeLessThan(5 * STALL_MS);
    // A stall has cost the caller enough; a refusal is final.
    const once = fault.kind === 'hang-up' || (fault.kind === 'refuse' && fault.status < 500);
    expect(times('PutObject')).toBe(once ? 1 : 3);
    await nothingLeft();
  },
);

test.each(UPLOAD.flatMap((operation) => ALWAYS.map(([name, fault]) => [name, operation, fault] as const)))(
  'case 98: %s, for good, at %s is store_unavailable and leaves neither object nor parts',
  async (_name, operation, fault) => {
    server.break(operation, fault, 20);
    await expect(put(large)).rejects.toMatchObject({ code: 'store_unavailable' });
    await nothingLeft();
  },
);

test('case 98: a server that has stored an object and falls silent has stored it', async () => {
  server.break('PutObject', { kind: 'hang-after' });
  expect(await put(small)).toMatchObject({ bytes: small.length });
  await isStored(small);
});

test('case 98: a server that has made an object of the parts and falls silent has stored it', async () => {
  server.break('CompleteMultipartUpload', { kind: 'hang-after' });
  expect(await put(large)).toMatchObject({ bytes: large.length });
  await isStored(large);
});

test('case 98: SlowDown with a time is passed on at once, with that time', async () => {
  server.break('PutObject', refusal(503, 'SlowDown', { 'retry-after': '17' }), 9);
  await expect(put(small)).rejects.toMatchObject({ code: 'store_unavailable', retryAfter: 17 });
  expect(times('PutObject')).toBe(1);
});

test.each([
  ['a wrong ETag', { kind: 'wrong-etag' }],
  ['an object of half the bytes', { kind: 'store-half' }],
] as [string, Fault][])('case 98: %s is noticed and taken back', async (_name, fault) => {
  server.break('PutObject', fault);
  await expect(put(small)).rejects.toMatchObject({ code: 'store_unavailable' });
  await nothingLeft();
});

test('case 98: a wrong ETag is never success, even if what was stored cannot be taken back', async () => {
  server.break('PutObject', { kind: 'wrong-etag' });
  server.break('DeleteObject', refusal(403, 'AccessDenied'), 9);
  await expect(put(small)).rejects.toMatchObject({ code: 'store_unavailable' });
});

test.each([
  ['AccessDenied', 403],
  ['QuotaExceeded', 403],
  ['InvalidRequest', 400],
])('case 98: %s is final: the server is asked no more about a small upload', async (code, status) => {
  server.break('PutObject', refusal(status, code), 9);
  await expect(put(small)).rejects.toThrow();
  expect(server.asked.at(-1)).toBe('PutObject');
});

test('case 98: a part that arrives wrong ends the upload, which is taken back', async () => {
  server.break('UploadPart', { kind: 'wrong-etag' });
  await expect(put(large)).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(times('CompleteMultipartUpload')).toBe(0);
  await nothingLeft();
});

const theirs = async () => {
  await bucket.client.send(new PutObjectCommand({ Bucket: bucket.name, Key: KEY, Body: 'theirs' }));
};

test('a foreign object that appears during our put is object_taken, and stays', async () => {
  server.break('PutObject', { kind: 'reset-before' });
  server.break('PutObject', {
    kind: 'meanwhile',
    work: () =>
      void server.buckets.get(bucket.name)?.put(KEY, Buffer.from('theirs'), { contentType: 'x/y', metadata: {} }, true),
  });
  await expect(put(small)).rejects.toMatchObject({ code: 'object_taken' });
  await isStored(Buffer.from('theirs'));
});

test.each([
  ['while parts are sent', 'UploadPart'],
  ['while the upload is completed', 'CompleteMultipartUpload'],
] as [string, S3Operation][])(
  'a foreign object that appears %s is object_taken, and stays; no parts are left',
  async (_name, operation) => {
    server.break(operation, { kind: 'meanwhile', work: theirs });
    await expect(put(large)).rejects.toMatchObject({ code: 'object_taken' });
    await isStored(Buffer.from('theirs'));
  },
);

test('an existing object is object_taken for a large body too', async () => {
  await theirs();
  await expect(put(large)).rejects.toMatchObject({ code: 'object_taken' });
  await isStored(Buffer.from('theirs'));
});

test('a conflict that the server reports is retried', async () => {
  server.break('PutObject', refusal(409, 'ConditionalRequestConflict'), 2);
  expect(await put(small)).toMatchObject({ bytes: small.length });
  await isStored(small);
});

test.each([
  ['QuotaExceeded', 403, 'storage_full'],
  ['XMinioStorageFull', 507, 'storage_full'],
  ['EntityTooLarge', 400, 'too_large'],
  ['KeyTooLongError', 400, 'invalid_key'],
])('%s gets its own error code', async (code, status, expected) => {
  server.break('PutObject', refusal(status, code), 9);
  await expect(put(small)).rejects.toMatchObject({ code: expected });
  await nothingLeft();
});

test('case 98: an answer that hangs in mid-body ends as an error of the stream', async () => {
  await put(large);
  server.break('GetObject', { kind: 'hang-down' });
  const { stream } = await store.get(KEY);
  await expect(readAll(stream)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('case 98: an answer that is cut in mid-body ends as an error of the stream', async () => {
  await put(large);
  server.break('GetObject', { kind: 'reset-down' });
  const { stream, bytes } = await store.get(KEY);
  expect(bytes).toBe(large.length);
  await expect(readAll(stream)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('case 98: no answer to a GET ends as store_unavailable', async () => {
  await put(small);
  server.break('GetObject', { kind: 'hang-up' });
  await expect(store.get(KEY)).rejects.toMatchObject({ code: 'store_unavailable' });
});

test("a reader that pauses longer than the watchdog's limit still gets everything", async () => {
  await put(large);
  const { stream } = await store.get(KEY);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    if (chunks.length === 1) await sleep(3 * STALL_MS);
    chunks.push(chunk as Buffer);
  }
  expect(Buffer.concat(chunks).equals(large)).toBe(true);
});

test("a sender slower than the watchdog's limit is not cut", async () => {
  async function* slow() {
    for (let at = 0; at < large.length; at += 4 * MIB) {
      await sleep(1.5 * STALL_MS);
      yield large.subarray(at, at + 4 * MIB);
    }
  }
  expect(await store.put(KEY, { body: slow(), contentType: 'image/png' })).toMatchObject({ bytes: large.length });
  await isStored(large);
});

test('a missing bucket is never a missing object', async () => {
  await put(small);
  server.buckets.delete(bucket.name);
  const unavailable = { code: 'store_unavailable' };
  await expect(store.get(KEY)).rejects.toMatchObject(unavailable);
  await expect(store.stat(KEY)).rejects.toMatchObject(unavailable);
  await expect(store.delete(KEY)).rejects.toMatchObject(unavailable);
  await expect(store.list('')).rejects.toMatchObject(unavailable);
});

test('case 98: a server that is down is store_unavailable at once for everything, and works again when it is back', async () => {
  await put(small);
  await server.stop();
  const unavailable = { code: 'UNAVAILABLE' };
  const started = performance.now();
  await expect(driver.put('outputs/u/b', chunked(small), { contentType: 'a/b' })).rejects.toMatchObject(unavailable);
  await expect(driver.get(KEY)).rejects.toMatchObject(unavailable);
  await expect(driver.stat(KEY)).rejects.toMatchObject(unavailable);
  await expect(driver.delete(KEY)).rejects.toMatchObject(unavailable);
  await expect(driver.list('')).rejects.toMatchObject(unavailable);
  await expect(driver.healthy()).rejects.toMatchObject(unavailable);
  expect(performance.now() - started).toBeLessThan(8000);
  await server.restart();
  await driver.healthy();
  await isStored(small);
});

test('a large body that fails, or does not pass verification, leaves neither object nor parts', async () => {
  const whole = { contentType: 'image/png' };
  await expect(store.put(KEY, { body: breaking(large), ...whole })).rejects.toThrow('the body broke off');
  await nothingLeft();
  const verify = () => {
    throw new Error('another digest');
  };
  await expect(store.put(KEY, { body: chunked(large), ...whole, verify })).rejects.toThrow('another digest');
  await nothingLeft();
  await expect(store.put(KEY, { body: chunked(large), ...whole, size: large.length + 1 })).rejects.toMatchObject({
    code: 'length_mismatch',
  });
  await nothingLeft();
  await expect(store.put(KEY, { body: chunked(large), ...whole, size: large.length - 1 })).rejects.toMatchObject({
    code: 'length_mismatch',
  });
  await nothingLeft();
});

test.each<[string, S3Operation, Fault, Buffer]>([
  ['a small body is on its way', 'PutObject', { kind: 'hang-up' }, small],
  ['a small body has been stored', 'PutObject', { kind: 'hang-after' }, small],
  ['a part is on its way', 'UploadPart', { kind: 'hang-up' }, large],
  ['the parts have become an object', 'CompleteMultipartUpload', { kind: 'hang-after' }, large],
])('an abort while %s leaves nothing', async (_name, operation, fault, bytes) => {
  server.break(operation, fault);
  const controller = new AbortController();
  const reason = new Error('the client went away');
  const putting = put(bytes, controller.signal);
  putting.catch(() => {});
  while (times(operation) === 0) await sleep(5);
  await sleep(STALL_MS / 4);
  controller.abort(reason);
  await expect(putting).rejects.toBe(reason);
  await nothingLeft();
});

test('an abort while a large body hangs leaves nothing', async () => {
  const controller = new AbortController();
  const putting = store.put(KEY, { body: stalling(large), contentType: 'image/png', signal: controller.signal });
  putting.catch(() => {});
  while (times('UploadPart') < 2) await sleep(5);
  controller.abort(new Error('gone'));
  await expect(putting).rejects.toThrow('gone');
  await nothingLeft();
});

test('a retry waits as long as a short Retry-After asks', async () => {
  server.break('PutObject', refusal(503, 'SlowDown', { 'retry-after': '1' }), 1);
  const started = performance.now();
  await put(small);
  // HTTP dates and Retry-After count whole seconds.
  expect(performance.now() - started).toBeGreaterThan(600);
  expect(times('PutObject')).toBe(2);
  await isStored(small);
});
