import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { AppError } from '../../../src/errors.ts';
import { createBreaker } from '../../../src/storage/stores/breaker.ts';
import { type Driver, StorageError } from '../../../src/storage/driver.ts';
import { createStores } from '../../../src/storage/stores/stores.ts';
import { type Store, createStore } from '../../../src/storage/stores/store.ts';
import { chunked, readAll } from '../../support/bodies.ts';
import { createLocalVolume } from '../../support/storage/local-volume.ts';

const able = { able: true, reason: 'for the test' };
const capabilities = {
  range: able,
  presignGet: able,
  presignPut: able,
  publicUrl: able,
  list: able,
  maxObjectBytes: undefined as number | undefined,
};

/** Failure of the next calls; undefined: they work. */
let failure: unknown;
let calls = 0;
let clock = 0;
let seen: string[] = [];
const driver: Driver = {
  capabilities,
  async put(_key, body) {
    calls += 1;
    if (failure !== undefined) throw failure;
    return { bytes: (await readAll(body)).length };
  },
  async get() {
    calls += 1;
    if (failure !== undefined) throw failure;
    return { stream: Readable.from([]), bytes: 0, totalBytes: 0 };
  },
  async stat() {
    calls += 1;
    if (failure !== undefined) throw failure;
    return undefined;
  },
  async delete() {
    if (failure !== undefined) throw failure;
  },
  async list() {
    return { objects: [], cursor: undefined };
  },
  async healthy() {
    calls += 1;
    if (failure !== undefined) throw failure;
  },
};
let store: Store;
beforeEach(() => {
  failure = undefined;
  calls = 0;
  clock = 1_000_000;
  seen = [];
  store = createStore(
    'volume',
    'local',
    driver,
    (name, operation, outcome) => seen.push(`${name} ${operation} ${outcome}`),
    () => clock,
  );
});

const body = (text = 'bytes') => chunked(Buffer.from(text));
const put = (key = 'a/b.png', more = {}) => store.put(key, { body: body(), contentType: 'image/png', ...more });
const failing = (code: string) => Object.assign(new Error(`failed with ${code}`), { code });

test('a stream whose reader disconnects before its first byte fails for that reader only', async () => {
  const reason = new Error('the reader has gone away');
  const gone: Driver = {
    ...driver,
    // As a stream whose signal fired while it was opened.
    get: async () => {
      const stream = Readable.from(['never read']);
      stream.destroy(reason);
      return { stream, bytes: 10, totalBytes: 10 };
    },
  };
  const { stream } = await createStore('volume', 'local', gone, () => {}).get('a/b.png');
  // By then an error without a listener would be uncaught and end the process.
  await sleep(20);
  await expect(readAll(stream)).rejects.toBe(reason);
});

test.each([
  ['ENOSPC', 'storage_full'],
  ['EDQUOT', 'storage_full'],
  ['NO_SPACE', 'storage_full'],
  ['EROFS', 'store_unavailable'],
  ['EIO', 'store_unavailable'],
  ['ESTALE', 'store_unavailable'],
  ['UNAVAILABLE', 'store_unavailable'],
  ['ECONNREFUSED', 'store_unavailable'],
  ['EMFILE', 'overloaded'],
  ['SIZE', 'length_mismatch'],
  ['EXISTS', 'object_taken'],
  ['OUTSIDE', 'invalid_key'],
  ['NOT_A_FILE', 'invalid_key'],
  ['ENOTDIR', 'invalid_key'],
  ['ENAMETOOLONG', 'invalid_key'],
])('a driver’s %s becomes %s with its cause, and its message is not shown', async (code, expected) => {
  failure = failing(code);
  const error: unknown = await put().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code: expected, cause: failure });
  expect((error as AppError).message).not.toContain('failed with');
  expect(seen).toEqual([`volume put ${expected}`]);
});

test('a temporary failure says when to retry', async () => {
  for (const code of ['ENOSPC', 'EROFS', 'EMFILE']) {
    failure = failing(code);
    await expect(put()).rejects.toMatchObject({ retryAfter: expect.any(Number) });
  }
});

test('bytes are counted and hashed as they flow', async () => {
  const text = 'x'.repeat(200_001);
  const sha256 = createHash('sha256').update(text).digest('hex');
  const verified: unknown[] = [];
  const stored = await put('a.png', { body: body(text), verify: (whole: unknown) => void verified.push(whole) });
  expect(stored).toEqual({ bytes: text.length, sha256 });
  expect(verified).toEqual([{ bytes: text.length, sha256 }]);
  expect(seen).toEqual(['volume put ok']);
});

