import { afterEach, beforeEach, expect, test } from 'vitest';
import { findItem } from '../../../src/db/items/items.ts';
import { locationsOf } from '../../../src/db/objects/locations.ts';
import { type TransferSummary, transferItems } from '../../../src/domain/copies/transfer.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { bigPng } from '../../support/sample-files.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let stores: Map<string, MemoryStore>;
let id: string;
const file = bigPng(200_000, 8);

/** An item with a copy in its own store 'one' and in 'two'; 'three' is empty. */
beforeEach(async () => {
  const { kind, made } = memoryKind();
  stores = made;
  const env = { STORES: 'one:memory,two:memory,three:memory', STORAGE_PRIMARY: 'one' };
  t = await createTestApp({ ...env, CONTENT_CACHE_BYTES: '0' }, {}, { ...DRIVERS, memory: kind });
  const headers = { ...asUser('alice'), 'content-type': 'image/png' };
  const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: file });
  ({ id } = response.json<{ id: string }>());
  expect(await copyTo('two')).toMatchObject({ copied: 1, failed: [] });
});
afterEach(() => t.close());

const store = (name: string): MemoryStore => {
  const found = stores.get(name);
  if (!found) throw new Error(`no store ${name}`);
  return found;
};
const transfer = (from: string | undefined, to: string, keep: boolean): Promise<TransferSummary> =>
  transferItems(t.deps, {
    from,
    to,
    filter: {},
    keep,
    concurrency: 1,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
const copyTo = (to: string) => transfer(undefined, to, true);
const states = async () =>
  (await locationsOf(t.deps.db, id, null)).map(({ store: name, state }) => `${name} ${state}`).toSorted();
const copied = () => [...store('three').objects.values()].map(({ bytes }) => bytes.equals(file));
const flip = (name: string) => {
  for (const { bytes } of store(name).objects.values()) bytes[1000] = (bytes[1000] ?? 0) ^ 1;
};

test('when an object is gone, the copy is made from the next location, and that location is marked missing', async () => {
  store('one').objects.clear();
  expect(await copyTo('three')).toMatchObject({ copied: 1, failed: [] });
  expect(copied()).toEqual([true]);
  expect(await states()).toEqual(['one missing', 'three stored', 'two stored']);
});

test('when an object is damaged, the copy is made from the next location, and that location is marked corrupt', async () => {
  flip('one');
  expect(await copyTo('three')).toMatchObject({ copied: 1, failed: [] });
  expect(copied()).toEqual([true]);
  expect(await states()).toEqual(['one corrupt', 'three stored', 'two stored']);
});

test('when a store is unavailable, the copy is made from the next location, and that location keeps its state', async () => {
  store('one').down = true;
  expect(await copyTo('three')).toMatchObject({ copied: 1, failed: [] });
  expect(copied()).toEqual([true]);
  expect(await states()).toEqual(['one stored', 'three stored', 'two stored']);
});

test('a location marked corrupt is not copied from', async () => {
  await t.deps.db.updateTable('media_locations').set({ state: 'corrupt' }).where('store', '=', 'one').execute();
  flip('one');
  expect(await copyTo('three')).toMatchObject({ copied: 1 });
  expect(copied()).toEqual([true]);
  expect(t.logged()).not.toContain('a location is no good');
});

test('when no location has the bytes, the copy fails with the reason, the last location keeps its state, and nothing is left behind', async () => {
  store('one').objects.clear();
  store('two').objects.clear();
  expect(await copyTo('three')).toMatchObject({
    copied: 0,
    failed: [{ id, reason: expect.stringContaining('no longer has these bytes') }],
  });
  expect(await states()).toEqual(['one missing', 'two stored']);
  expect([store('three').objects.size, await t.deps.db.selectFrom('storage_intents').selectAll().execute()]).toEqual([
    0,
    [],
  ]);
});

test('a target that refuses the bytes does not affect the state of the locations that were read', async () => {
  store('three').down = true;
  expect(await copyTo('three')).toMatchObject({ copied: 0, failed: [{ id }] });
  expect(await states()).toEqual(['one stored', 'two stored']);
  store('three').down = false;
  expect(await copyTo('three')).toMatchObject({ copied: 1, failed: [] });
});

test("an item larger than the target's limit is not sent there, and the error names both sizes", async () => {
  Object.assign(store('three').capabilities, { maxObjectBytes: 1000 });
  expect(await copyTo('three')).toMatchObject({
    copied: 0,
    failed: [
      { id, reason: `It has ${file.length} bytes; the store 'three' takes at most 1000. It stays where it is.` },
    ],
  });
  expect(store('three').received).toBe(0);
  expect(await states()).toEqual(['one stored', 'two stored']);
});

test('a move drops the copy it came from, unless it is to be kept; then the bytes are delivered from the new one', async () => {
  const home = async () => (await findItem(t.deps.db, id))?.storageProvider;
  expect(await transfer('one', 'three', true)).toMatchObject({ copied: 1, bytes: file.length, failed: [] });
  expect(await states()).toEqual(['one stored', 'three stored', 'two stored']);
  expect(await home()).toBe('three');
  // The item's own store is another one: it stays that.
  expect(await transfer('two', 'one', false)).toMatchObject({ copied: 0, present: 1, failed: [] });
  expect(await states()).toEqual(['one stored', 'three stored']);
  expect(await home()).toBe('three');
  expect(await transfer('three', 'two', false)).toMatchObject({ copied: 1, bytes: file.length, failed: [] });
  expect(await states()).toEqual(['one stored', 'two stored']);
  expect([store('one'), store('two'), store('three')].map(({ objects }) => objects.size)).toEqual([1, 1, 0]);
});

test('a mirror drops nothing, even if the old copies are not to be kept', async () => {
  expect(await transfer(undefined, 'three', false)).toMatchObject({ copied: 1, failed: [] });
  expect(await states()).toEqual(['one stored', 'three stored', 'two stored']);
});
