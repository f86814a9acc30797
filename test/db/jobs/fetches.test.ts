import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import {
  type FetchSource,
  type NewFetch,
  countFetches,
  extendFetch,
  giveUpFetch,
  insertFetch,
  postponeFetch,
  renewFetch,
  renewHeldFetches,
  reviveFetches,
  takeFetch,
} from '../../../src/db/jobs/fetches.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';

let database: TestDatabase;
let open: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  open = openDatabase({ connectionString: database.connectionString, poolMax: 4, statementTimeoutMs: 30_000 });
});
beforeEach(() => open.db.deleteFrom('fetches').execute());
afterAll(async () => {
  await open.close();
  await database.drop();
});

const url = (name: string): FetchSource => ({ type: 'url', url: `https://h/${name}` });
const object: FetchSource = { type: 'object', store: 'local', key: 'a.png' };
const delivery: FetchSource = { type: 'delivery', deliveryId: '1', output: 0, place: 0 };
const comfyui: FetchSource = { type: 'comfyui', filename: 'a.png', subfolder: '', fileType: 'output' };
const wanted = (sources: FetchSource[], more: Partial<NewFetch> = {}): NewFetch => ({
  sources,
  options: {},
  expiresAt: undefined,
  ...more,
});

/** A pending item whose bytes are to be fetched. */
async function waiting(sources: FetchSource[] = [url('a')], more: Partial<NewFetch> = {}): Promise<string> {
  const item = { user_id: 'alice', prompt: '', storage_url: '', status: 'pending' };
  const { id } = await open.db.insertInto('generated_images').values(item).returning('id').executeTakeFirstOrThrow();
  await open.db.transaction().execute((trx) => insertFetch(trx, id, wanted(sources, more)));
  return id;
}
const extend = (id: string, sources: FetchSource[], more: Partial<NewFetch> = {}) =>
  open.db.transaction().execute((trx) => extendFetch(trx, id, wanted(sources, more)));
const take = (id: string) => takeFetch(open.db, { mediaId: id });
const taken = async (id: string) => {
  const fetch = await take(id);
  if (!fetch) throw new Error('no fetch');
  return fetch;
};
const nextDue = async (atHand = false) => (await takeFetch(open.db, { atHand }))?.mediaId;
const giveUp = (fetch: { mediaId: string; revision: number }) =>
  open.db.transaction().execute((trx) => giveUpFetch(trx, fetch, 'gone'));
const later = { seconds: 100, error: '503' };
const [soon, late] = [new Date('2026-11-21T10:00:00Z'), new Date('2026-11-21T11:00:00Z')];

test.each([
  ['a later URL', soon, late, late],
  ['an earlier URL', late, soon, late],
  ['a place that lasts', soon, undefined, undefined],
  ['a URL, to a place that lasts', undefined, soon, undefined],
])('a fetch that gets %s expires with its last place', async (_what, known, added, expected) => {
  const id = await waiting([url('a')], { expiresAt: known });
  await extend(id, [url('b')], { expiresAt: added });
  expect((await taken(id)).expiresAt).toEqual(expected);
});

test('a fetch that had no place expires with its first', async () => {
  const id = await waiting([]);
  await extend(id, [url('a')], { expiresAt: soon });
  expect(await taken(id)).toMatchObject({ sources: [url('a')], expiresAt: soon });
});

test('a place is named once, and the best comes first: a store, what is near, a URL', async () => {
  const id = await waiting([url('a')]);
  await extend(id, [comfyui, url('a'), url('b')]);
  await extend(id, [object, delivery, url('b')]);
  const kinds = (await taken(id)).sources.map((source) => (source.type === 'url' ? source.url : source.type));
  expect(kinds).toEqual(['object', 'comfyui', 'delivery', 'https://h/a', 'https://h/b']);
  expect(await nextDue(false)).toBeUndefined();
});

test('a fetch keeps what it was told, and what it is told later comes over it', async () => {
  const id = await waiting([url('a')], { options: { subfolder: 'x', contentType: 'image/png' } });
  await extend(id, [url('b')], { options: { contentType: 'image/webp' } });
  expect((await taken(id)).options).toEqual({ subfolder: 'x', contentType: 'image/webp' });
});

test('a further place is tried at once, and the attempt that did not know it decides nothing', async () => {
  const id = await waiting();
  const old = await taken(id);
  expect(await nextDue()).toBeUndefined();
  await extend(id, [url('b')]);
  expect([await postponeFetch(open.db, old, later), await giveUp(old)]).toEqual([false, false]);
  expect(await nextDue()).toBe(id);
});

