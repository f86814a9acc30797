import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findItem } from '../../../src/db/items/items.ts';
import { locationsOf } from '../../../src/db/objects/locations.ts';
import { insertRunSlot } from '../../../src/db/runs/run-outputs.ts';
import { copyItem, settleCopy } from '../../../src/domain/copies/copy-item.ts';
import { makePendingCopies, secondsToNextCopy } from '../../../src/domain/copies/pending-copies.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { png } from '../../support/sample-files.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp | undefined;
let stores: Map<string, MemoryStore>;
const alice = asUser('alice');

async function start(env: Record<string, string>): Promise<TestApp> {
  const { kind, made } = memoryKind();
  stores = made;
  const all = { STORES: 'one:memory,two:memory,three:memory', STORAGE_PRIMARY: 'one', ...env };
  t = await createTestApp(all, {}, { ...DRIVERS, memory: kind });
  return t;
}
beforeEach(() => {
  t = undefined;
});
afterEach(() => t?.close());

const store = (name: string): MemoryStore => {
  const found = stores.get(name);
  if (!found) throw new Error(`no store ${name}`);
  return found;
};
async function stored({ app }: TestApp): Promise<string> {
  const headers = { ...alice, 'content-type': 'image/png' };
  const response = await app.inject({ method: 'POST', url: '/v1/media', headers, payload: png(5, 5, 1) });
  return response.json<{ id: string }>().id;
}
const places = async ({ deps }: TestApp, id: string) =>
  (await locationsOf(deps.db, id, null)).map(({ store: name, state }) => `${name} ${state}`).toSorted();
const intents = ({ deps }: TestApp) => deps.db.selectFrom('storage_intents').select(['store', 'key']).execute();
const due = ({ deps }: TestApp) =>
  deps.db.updateTable('media_locations').set({ next_attempt_at: '2000-01-01' }).execute();
const copyTo = async ({ deps }: TestApp, id: string, to: string) => {
  const item = await findItem(deps.db, id);
  if (!item) throw new Error('no item');
  return await copyItem(deps, item, { to: deps.stores.get(to), home: false });
};

test('a bad copy is replaced, and its object removed; a bad copy in another store stays where it is', async () => {
  const app = await start({ STORAGE_MIRRORS: 'two,three' });
  const id = await stored(app);
  await makePendingCopies(app.deps);
  await app.deps.db.updateTable('media_locations').set({ state: 'corrupt' }).where('store', '<>', 'one').execute();
  const [[before] = []] = store('two').objects;
  const [[other] = []] = store('three').objects;
  await copyTo(app, id, 'two');
  expect(await places(app, id)).toEqual(['one stored', 'three corrupt', 'two stored']);
  expect(store('two').objects.size).toBe(1);
  expect([...store('two').objects.keys()]).not.toContain(before);
  expect([...store('three').objects.keys()]).toEqual([other]);
  expect([...store('two').objects.values()].map(({ contentType }) => contentType)).toEqual(['image/png']);
  expect(await intents(app)).toEqual([]);
});

test("an object that was adopted is another's: the copy that replaces it does not remove it", async () => {
  const app = await start({ STORAGE_MIRRORS: 'two' });
  const id = await stored(app);
  await makePendingCopies(app.deps);
  await app.deps.db
    .updateTable('media_locations')
    .set({ state: 'missing', owned: false })
    .where('store', '=', 'two')
    .execute();
  await copyTo(app, id, 'two');
  expect(await places(app, id)).toEqual(['one stored', 'two stored']);
  expect(store('two').objects.size).toBe(2);
});

test('a store that has a good copy already gets no second one', async () => {
  const app = await start({ STORAGE_MIRRORS: 'two' });
  const id = await stored(app);
  await makePendingCopies(app.deps);
  await expect(copyTo(app, id, 'two')).rejects.toMatchObject({ code: 'object_taken' });
  expect(store('two').objects.size).toBe(1);
  expect(await intents(app)).toEqual([]);
});

test('what a fallback took goes home, and leaves the fallback', async () => {
  const app = await start({ STORAGE_FALLBACKS: 'two' });
  store('one').down = true;
  const id = await stored(app);
  expect(await places(app, id)).toEqual(['one pending', 'two stored']);
  expect(await makePendingCopies(app.deps)).toMatchObject({ home: 0, down: ['one'] });
  store('one').down = false;
  await due(app);
  await expect
    .poll(async () => {
      await due(app);
      return (await makePendingCopies(app.deps)).home;
    })
    .toBe(1);
  expect(await places(app, id)).toEqual(['one stored']);
  expect([store('one').objects.size, store('two').objects.size]).toEqual([1, 0]);
  expect(await findItem(app.deps.db, id)).toMatchObject({ storageProvider: 'one' });
});

test('a fallback that is a mirror as well keeps its copy', async () => {
  const app = await start({ STORAGE_FALLBACKS: 'two', STORAGE_MIRRORS: 'two' });
  store('one').down = true;
  const id = await stored(app);
  store('one').down = false;
  await expect
    .poll(async () => {
      await due(app);
      return (await makePendingCopies(app.deps)).home;
    })
    .toBe(1);
  expect(await places(app, id)).toEqual(['one stored', 'two stored']);
  expect([store('one').objects.size, store('two').objects.size]).toEqual([1, 1]);
});

