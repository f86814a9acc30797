import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createStore } from '../../../src/storage/stores/store.ts';
import { chunked, readAll } from '../../support/bodies.ts';
import { failingFiles } from '../../support/storage/failing-files.ts';
import { type LocalVolume, createLocalVolume, filesBelow } from '../../support/storage/local-volume.ts';

const volumes: LocalVolume[] = [];
afterEach(async () => {
  for (const volume of volumes.splice(0)) await volume.close();
});

/** A volume on which the first `times` calls for which `matches` is true fail, once `arm` was called. */
async function failing(error: string, matches: (call: string, file: string) => boolean, times = Infinity) {
  let left = 0;
  const files = failingFiles((call, file) => {
    if (left <= 0 || !matches(call, file)) return undefined;
    left -= 1;
    return error;
  });
  const volume = await createLocalVolume({ files });
  volumes.push(volume);
  const arm = () => void (left = times);
  return { volume, store: createStore('local', 'local', volume.driver), arm };
}

const body = (bytes: Buffer) => ({ body: chunked(bytes), contentType: 'image/png' });
const small = randomBytes(2000);
const large = randomBytes(900_000);

const STALE = ['open', 'open.read', 'open.stat', 'stat', 'readdir'];

test.each(STALE)('after one stale handle (%s) everything is read by a new look-up', async (stale) => {
  const { store, arm } = await failing('ESTALE', (call) => call === stale, 1);
  await store.put('a/small.png', body(small));
  await store.put('a/large.png', body(large));
  for (const [key, bytes] of [
    ['a/small.png', small],
    ['a/large.png', large],
  ] as const) {
    arm();
    expect((await readAll((await store.get(key)).stream)).equals(bytes)).toBe(true);
    arm();
    const read: Buffer[] = [];
    const found = await store.get(key, { range: { start: 10, end: bytes.length - 1 } });
    if (found.sendTo) await found.sendTo(async (piece) => void read.push(Buffer.from(piece)));
    else read.push(await readAll(found.stream));
    expect(Buffer.concat(read).equals(bytes.subarray(10))).toBe(true);
    arm();
    expect((await store.stat(key))?.bytes).toBe(bytes.length);
  }
  arm();
  expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['a/large.png', 'a/small.png']);
  arm();
  await store.put('b/new.png', body(small));
  expect((await store.stat('b/new.png'))?.bytes).toBe(small.length);
});

test.each(['ESTALE', 'EIO', 'ENOTCONN', 'EHOSTDOWN', 'ETIMEDOUT'])(
  'a mount that keeps failing with %s is an unavailable store, never a missing object',
  async (error) => {
    const { store, arm } = await failing(error, (call, file) => call !== 'open.close' && file.startsWith('/'));
    await store.put('a/b.png', body(small));
    arm();
    const unavailable = { code: 'store_unavailable' };
    await expect(store.get('a/b.png')).rejects.toMatchObject(unavailable);
    await expect(store.stat('a/none.png')).rejects.toMatchObject(unavailable);
    await expect(store.list('')).rejects.toMatchObject(unavailable);
    await expect(store.put('a/c.png', body(small))).rejects.toMatchObject(unavailable);
    await expect(store.delete('a/b.png')).rejects.toMatchObject(unavailable);
    expect(store.available()).toBe(false);
  },
);

test('an object that cannot be measured is an error of the list, never left out of it', async () => {
  const { store, arm } = await failing('EIO', (call, file) => call === 'stat' && file.endsWith('b.png'));
  await store.put('a/b.png', body(small));
  arm();
  await expect(store.list('')).rejects.toMatchObject({ code: 'store_unavailable' });
});

test('a full quota is told as a full store', async () => {
  const { store, arm } = await failing('EDQUOT', (call) => call === 'open.writev');
  arm();
  await expect(store.put('a/b.png', body(small))).rejects.toMatchObject({ code: 'storage_full' });
});

test('a folder that could be synced and fails now fails the upload', async () => {
  const { store, arm } = await failing('EIO', (call) => call === 'open.sync');
  await store.put('a/b.png', body(small));
  arm();
  await expect(store.put('a/c.png', body(small))).rejects.toMatchObject({ code: 'store_unavailable' });
});

test('links that stop working are noticed by the next upload, which takes the other way, and logged once', async () => {
  const { volume, store, arm } = await failing('EPERM', (call) => call === 'link');
  await store.put('a/b.png', body(small));
  arm();
  await store.put('a/c.png', body(small));
  await store.put('a/d.png', body(small));
  await expect(store.put('a/b.png', body(large))).rejects.toMatchObject({ code: 'object_taken' });
  expect(await filesBelow(volume.root)).toEqual(['a/b.png', 'a/c.png', 'a/d.png']);
  expect(volume.log).toEqual([
    expect.stringContaining('by a hard link'),
    expect.stringContaining('by a rename, because hard links fail (EPERM)'),
  ]);
});

test('without links, a file that cannot be opened while it is replaced is looked for again', async () => {
  let missing = 0;
  const files = failingFiles((call, file) => {
    if (call === 'link') return 'ENOSYS';
    if (call !== 'open' || !file.endsWith('a.json') || missing === 0) return undefined;
    missing -= 1;
    return 'ENOENT';
  });
  const volume = await createLocalVolume({ files });
  volumes.push(volume);
  await volume.driver.put('r/a.json', chunked(small), { contentType: 'application/json', overwrite: true });
  missing = 2;
  expect((await volume.driver.get('r/a.json'))?.bytes).toBe(small.length);
  missing = 2;
  expect((await volume.driver.stat('r/a.json'))?.bytes).toBe(small.length);
});

test('without links and renames the start is refused, with the reason', async () => {
  const files = failingFiles((call, file) =>
    call === 'link' || (call === 'rename' && file.includes('probe')) ? 'EPERM' : undefined,
  );
  await expect(createLocalVolume({ files })).rejects.toMatchObject({
    code: 'MISCONFIGURED',
    message: expect.stringMatching(/LOCAL_ROOT.*cannot rename a file \(EPERM\).*another folder or mount/),
  });
});

test('a volume that cannot be written at the start is read, and takes uploads when it can', async () => {
  let readOnly = false;
  const files = failingFiles((call) => (readOnly && call === 'writeFile' ? 'EROFS' : undefined));
  const volume = await createLocalVolume({ files });
  volumes.push(volume);
  await volume.driver.put('a/b.png', chunked(small), { contentType: 'image/png' });
  readOnly = true;
  const again = await volume.reopen();
  expect(volume.log.at(-1)).toContain('cannot be written (EROFS');
  expect((await again.stat('a/b.png'))?.bytes).toBe(small.length);
  readOnly = false;
  await again.put('a/c.png', chunked(small), { contentType: 'image/png' });
  expect(again.remark?.()).toContain('by a hard link');
});

test('a file that another system put there is listed as it is where names are kept as they are', async () => {
  const { volume, store } = await failing('EIO', () => false);
  await writeFile(path.join(volume.root, 'e\u0301.png'), 'x');
  expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['e\u0301.png']);
});
