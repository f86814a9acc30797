import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { type PartMemory, type Room, createPartMemory } from '../../../src/storage/s3/part-memory.ts';
import { createStore } from '../../../src/storage/stores/store.ts';
import { chunked, stalling } from '../../support/bodies.ts';
import { createTestBucket } from '../../support/s3/bucket.ts';
import { TEST_KEYS, startS3Server } from '../../support/s3/server.ts';

const MIB = 1024 ** 2;

afterEach(() => void vi.useRealTimers());

const memoryOf = (bytes: number, waitMs = 5000): PartMemory =>
  createPartMemory({ bytes, partBytes: 10, waitMs, setting: 'S3_UPLOAD_MEMORY_BYTES' });

/** Requests memory, and records in `order` when it was granted. */
function asking(memory: PartMemory, order: string[], name: string, bytes: number, signal?: AbortSignal): Promise<Room> {
  const room = memory.take(bytes, signal);
  room.then(
    () => order.push(name),
    () => order.push(`${name} left`),
  );
  return room;
}

const soon = () => new Promise((resolve) => setImmediate(resolve));

test('memory is granted in order of arrival: no small request passes a large one', async () => {
  const memory = memoryOf(30);
  const order: string[] = [];
  const [a, b] = [await memory.take(10), await memory.take(10)];
  const large = asking(memory, order, 'large', 30);
  const small = asking(memory, order, 'small', 5);
  await soon();
  expect(order).toEqual([]);
  a.giveBack(true);
  await soon();
  expect(order).toEqual([]);
  b.giveBack(true);
  (await large).giveBack(true);
  await small;
  expect(order).toEqual(['large', 'small']);
  expect(memory.reserved()).toBe(5);
});

test('an abort ends a wait at once, and lets those behind have their turn', async () => {
  const memory = memoryOf(30);
  const order: string[] = [];
  const held = await memory.take(20);
  const gone = new AbortController();
  const large = asking(memory, order, 'large', 20, gone.signal);
  const small = asking(memory, order, 'small', 10);
  await soon();
  const reason = new Error('gone');
  gone.abort(reason);
  await expect(large).rejects.toBe(reason);
  await small;
  expect(order.toSorted()).toEqual(['large left', 'small']);
  await expect(memory.take(1, gone.signal)).rejects.toBe(reason);
  held.giveBack(true);
  (await small).giveBack(true);
  expect(memory.reserved()).toBe(0);
});

test('a waiter that times out gets overloaded, and lets those behind have their turn', async () => {
  vi.useFakeTimers();
  const memory = memoryOf(30, 30_000);
  await memory.take(20);
  const order: string[] = [];
  const large = asking(memory, order, 'large', 20);
  vi.advanceTimersByTime(15_000);
  const small = asking(memory, order, 'small', 10);
  vi.advanceTimersByTime(14_999);
  await Promise.resolve();
  expect(order).toEqual([]);
  vi.advanceTimersByTime(1);
  await expect(large).rejects.toMatchObject({
    code: 'overloaded',
    retryAfter: 5,
    cause: { message: expect.stringContaining('S3_UPLOAD_MEMORY_BYTES') },
  });
  await small;
  expect(memory.reserved()).toBe(30);
});

test('a buffer without readers is reused; one that a request may still read is not', async () => {
  const memory = memoryOf(40);
  const read = await memory.take(10);
  read.giveBack(true);
  const again = await memory.take(10);
  expect(again.buffer).toBe(read.buffer);
  again.giveBack(false);
  expect((await memory.take(10)).buffer).not.toBe(read.buffer);
});

test('kept buffers are released when their memory is needed, and after a while', async () => {
  vi.useFakeTimers();
  const memory = memoryOf(20);
  const first = await memory.take(10);
  const second = await memory.take(10);
  first.giveBack(true);
  second.giveBack(true);
  const other = await memory.take(15);
  other.giveBack(true);
  const third = await memory.take(10);
  expect([first.buffer, second.buffer]).not.toContain(third.buffer);
  third.giveBack(true);
  vi.advanceTimersByTime(10_000);
  expect((await memory.take(10)).buffer).not.toBe(third.buffer);
});