test('a move to a store that has a copy already is told in the metadata.json of its run', async () => {
  const app = await start({ STORAGE_MIRRORS: 'two' });
  const post = (url: string, payload: object) => app.app.inject({ method: 'POST', url, headers: alice, payload });
  const { runId } = (await post('/v1/runs', { inputText: 'a fox' })).json<{ runId: string }>();
  const source = { type: 'base64', data: png(5, 5, 2).toString('base64') };
  const { items } = (await post(`/v1/runs/${runId}/media`, { source })).json<{ items: { id: string }[] }>();
  const id = items[0]?.id ?? '';
  await makePendingCopies(app.deps);
  const [item, locations] = [await findItem(app.deps.db, id), await locationsOf(app.deps.db, id, 'two')];
  const [existing] = locations;
  if (!item || !existing) throw new Error('no copy');
  expect(existing).toMatchObject({ store: 'two', state: 'stored' });
  await settleCopy(app.deps, item, existing, { to: app.deps.stores.get('two'), home: true, drop: 'one' });
  expect(await places(app, id)).toEqual(['two stored']);
  const text = store('one').objects.get(`runs/${runId}/metadata.json`)?.bytes.toString() ?? '{}';
  const [entry] = (JSON.parse(text) as { outputs: Record<string, unknown>[] }).outputs;
  expect(entry).toMatchObject({ item_id: id, store: 'two' });
});

test('a copy lies beside where the original lies, under the same name with another unique part', async () => {
  const app = await start({});
  const headers = { ...alice, 'content-type': 'image/png' };
  const url = '/v1/media?filename=fox.png&subfolder=woods/deep';
  const response = await app.app.inject({ method: 'POST', url, headers, payload: png(5, 5, 2) });
  const { id, storageKey } = response.json<{ id: string; storageKey: string }>();
  await copyTo(app, id, 'two');
  const [key = ''] = store('two').objects.keys();
  const shape = /^(outputs\/[^/]+\/woods\/deep\/fox)-([0-9a-f]{16})\.png$/;
  const [original, copy] = [shape.exec(storageKey), shape.exec(key)];
  expect(copy?.[1]).toBe(original?.[1]);
  expect(copy?.[2]).not.toBe(original?.[2]);
});

test('a copy of an object that another system owns lies among our outputs, under its own name', async () => {
  const app = await start({});
  const theirs = { bytes: png(5, 5, 3), contentType: 'image/png', modifiedAt: new Date() };
  store('one').objects.set('theirs/archive/owl.png', theirs);
  const payload = { userId: 'alice', source: { type: 'object', store: 'one', key: 'theirs/archive/owl.png' } };
  const response = await app.app.inject({ method: 'POST', url: '/v1/media', headers: asAdmin(), payload });
  await copyTo(app, response.json<{ id: string }>().id, 'two');
  const [key = ''] = store('two').objects.keys();
  expect(key).toMatch(/^outputs\/[^/]+\/owl-[0-9a-f]{16}\.png$/);
});

test("a copy of a run's output has the run's name for it, or the next free one", async () => {
  const app = await start({});
  const post = (url: string, payload: object) => app.app.inject({ method: 'POST', url, headers: alice, payload });
  const { runId } = (await post('/v1/runs', { inputText: 'a fox' })).json<{ runId: string }>();
  const add = async (salt: number) => {
    const source = { type: 'base64', data: png(5, 5, salt).toString('base64') };
    const made = await post(`/v1/runs/${runId}/media`, { source });
    return made.json<{ items: [{ id: string }] }>().items[0].id;
  };
  const [first, second] = [await add(4), await add(5)];
  const slot = { runId, store: 'three', type: 'image', n: 1 };
  expect(await insertRunSlot(app.deps.db, slot)).toBe(true);
  await copyTo(app, second, 'two');
  await copyTo(app, first, 'three');
  const outputs = (name: string) => [...store(name).objects.keys()].filter((key) => key.includes('/output_'));
  expect(outputs('two')).toEqual([`runs/${runId}/output_image_2.png`]);
  expect(outputs('three')).toEqual([`runs/${runId}/output_image_2.png`]);
});

test('a copy that fails is tried again later each time, at last every five minutes', async () => {
  const app = await start({ STORAGE_MIRRORS: 'two' });
  store('two').keeps = (bytes) => bytes.subarray(1);
  await stored(app);
  for (const seconds of [5, 10, 20, 40, 80, 160, 300, 300]) {
    await due(app);
    expect(await makePendingCopies(app.deps)).toMatchObject({ mirrored: 0, failed: 1 });
    const left = (await secondsToNextCopy(app.deps)) ?? 0;
    expect(left).toBeLessThanOrEqual(seconds);
    expect(left).toBeGreaterThan(0.7 * seconds);
  }
  store('two').keeps = (bytes) => bytes;
  await due(app);
  expect(await makePendingCopies(app.deps)).toMatchObject({ mirrored: 1, failed: 0 });
  expect(await secondsToNextCopy(app.deps)).toBeUndefined();
});

test('a copy, made or failed, leaves nothing behind that waits for the end of the worker', async () => {
  const app = await start({ STORAGE_MIRRORS: 'two' });
  const worker = new AbortController();
  await stored(app);
  store('two').keeps = (bytes) => bytes.subarray(1);
  expect(await makePendingCopies(app.deps, worker.signal)).toMatchObject({ failed: 1 });
  expect(getEventListeners(worker.signal, 'abort')).toEqual([]);
  store('two').keeps = (bytes) => bytes;
  await due(app);
  expect(await makePendingCopies(app.deps, worker.signal)).toMatchObject({ mirrored: 1 });
  expect(getEventListeners(worker.signal, 'abort')).toEqual([]);
});
