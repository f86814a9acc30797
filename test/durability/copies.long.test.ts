import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { discard } from '../../src/domain/staging/discard.ts';
import { makePendingCopies } from '../../src/domain/copies/pending-copies.ts';
import { sweepIntents } from '../../src/domain/staging/sweep.ts';
import { type TransferSummary, transferItems } from '../../src/domain/copies/transfer.ts';
import { DRIVERS } from '../../src/storage/stores/registry.ts';
import { type MemoryStore, memoryKind } from '../support/storage/memory-driver.ts';
import { bigPng } from '../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let stores: Map<string, MemoryStore>;
beforeEach(async () => {
  const { kind, made } = memoryKind();
  stores = made;
  const env = { STORES: 'one:memory,two:memory,three:memory', STORAGE_PRIMARY: 'one', STORAGE_MIRRORS: 'three' };
  t = await createTestApp({ ...env, DATABASE_POOL_MAX: '10' }, {}, { ...DRIVERS, memory: kind });
});
afterEach(() => t.close());

const store = (name: string): MemoryStore => {
  const found = stores.get(name);
  if (!found) throw new Error(`no store ${name}`);
  return found;
};
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
async function upload(count: number, bytes = 20_000): Promise<Map<string, string>> {
  const made = new Map<string, string>();
  for (let index = 0; index < count; index += 1) {
    const payload = bigPng(bytes + index, index);
    const headers = { ...asUser('a'), 'content-type': 'image/png' };
    const { id } = (await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload })).json();
    made.set(id, sha256(payload));
  }
  return made;
}
const transfer = (from: string | undefined, to: string): Promise<TransferSummary> =>
  transferItems(t.deps, {
    from,
    to,
    filter: {},
    keep: false,
    concurrency: 4,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
const objects = () => [...stores.values()].reduce((sum, each) => sum + each.objects.size, 0);
const intents = () => t.deps.db.selectFrom('storage_intents').selectAll().execute();
async function sweepAll(): Promise<void> {
  await t.deps.db.updateTable('storage_intents').set({ leased_until: '2000-01-01' }).execute();
  await sweepIntents(t.deps);
}
/** Every item is read with its own bytes, and every object belongs to an item's location. */
async function allWell(items: ReadonlyMap<string, string>): Promise<void> {
  let locations = 0;
  for (const [id, digest] of items) {
    const response = await t.app.inject({ url: `/v1/media/${id}/content`, headers: asAdmin() });
    expect([id, response.statusCode, sha256(response.rawPayload)]).toEqual([id, 200, digest]);
    const item = (await t.app.inject({ url: `/v1/media/${id}`, headers: asAdmin() })).json();
    for (const { store: name, key, state } of item.locations as { store: string; key: string; state: string }[]) {
      if (state === 'pending') continue;
      locations += 1;
      expect(sha256(store(name).objects.get(key)?.bytes ?? Buffer.alloc(0))).toBe(digest);
    }
  }
  await sweepAll();
  expect([objects(), await intents()]).toEqual([locations, []]);
}

test('two concurrent moves of the same items move each item once and lose none', async () => {
  const items = await upload(60);
  const [first, second] = await Promise.all([transfer('one', 'two'), transfer('one', 'two')]);
  expect([first.failed, second.failed, first.copied + second.copied]).toEqual([[], [], 60]);
  expect(store('one').objects.size).toBe(0);
  await allWell(items);
});

test('moves in opposite directions, and to different stores, leave each item at least one copy', async () => {
  const items = await upload(30);
  await transfer(undefined, 'two');
  await Promise.all([transfer('one', 'two'), transfer('two', 'one'), transfer('one', 'three')]);
  expect(objects()).toBeGreaterThanOrEqual(30);
  await allWell(items);
});

test('a worker that makes mirror copies during a move: both complete', async () => {
  const items = await upload(40);
  const [moved] = await Promise.all([transfer('one', 'two'), makePendingCopies(t.deps), makePendingCopies(t.deps)]);
  expect(moved.failed).toEqual([]);
  await t.deps.db
    .updateTable('media_locations')
    .set({ next_attempt_at: '2000-01-01' })
    .where('state', '=', 'pending')
    .execute();
  await makePendingCopies(t.deps);
  expect([store('one').objects.size, store('two').objects.size, store('three').objects.size]).toEqual([0, 40, 40]);
  await allWell(items);
});

test('a copy that becomes due again while it is being made is made once', async () => {
  const items = await upload(1, 2_000_000);
  let open = () => {};
  store('three').gate = new Promise<void>((resolve) => (open = resolve));
  const slow = makePendingCopies(t.deps);
  while ((await intents()).length === 0) await sleep(5);
  await t.deps.db
    .updateTable('media_locations')
    .set({ next_attempt_at: '2000-01-01' })
    .where('state', '=', 'pending')
    .execute();
  store('three').gate = undefined;
  await makePendingCopies(t.deps);
  open();
  await slow;
  expect(store('three').objects.size).toBe(1);
  await allWell(items);
});

test('purges during moves and mirror copies leave nothing of the purged items, and everything else', async () => {
  const items = await upload(40);
  const purged = [...items.keys()].filter((_id, index) => index % 2 === 0);
  const purging = (async () => {
    const statuses: number[] = [];
    for (const id of purged) {
      const response = await t.app.inject({
        method: 'DELETE',
        url: `/v1/media/${id}?purge=true`,
        headers: asUser('a'),
      });
      statuses.push(response.statusCode);
    }
    return new Set(statuses);
  })();
  const [statuses] = await Promise.all([purging, transfer('one', 'two'), makePendingCopies(t.deps)]);
  expect(statuses).toEqual(new Set([204]));
  for (const id of purged) items.delete(id);
  await allWell(items);
});

test('an object that belongs to an item is never discarded, whatever intent names it', async () => {
  const [id = ''] = (await upload(1)).keys();
  const item = (await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('a') })).json();
  const intent = { store: 'one', key: item.storageKey as string };
  await t.deps.db
    .insertInto('storage_intents')
    .values({ ...intent, leased_until: '2000-01-01' })
    .execute();
  await discard(t.deps, intent, t.deps.stores.get('one'));
  expect([store('one').objects.size, await intents()]).toEqual([1, []]);
});

test('a foreign object under the target key of a move stays, and the item moves', async () => {
  const [id = ''] = (await upload(1)).keys();
  const item = (await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('a') })).json();
  const theirs = { bytes: Buffer.from('theirs'), contentType: 'text/plain', modifiedAt: new Date() };
  store('two').objects.set(item.storageKey, theirs);
  expect(await transfer('one', 'two')).toMatchObject({ copied: 1, failed: [] });
  expect(store('two').objects.get(item.storageKey)).toBe(theirs);
});

test('a bad copy is replaced by a mirror run, and its object is removed', async () => {
  const items = await upload(1);
  await transfer(undefined, 'two');
  const [key = ''] = store('two').objects.keys();
  await t.deps.db.updateTable('media_locations').set({ state: 'corrupt' }).where('store', '=', 'two').execute();
  expect(await transfer(undefined, 'two')).toMatchObject({ copied: 1, failed: [] });
  expect(store('two').objects.has(key)).toBe(false);
  await allWell(items);
});