test('releasing twice counts once', async () => {
  const memory = memoryOf(20);
  const a = await memory.take(10);
  const b = await memory.take(10);
  a.giveBack(true);
  a.giveBack(true);
  expect(memory.reserved()).toBe(10);
  const [c, d] = [await memory.take(5), b];
  expect(c.buffer).not.toBe(d.buffer);
});

async function onStrict(options: { uploadMemoryBytes: number; memoryWaitMs: number }) {
  const server = await startS3Server();
  const bucket = await createTestBucket(
    { endpoint: server.endpoint, ...TEST_KEYS },
    {
      uploadMemoryBytes: options.uploadMemoryBytes,
      limits: { partBytes: 5 * MIB, memoryWaitMs: options.memoryWaitMs },
    },
  );
  const store = createStore('s3', 's3', bucket.driver);
  return {
    server,
    bucket,
    store,
    async [Symbol.asyncDispose]() {
      await bucket.close();
      await server.close();
    },
  };
}

test('while uploads hold all of the memory others get overloaded; the store stays available', async () => {
  await using s3 = await onStrict({ uploadMemoryBytes: 10 * MIB, memoryWaitMs: 1500 });
  const gone = new AbortController();
  const put = (key: string, body: AsyncIterable<Uint8Array>, size?: number, signal?: AbortSignal) =>
    s3.store.put(`outputs/u/${key}`, { body, contentType: 'image/png', size, signal });
  const slow = ['a', 'b'].map((key) => put(key, stalling(Buffer.alloc(1000)), undefined, gone.signal));
  for (const each of slow) each.catch(() => {});
  // Until they hold the memory.
  await sleep(50);
  const asked = s3.server.asked.length;
  await Promise.all(
    Array.from({ length: 6 }, () =>
      expect(put('c', chunked(Buffer.alloc(100)), 100)).rejects.toMatchObject({ code: 'overloaded', retryAfter: 5 }),
    ),
  );
  expect(s3.store.available()).toBe(true);
  expect(s3.server.asked.slice(asked)).toEqual([]);
  const waiting = put('c', chunked(Buffer.alloc(12 * MIB)));
  await sleep(50);
  gone.abort(new Error('gone'));
  for (const each of slow) await expect(each).rejects.toThrow('gone');
  expect(await waiting).toMatchObject({ bytes: 12 * MIB });
  expect(await s3.bucket.everything()).toEqual(['outputs/u/c']);
});

test('an upload that gets no further part is aborted', async () => {
  await using s3 = await onStrict({ uploadMemoryBytes: 10 * MIB, memoryWaitMs: 4000 });
  const gone = new AbortController();
  let slow: Promise<unknown> | undefined;
  async function* body() {
    yield Buffer.alloc(6 * MIB);
    // Two parts are ours; the next of them that is stored goes to another upload.
    slow = s3.store.put('outputs/u/slow', {
      body: stalling(Buffer.alloc(1000)),
      contentType: 'image/png',
      size: 10 * MIB,
      signal: gone.signal,
    });
    slow.catch(() => {});
    const slower = s3.store.put('outputs/u/slower', {
      body: stalling(Buffer.alloc(1000)),
      contentType: 'image/png',
      signal: gone.signal,
    });
    slower.catch(() => {});
    while (!s3.server.asked.includes('UploadPart')) await sleep(5);
    await sleep(50);
    yield Buffer.alloc(10 * MIB);
  }
  await expect(s3.store.put('outputs/u/a', { body: body(), contentType: 'image/png' })).rejects.toMatchObject({
    code: 'overloaded',
  });
  gone.abort(new Error('gone'));
  await expect(slow).rejects.toThrow('gone');
  expect(s3.server.asked).toContain('AbortMultipartUpload');
  expect(await s3.bucket.everything()).toEqual([]);
});

test('with memory for only one part, many uploads of several parts are stored all the same', async () => {
  await using s3 = await onStrict({ uploadMemoryBytes: 5 * MIB, memoryWaitMs: 20_000 });
  const keys = ['a', 'b', 'c', 'd', 'e'];
  const stored = await Promise.all(
    keys.map((key) =>
      s3.store.put(`outputs/u/${key}`, { body: chunked(Buffer.alloc(11 * MIB, key)), contentType: 'image/png' }),
    ),
  );
  expect(stored.map(({ bytes }) => bytes)).toEqual(keys.map(() => 11 * MIB));
});