test('the caller gets an error thrown by verify, and a real driver keeps nothing', async () => {
  const volume = await createLocalVolume();
  const real = createStore('local', 'local', volume.driver);
  const refusal = new AppError('digest_mismatch', 'no');
  const verify = () => {
    throw refusal;
  };
  await expect(real.put('v/a.png', { body: body(), contentType: 'image/png', verify })).rejects.toBe(refusal);
  expect(await real.stat('v/a.png')).toBeUndefined();
  expect((await real.list('')).objects).toEqual([]);
  await volume.close();
});

test('the caller gets a body’s own failure, whatever the driver makes of it', async () => {
  const own = new AppError('request_timeout', 'too slow');
  const masking = createStore('s', 's', {
    ...driver,
    put: async (_key, flow) => {
      await readAll(flow).catch(() => {
        throw failing('EIO');
      });
      return { bytes: 0 };
    },
  });
  async function* broken() {
    yield Buffer.from('x');
    throw own;
  }
  await expect(masking.put('a.png', { body: broken(), contentType: 'image/png' })).rejects.toBe(own);
});

test('a driver that stores fewer bytes than flowed is an error', async () => {
  const lossy = createStore('s', 's', { ...driver, put: async (_key, flow) => (await readAll(flow), { bytes: 3 }) });
  await expect(lossy.put('a.png', { body: body(), contentType: 'image/png' })).rejects.toMatchObject({
    code: 'length_mismatch',
  });
});

test('a body that exceeds the store’s size limit is ended', async () => {
  const small = createStore('s', 's', { ...driver, capabilities: { ...capabilities, maxObjectBytes: 4 } });
  await expect(small.put('a.png', { body: body('12345'), contentType: 'image/png' })).rejects.toMatchObject({
    code: 'too_large',
  });
  expect(await small.put('a.png', { body: body('1234'), contentType: 'image/png' })).toMatchObject({ bytes: 4 });
});

