import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { locationsOf } from '../../../src/db/objects/locations.ts';
import { makePendingCopies } from '../../../src/domain/copies/pending-copies.ts';
import { type TransferSummary, transferItems } from '../../../src/domain/copies/transfer.ts';
import { openContent } from '../../../src/domain/delivery/open-content.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { readAll } from '../../support/bodies.ts';
import { slowRows } from '../../support/database/slow-rows.ts';
import { bigPng } from '../../support/sample-files.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';
import { until } from '../../support/until.ts';

let t: TestApp;
let stores: Map<string, MemoryStore>;
const alice = asUser('alice');
const file = bigPng(200_000, 3);

beforeEach(async () => {
  const { kind, made } = memoryKind();
  stores = made;
  const env = { STORES: 'one:memory,two:memory', STORAGE_PRIMARY: 'one', STORAGE_MIRRORS: 'two' };
  t = await createTestApp({ ...env, CONTENT_CACHE_BYTES: '0' }, {}, { ...DRIVERS, memory: kind });
});
afterEach(() => t.close());

const store = (name: string): MemoryStore => {
  const found = stores.get(name);
  if (!found) throw new Error(`no store ${name}`);
  return found;
};
const flipped = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  copy[1000] = (copy[1000] ?? 0) ^ 1;
  return copy;
};
/** An item in the store 'one' alone; its mirror copy is pending. */
async function stored(): Promise<string> {
  const headers = { ...alice, 'content-type': 'image/png' };
  const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: file });
  return response.json<{ id: string }>().id;
}
const move = (): Promise<TransferSummary> =>
  transferItems(t.deps, {
    from: 'one',
    to: 'two',
    filter: {},
    keep: false,
    concurrency: 1,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
const states = async (id: string) =>
  (await locationsOf(t.deps.db, id, null)).map(({ store: name, state }) => `${name} ${state}`).toSorted();
const served = (id: string) => t.app.inject({ url: `/v1/media/${id}/content`, headers: alice });
const due = () => t.deps.db.updateTable('media_locations').set({ next_attempt_at: '2000-01-01' }).execute();

test.each([
  ['other bytes', flipped],
  ['fewer bytes', (bytes: Buffer) => bytes.subarray(0, 150_000)],
  ['no bytes', () => Buffer.alloc(0)],
])('a mirror that acknowledges a copy but returns %s gets no location, and is retried later', async (_what, keeps) => {
  const id = await stored();
  store('two').keeps = keeps;
  expect(await makePendingCopies(t.deps)).toMatchObject({ mirrored: 0, failed: 1 });
  expect(await states(id)).toEqual(['one stored', 'two pending']);
  expect(store('two').objects.size).toBe(0);
  store('two').keeps = (bytes) => bytes;
  await due();
  expect(await makePendingCopies(t.deps)).toMatchObject({ mirrored: 1, failed: 0 });
  expect(await states(id)).toEqual(['one stored', 'two stored']);
});

test('a mirror that becomes unavailable between the write and the read-back gets no location', async () => {
  const id = await stored();
  store('two').keeps = (bytes) => {
    store('two').down = true;
    return bytes;
  };
  expect(await makePendingCopies(t.deps)).toMatchObject({ mirrored: 0, failed: 1 });
  expect(await states(id)).toEqual(['one stored', 'two pending']);
});

test('a move to a store that returns other bytes than it was sent leaves the item where it is', async () => {
  const id = await stored();
  store('two').keeps = flipped;
  expect(await move()).toMatchObject({
    copied: 0,
    failed: [{ id, reason: "The store 'two' gave back other bytes than were written." }],
  });
  expect(await states(id)).toEqual(['one stored', 'two pending']);
  const response = await served(id);
  expect([response.headers['x-storage-provider'], response.rawPayload.equals(file)]).toEqual(['one', true]);
});

test('a move to a store with an existing copy reads that copy before the old one is dropped', async () => {
  const id = await stored();
  await makePendingCopies(t.deps);
  const [[key, object] = []] = store('two').objects;
  if (key === undefined || object === undefined) throw new Error('no copy was made');
  store('two').objects.set(key, { ...object, bytes: flipped(object.bytes) });
  expect(await move()).toMatchObject({ present: 0, failed: [{ id }] });
  expect(await states(id)).toEqual(['one stored', 'two stored']);
  expect((await served(id)).rawPayload.equals(file)).toBe(true);
  store('two').objects.set(key, object);
  expect(await move()).toMatchObject({ present: 1, failed: [] });
  expect(await states(id)).toEqual(['two stored']);
  expect((await served(id)).rawPayload.equals(file)).toBe(true);
});

test('a move never drops the last good copy: one found damaged during the commit is replaced first', async () => {
  const id = await stored();
  await makePendingCopies(t.deps);
  const [[key, object] = []] = store('two').objects;
  if (key === undefined || object === undefined) throw new Error('no copy was made');
  const mirrored = (await locationsOf(t.deps.db, id, 'two')).slice(0, 1);
  // The move has verified the copy, and now waits for this row to switch the item's store.
  const atOnce = await slowRows(t.deps.db, { table: 'generated_images', on: 'UPDATE', seconds: 2 });
  const moving = move();
  await until(async () => {
    const { rows } =
      await sql`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`.execute(
        t.deps.db,
      );
    return rows.length > 0;
  });
  store('two').objects.set(key, { ...object, bytes: flipped(object.bytes) });
  // A reader finds the damage.
  await expect(openContent(t.deps, { id }, mirrored, undefined).then(({ stream }) => readAll(stream))).rejects.toThrow(
    'damaged',
  );
  await moving;
  await atOnce();
  expect((await served(id)).rawPayload.equals(file)).toBe(true);
  expect(await states(id)).toEqual(['two stored']);
});