test('a place that is known already disturbs no attempt', async () => {
  const id = await waiting();
  const running = await taken(id);
  await extend(id, [url('a')]);
  expect(await nextDue()).toBeUndefined();
  expect(await postponeFetch(open.db, running, later)).toBe(true);
});

test('a fetch that was given up starts afresh with a place, even a known one', async () => {
  const id = await waiting();
  await taken(id);
  const last = await taken(id);
  expect(last.attempts).toBe(2);
  expect(await giveUp(last)).toBe(true);
  await open.db.updateTable('fetches').set({ created_at: '2026-01-01' }).execute();
  expect([await nextDue(), await take(id)]).toEqual([undefined, undefined]);
  await extend(id, [url('a')]);
  const again = await takeFetch(open.db, { atHand: false });
  expect(again).toMatchObject({ mediaId: id, attempts: 1 });
  expect(Date.now() - Number(again?.createdAt)).toBeLessThan(60_000);
});

test('a waiting fetch keeps its count and its age when it gets a place', async () => {
  const id = await waiting();
  await taken(id);
  await open.db.updateTable('fetches').set({ created_at: '2026-01-01' }).execute();
  await extend(id, [url('b')]);
  expect(await taken(id)).toMatchObject({ attempts: 2, createdAt: new Date('2026-01-01') });
});

test('what a request brings itself is left to it for a while, then to a worker', async () => {
  const id = await waiting([], { held: true });
  expect(await nextDue()).toBeUndefined();
  await open.db.updateTable('fetches').set({ next_attempt_at: '2026-01-01' }).execute();
  await extend(id, [url('a')], { held: true });
  expect(await nextDue()).toBeUndefined();
  await open.db.updateTable('fetches').set({ next_attempt_at: '2026-01-01' }).execute();
  await renewHeldFetches(open.db, [id]);
  expect(await nextDue()).toBeUndefined();
  await open.db.updateTable('fetches').set({ next_attempt_at: '2026-01-01' }).execute();
  await renewHeldFetches(open.db, []);
  expect(await nextDue()).toBe(id);
  // A worker has it: the request renews nothing any more.
  await open.db.updateTable('fetches').set({ next_attempt_at: '2026-01-01' }).execute();
  await renewHeldFetches(open.db, [id]);
  expect(await nextDue()).toBe(id);
});

test('of the due fetches the first to expire is taken first, and each once; what is at hand is apart', async () => {
  const lasting = await waiting();
  const second = await waiting([url('a')], { expiresAt: late });
  const first = await waiting([url('a')], { expiresAt: soon });
  const near = await waiting([object]);
  const nearToo = await waiting([delivery]);
  const both = await Promise.all([nextDue(), nextDue()]);
  expect(both.toSorted()).toEqual([first, second].toSorted());
  expect([await nextDue(), await nextDue()]).toEqual([lasting, undefined]);
  expect([await nextDue(true), await nextDue(true), await nextDue(true)]).toEqual([near, nearToo, undefined]);
});

test('an attempt renews its lease, unless another has begun or it was given up', async () => {
  const id = await waiting();
  const overdue = () => open.db.updateTable('fetches').set({ next_attempt_at: '2026-01-01' }).execute();
  const first = await taken(id);
  await overdue();
  await renewFetch(open.db, first);
  expect(await nextDue()).toBeUndefined();
  const second = await taken(id);
  await overdue();
  await renewFetch(open.db, first);
  expect(await countFetches(open.db)).toEqual({ waiting: 1, overdue: 1 });
  await giveUp(second);
  expect(await countFetches(open.db)).toEqual({ waiting: 0, overdue: 0 });
});

test('a postponed fetch waits, and can be revived at once with the full time', async () => {
  const [id, other] = [await waiting(), await waiting()];
  const [old, unasked] = [await taken(id), await taken(other)];
  await postponeFetch(open.db, old, later);
  await postponeFetch(open.db, unasked, later);
  const { rows } = await sql<{ seconds: number }>`
    SELECT extract(epoch FROM next_attempt_at - now())::float8 AS seconds FROM fetches`.execute(open.db);
  for (const { seconds } of rows) expect(Math.abs(seconds - 100)).toBeLessThan(30);
  const revive = (ids: string[]) => open.db.transaction().execute((trx) => reviveFetches(trx, ids));
  expect([await revive([]), await revive([id])]).toEqual([[], [id]]);
  expect(await giveUp(old)).toBe(false);
  expect([await nextDue(), await nextDue()]).toEqual([id, undefined]);
  expect((await taken(id)).attempts).toBe(2);
});
