import { mkdtemp, open, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { bigPng } from '../../support/sample-files.ts';
import { makePendingCopies } from '../../../src/domain/copies/pending-copies.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';
import { until } from '../../support/until.ts';

const KIB = 1024;
let t: TestApp;
afterEach(() => t.close());

const alice = asUser('alice');
const store = async (bytes: number, seed: number) => {
  const file = bigPng(bytes, seed);
  const item = (
    await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { 'content-type': 'image/png', ...alice },
      payload: file,
    })
  ).json() as { id: string; storageKey: string; sha256: string };
  return { ...item, file };
};
const record = async (id: string) =>
  (await t.app.inject({ url: `/v1/media/${id}`, headers: alice })).json() as {
    locations: { store: string; key: string; state: string }[];
  };

/** Flips a bit in the middle of a file and resets its times, as a careless restore would. */
async function damage(root: string, key: string): Promise<void> {
  const file = await open(path.join(root, key), 'r+');
  const { size, atime, mtime } = await file.stat();
  const at = Math.floor(size / 2);
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at);
  await file.close();
  await utimes(path.join(root, key), atime, mtime);
}

test.each([
  ['read at once', 100 * KIB],
  ['streamed', 700 * KIB],
  ['streamed in many pieces', 3000 * KIB],
])(
  'a flipped bit in a file that is %s is not served under the old ETag, and the record shows it',
  async (_name, bytes) => {
    t = await createTestApp({ CONTENT_CACHE_BYTES: '0' });
    const address = await t.listen();
    const { id, storageKey, file } = await store(bytes, 1);
    const read = async () => {
      const response = await fetch(`${address}/v1/media/${id}/content`, { headers: alice });
      const body = await response.arrayBuffer().then(Buffer.from, () => undefined);
      return { status: response.status, body };
    };
    // Twice: a verified file is not hashed again until it changes.
    for (let time = 0; time < 2; time += 1) expect((await read()).body?.equals(file)).toBe(true);
    await damage(t.volume, storageKey);
    for (let time = 0; time < 2; time += 1) {
      const { status, body } = await read();
      // Either refused, or cut before its end.
      expect(status === 410 || body === undefined).toBe(true);
    }
    await until(async () => (await record(id)).locations[0]?.state === 'corrupt');
    expect(t.logged()).toContain('stored bytes are damaged');
    expect(await fetch(`${address}/metrics`).then((response) => response.text())).toMatch(
      /mediakeep_corrupt_reads_total\{store="local"\} [1-9]/,
    );
    const part = await fetch(`${address}/v1/media/${id}/content`, { headers: { ...alice, range: 'bytes=0-9' } });
    expect(part.status).toBe(410);
    // Repaired, it can be read again, and the mark is gone.
    await damage(t.volume, storageKey);
    expect((await read()).body?.equals(file)).toBe(true);
    await until(async () => (await record(id)).locations[0]?.state === 'stored');
  },
);

test.each([
  ['small', 100 * KIB],
  ['large', 3000 * KIB],
])('with a mirror, a %s item is read from the other copy', async (_name, bytes) => {
  const mirror = await mkdtemp(path.join(tmpdir(), 'mediakeep-mirror-'));
  onTestFinished(() => rm(mirror, { recursive: true, force: true }));
  t = await createTestApp({
    STORES: 'mirror:local',
    STORAGE_MIRRORS: 'mirror',
    MIRROR_ROOT: mirror,
    CONTENT_CACHE_BYTES: '0',
  });
  const address = await t.listen();
  const { id, storageKey, file } = await store(bytes, 2);
  await makePendingCopies(t.deps);
  await damage(t.volume, storageKey);
  const read = () => fetch(`${address}/v1/media/${id}/content`, { headers: alice });
  const first = await read();
  const body = await first.arrayBuffer().then(Buffer.from, () => undefined);
  // Damage to a small file is found before the response begins.
  if (bytes < 256 * KIB) expect(body?.equals(file)).toBe(true);
  else expect(body).toBeUndefined();
  const second = await read();
  expect(second.headers.get('x-storage-provider')).toBe('mirror');
  expect(Buffer.from(await second.arrayBuffer()).equals(file)).toBe(true);
  const states = (await record(id)).locations.map((location) => `${location.store} ${location.state}`);
  expect(states.toSorted()).toEqual(['local corrupt', 'mirror stored']);
});

test('a file that is damaged before it is cached is not cached, and a cached body stays correct', async () => {
  t = await createTestApp();
  const address = await t.listen();
  const { id, storageKey, file } = await store(100 * KIB, 3);
  const read = () => fetch(`${address}/v1/media/${id}/content`, { headers: alice });
  for (let time = 0; time < 3; time += 1) await (await read()).arrayBuffer();
  await damage(t.volume, storageKey);
  const hot = await read();
  expect(Buffer.from(await hot.arrayBuffer()).equals(file)).toBe(true);
});