test.each(['', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/./b', '.hidden', 'a/.git/b', 'a\\b', 'a\0b', 'a\nb', '\ud800'])(
  'the key %j is refused before any driver sees it',
  async (key) => {
    await expect(put(key)).rejects.toMatchObject({ code: 'invalid_key' });
    await expect(store.get(key)).rejects.toMatchObject({ code: 'invalid_key' });
    await expect(store.delete(key)).rejects.toMatchObject({ code: 'invalid_key' });
    expect(calls).toBe(0);
  },
);

test('a missing object is content_missing', async () => {
  const empty = createStore('s', 's', { ...driver, get: async () => undefined });
  await expect(empty.get('a.png')).rejects.toMatchObject({ code: 'content_missing' });
});

async function failTimes(times: number, code = 'EIO'): Promise<void> {
  failure = failing(code);
  for (let count = 0; count < times; count += 1) await store.stat('a.png').catch(() => {});
}

test('after five failures in a row the driver is not called for five seconds; then one call is the test', async () => {
  await failTimes(4);
  failure = undefined;
  await store.stat('a.png');
  await failTimes(5);
  expect(calls).toBe(10);
  for (const call of [put(), store.get('a.png'), store.stat('a.png')])
    await expect(call).rejects.toMatchObject({ code: 'store_unavailable', retryAfter: 5 });
  expect(calls).toBe(10);
  expect(seen.at(-1)).toBe('volume stat breaker_open');
  clock += 4999;
  await expect(store.stat('a.png')).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(calls).toBe(10);
  clock += 1;
  await expect(store.stat('a.png')).rejects.toMatchObject({ cause: failure });
  expect(calls).toBe(11);
  await expect(store.stat('a.png')).rejects.not.toHaveProperty('cause');
  expect(calls).toBe(11);
  clock += 5000;
  failure = undefined;
  await store.stat('a.png');
  await put();
  expect(calls).toBe(13);
});

test.each(['ENOSPC', 'SIZE', 'EXISTS', 'OUTSIDE', 'EMFILE'])(
  'a %s does not affect whether the store counts as available',
  async (code) => {
    await failTimes(20, code);
    failure = undefined;
    await store.stat('a.png');
    expect(calls).toBe(21);
  },
);

test('a half-open breaker lets one call pass and refuses the others until it has ended', () => {
  let now = 0;
  const breaker = createBreaker(() => now);
  for (let count = 0; count < 5; count += 1) breaker.failed();
  expect(breaker.state()).toBe('open');
  now = 5000;
  expect(breaker.state()).toBe('half-open');
  expect([breaker.allows(), breaker.allows(), breaker.allows()]).toEqual([true, false, false]);
  breaker.failed();
  expect([breaker.allows(), breaker.state()]).toEqual([false, 'open']);
  now = 10_000;
  expect(breaker.allows()).toBe(true);
  breaker.succeeded();
  expect([breaker.allows(), breaker.allows(), breaker.state()]).toEqual([true, true, 'closed']);
});

test('a half-open breaker whose one call takes minutes lets another pass after five seconds', () => {
  let now = 0;
  const breaker = createBreaker(() => now);
  for (let count = 0; count < 5; count += 1) breaker.failed();
  now = 5000;
  expect(breaker.allows()).toBe(true);
  now = 9999;
  expect(breaker.allows()).toBe(false);
  now = 10_000;
  expect(breaker.allows()).toBe(true);
});

test('stores are found by name; for an unknown one the error lists the known ones', () => {
  const stores = createStores([store], { primary: 'volume' });
  expect(stores.primary).toBe(store);
  expect(stores.get('volume')).toBe(store);
  expect(() => stores.get('none')).toThrow(expect.objectContaining({ code: 'unknown_store', field: 'store' }));
  expect(() => stores.get('none')).toThrow(/volume/);
  expect(() => createStores([store], { primary: 'none' })).toThrow(/none/);
});

test('a StorageError of the driver stays in the cause', () => {
  expect(new StorageError('OUTSIDE', 'x')).toMatchObject({ code: 'OUTSIDE', name: 'StorageError' });
});

test.each(['../a.png', '/a.png', 'a//b.png', '.git/config', ''])(
  'no URL is signed for the key %j, which would lead out of the store',
  async (key) => {
    let asked = 0;
    const signing = { presignGet: async () => `signed ${(asked += 1)}`, presignPut: async () => undefined };
    const made = createStore('s', 's', { ...driver, ...signing });
    const put = { expiresIn: 60, contentType: 'image/png', bytes: 1 };
    await expect(made.presignGet?.(key, { expiresIn: 60 })).rejects.toMatchObject({ code: 'invalid_key' });
    await expect(made.presignPut?.(key, put)).rejects.toMatchObject({ code: 'invalid_key' });
    expect(asked).toBe(0);
    expect(await made.presignGet?.('a.png', { expiresIn: 60 })).toBe('signed 1');
  },
);

const MIB = 1024 ** 2;
test.each([
  ['64 MiB of a large volume', 'not short', 64 * MIB, 100_000 * MIB],
  ['less than 64 MiB of a large volume', 'short', 64 * MIB - 1, 100_000 * MIB],
  ['a hundredth of a small volume', 'not short', 10 * MIB, 1000 * MIB],
  ['less than a hundredth of a small volume', 'short', 10 * MIB - 1, 1000 * MIB],
])('with %s free, a store is %s of room', async (_what, expected, free, total) => {
  const limited = createStore('local', 'local', { ...driver, space: async () => ({ free, total }) });
  expect((await limited.shortage()) === undefined ? 'not short' : 'short').toBe(expected);
});

test('a store that says nothing of its room is short of it for a minute after it has refused bytes', async () => {
  const untold = { ...driver, space: () => Promise.reject(new Error('no such call')) };
  for (const each of [driver, untold]) {
    clock += 1e6;
    const told = createStore(
      'local',
      'local',
      each,
      () => {},
      () => clock,
    );
    const put = () => told.put('a', { body: chunked(Buffer.from('x')), contentType: 'a/b' });
    expect(await told.shortage()).toBeUndefined();
    failure = new StorageError('NO_SPACE', 'full');
    await expect(put()).rejects.toMatchObject({ code: 'storage_full' });
    clock += 59_999;
    expect(await told.shortage()).toMatch('refused bytes');
    clock += 1;
    expect(await told.shortage()).toBeUndefined();
    await expect(put()).rejects.toMatchObject({ code: 'storage_full' });
    failure = undefined;
    await put();
    expect(await told.shortage()).toBeUndefined();
  }
});
