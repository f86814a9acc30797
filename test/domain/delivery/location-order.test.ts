import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Location, locationsOf } from '../../../src/db/objects/locations.ts';
import { makePendingCopies } from '../../../src/domain/copies/pending-copies.ts';
import { servable } from '../../../src/domain/delivery/open-content.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { bigPng } from '../../support/sample-files.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let stores: Map<string, MemoryStore>;
const alice = asUser('alice');
const file = bigPng(300_000, 4);

beforeEach(async () => {
  const { kind, made } = memoryKind();
  stores = made;
  const env = { STORES: 'one:memory,two:memory,three:memory', STORAGE_PRIMARY: 'one', STORAGE_MIRRORS: 'two,three' };
  t = await createTestApp({ ...env, CONTENT_CACHE_BYTES: '0' }, {}, { ...DRIVERS, memory: kind });
});
afterEach(() => t.close());

const store = (name: string): MemoryStore => {
  const found = stores.get(name);
  if (!found) throw new Error(`no store ${name}`);
  return found;
};
/** An item with a copy in each of the three stores. */
async function mirrored(): Promise<string> {
  const headers = { ...alice, 'content-type': 'image/png' };
  const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: file });
  expect(await makePendingCopies(t.deps)).toMatchObject({ mirrored: 2 });
  // Both were recorded in one transaction; the older one comes first.
  await sql`UPDATE media_locations SET created_at = created_at + interval '1 second' WHERE store = 'three'`.execute(
    t.deps.db,
  );
  return response.json<{ id: string }>().id;
}
const mark = (name: string, state: Location['state']) =>
  t.deps.db.updateTable('media_locations').set({ state }).where('store', '=', name).execute();
const read = async (id: string, headers: Record<string, string> = {}) => {
  const response = await t.app.inject({ url: `/v1/media/${id}/content`, headers: { ...alice, ...headers } });
  const whole = response.rawPayload.equals(file);
  return { status: response.statusCode, from: response.headers['x-storage-provider'], whole, response };
};
const order = async (id: string) =>
  servable(t.deps, await locationsOf(t.deps.db, id, 'one')).map(({ store: name, state }) => `${name} ${state}`);

test('locations marked missing or corrupt are tried after sound ones, even the first location', async () => {
  const id = await mirrored();
  expect(await read(id)).toMatchObject({ status: 200, from: 'one', whole: true });
  await mark('one', 'missing');
  expect(await read(id)).toMatchObject({ from: 'two', whole: true });
  await mark('two', 'missing');
  expect(await read(id)).toMatchObject({ from: 'three', whole: true });
  expect(await order(id)).toEqual(['three stored', 'one missing', 'two missing']);
  await mark('one', 'corrupt');
  expect(await read(id)).toMatchObject({ from: 'three', whole: true });
  // A range comes from a sound copy, too.
  const part = await read(id, { range: 'bytes=10-19' });
  expect([part.status, part.from, part.response.rawPayload]).toEqual([206, 'three', file.subarray(10, 20)]);
});

test('a location marked corrupt is tried after one marked missing', async () => {
  const id = await mirrored();
  await mark('one', 'corrupt');
  await mark('two', 'missing');
  await mark('three', 'missing');
  expect(await order(id)).toEqual(['two missing', 'three missing', 'one corrupt']);
  expect(await read(id)).toMatchObject({ from: 'two', whole: true });
  store('two').objects.clear();
  store('three').objects.clear();
  expect(await read(id)).toMatchObject({ status: 200, from: 'one', whole: true });
});

test('pending copies and stores that are not configured here are never read', async () => {
  const id = await mirrored();
  await mark('one', 'pending');
  await t.deps.db.updateTable('media_locations').set({ store: 'elsewhere' }).where('store', '=', 'two').execute();
  expect(await order(id)).toEqual(['three stored']);
  await mark('three', 'pending');
  expect((await read(id)).response.json()).toMatchObject({ status: 410, code: 'content_missing' });
});

test('a store that is known to be down is tried last', async () => {
  const id = await mirrored();
  store('one').down = true;
  await expect(t.deps.stores.get('one').healthy()).rejects.toThrow();
  const before = t.logged().length;
  expect(await read(id)).toMatchObject({ from: 'two', whole: true });
  expect(t.logged().slice(before)).not.toContain('a location of an item could not be read');
});

test('an object whose size differs is skipped for the next location', async () => {
  const id = await mirrored();
  for (const [key, object] of store('one').objects)
    store('one').objects.set(key, { ...object, bytes: Buffer.concat([object.bytes, Buffer.from('more')]) });
  expect(await read(id)).toMatchObject({ status: 200, from: 'two', whole: true });
  const part = await read(id, { range: 'bytes=0-9' });
  expect([part.status, part.from, part.response.rawPayload]).toEqual([206, 'two', file.subarray(0, 10)]);
});

test.each([
  ['first', 'one'],
  ['last', 'three'],
])('when no location has the bytes and the %s one may recover, the reader is told to retry', async (_where, away) => {
  const id = await mirrored();
  for (const [name, each] of stores) if (name !== away) each.objects.clear();
  store(away).down = true;
  expect((await read(id)).response.json()).toMatchObject({ status: 503, code: 'store_unavailable' });
  store(away).down = false;
  store(away).objects.clear();
  expect((await read(id)).response.json()).toMatchObject({ status: 410, code: 'content_missing' });
});
