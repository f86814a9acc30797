import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { FetchSource } from '../../../src/db/jobs/fetches.ts';
import { fetchPending } from '../../../src/domain/pending/fetch-pending.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { type Origin, startOrigin } from '../../support/origin.ts';
import { bigPng, png } from '../../support/sample-files.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let main: MemoryStore;
let origin: Origin;

beforeAll(async () => {
  const { kind, made } = memoryKind();
  origin = await startOrigin();
  t = await createTestApp(
    {
      STORES: 'main:memory',
      STORAGE_PRIMARY: 'main',
      FETCH_TRUSTED_HOSTS: '127.0.0.1',
      WEBHOOK_SECRET_RUNPOD: 'hook',
    },
    {},
    { ...DRIVERS, memory: kind },
  );
  main = made.get('main') as MemoryStore;
});
beforeEach(async () => {
  main.down = false;
  origin.down = false;
  main.objects.clear();
  await t.deps.db.deleteFrom('fetches').execute();
});
afterAll(async () => {
  await t.close();
  origin.close();
});

/** An item that waits for the bytes in its job's webhook; no worker runs. */
async function told(file: Buffer): Promise<string> {
  const output = { images: [{ filename: 'a.png', data: file.toString('base64') }] };
  const payload = { id: randomUUID(), status: 'COMPLETED', user_id: 'a', output };
  const answer = await t.app.inject({ method: 'POST', url: '/v1/webhooks/runpod?secret=hook', payload });
  expect(answer.json()).toMatchObject({ state: 'accepted' });
  return answer.json<{ items: string[] }>().items[0] ?? '';
}
/** Makes these places the only ones of the item. */
const places = (...sources: FetchSource[]) =>
  sql`UPDATE fetches SET sources = ${JSON.stringify(sources)}::jsonb`.execute(t.deps.db);
const attempt = (id: string) => fetchPending(t.deps, { mediaId: id });
const item = async (id: string) => (await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('a') })).json();
const expectFailure = async (id: string, reason: RegExp) => {
  expect(await attempt(id)).toMatchObject({ state: 'failed', reason: expect.stringMatching(reason) });
  expect(await item(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(reason) });
  // No further attempt is made.
  expect(await attempt(id)).toBeUndefined();
};

test('an item that gets its bytes late keeps its name, and is found by it', async () => {
  const output = { images: [{ filename: 'zebrafish.png', data: png(7, 7, 7).toString('base64') }] };
  const payload = { id: randomUUID(), status: 'COMPLETED', user_id: 'a', output };
  const answer = await t.app.inject({ method: 'POST', url: '/v1/webhooks/runpod?secret=hook', payload });
  const id = answer.json<{ items: string[] }>().items[0] ?? '';
  expect(await attempt(id)).toMatchObject({ state: 'stored' });
  expect(await item(id)).toMatchObject({ status: 'success', filename: 'zebrafish.png' });
  const found = await t.app.inject({ url: '/v1/media?q=zebrafish.png', headers: asUser('a') });
  expect(found.json<{ items: { id: string }[] }>().items.map((each) => each.id)).toEqual([id]);
});

test('an item whose bytes were in a webhook that has been removed fails at the first attempt', async () => {
  const id = await told(png());
  await t.deps.db.deleteFrom('webhook_deliveries').execute();
  await expectFailure(id, /not kept any more/);
});

test('an item fails at the first attempt when the stored body of its webhook is gone', async () => {
  const id = await told(bigPng(100_000));
  expect([...main.objects.keys()]).toEqual([expect.stringMatching(/^webhooks\/runpod\//)]);
  main.objects.clear();
  await expectFailure(id, /no longer has these bytes/);
});

test('an item fails at the first attempt when its webhook does not contain the bytes', async () => {
  const id = await told(png());
  const { sources } = await t.deps.db.selectFrom('fetches').select('sources').executeTakeFirstOrThrow();
  const [first] = sources as unknown as Extract<FetchSource, { type: 'delivery' }>[];
  if (!first) throw new Error('no place is known');
  await places({ ...first, sha256: '0'.repeat(64) });
  await expectFailure(id, /does not hold those bytes/);
});

test('the bytes of a webhook are found by their hash when another version reads its outputs in another order', async () => {
  const id = await told(png());
  const { sources } = await t.deps.db.selectFrom('fetches').select('sources').executeTakeFirstOrThrow();
  const [first] = sources as unknown as Extract<FetchSource, { type: 'delivery' }>[];
  if (!first) throw new Error('no place is known');
  await places({ ...first, output: 7 });
  expect(await attempt(id)).toMatchObject({ state: 'stored' });
});

test('the bytes of a webhook that an earlier version noted without their hash are found by their place', async () => {
  const id = await told(png());
  const { sources } = await t.deps.db.selectFrom('fetches').select('sources').executeTakeFirstOrThrow();
  const [{ sha256, ...first }] = sources as unknown as [Extract<FetchSource, { type: 'delivery' }>];
  expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  await places(first);
  expect(await attempt(id)).toMatchObject({ state: 'stored' });
  const other = await told(png(2, 2));
  await places({ ...first, output: 7 });
  await expectFailure(other, /does not hold those bytes/);
});

test("while the store of the webhook's body is down the item waits, and is stored when it is back", async () => {
  const id = await told(bigPng(100_000));
  main.down = true;
  expect(await attempt(id)).toMatchObject({ state: 'later' });
  expect((await item(id)).status).toBe('pending');
  main.down = false;
  expect(await attempt(id)).toMatchObject({ state: 'stored' });
  expect((await item(id)).status).toBe('success');
});

test('a place that is gone for good does not fail the item while another place may have the bytes', async () => {
  const id = await told(png());
  const { sources } = await t.deps.db.selectFrom('fetches').select('sources').executeTakeFirstOrThrow();
  await places(...(sources as unknown as FetchSource[]), { type: 'url', url: `${origin.url}/ok/a.png` });
  await t.deps.db.deleteFrom('webhook_deliveries').execute();
  origin.down = true;
  expect(await attempt(id)).toMatchObject({ state: 'later' });
  origin.down = false;
  expect(await attempt(id)).toMatchObject({ state: 'stored' });
});

test.each<[string, () => FetchSource, RegExp]>([
  ['a URL that returns 404', () => ({ type: 'url', url: `${origin.url}/nowhere` }), /status 404/],
  ['a URL that may not be fetched', () => ({ type: 'url', url: 'http://10.0.0.1/a.png' }), /./],
  ['an object in a store that is not configured', () => ({ type: 'object', store: 'none', key: 'a.png' }), /none/],
  ['an object under an invalid key', () => ({ type: 'object', store: 'main', key: '../a.png' }), /./],
])('an item whose only place is %s fails at the first attempt', async (_what, place, reason) => {
  const id = await told(png());
  await places(place());
  await expectFailure(id, reason);
});

test('an item whose bytes are not media fails at the first attempt', async () => {
  const put = (key: string, bytes: Buffer) =>
    main.objects.set(key, { bytes, contentType: 'image/png', modifiedAt: new Date() });
  const id = await told(png());
  put('page.png', Buffer.from('<html>no picture</html>'));
  await places({ type: 'object', store: 'main', key: 'page.png' });
  await expectFailure(id, /./);
});

test('an object that a volume does not show yet is tried three more times before the item fails', async () => {
  const id = await told(png());
  await places({ type: 'object', store: 'main', key: 'late.png' });
  for (let time = 0; time < 3; time += 1) expect(await attempt(id)).toMatchObject({ state: 'later' });
  await expectFailure(id, /has no object of that key/);
});

test('an attempt interrupted by the end of its process is repeated after a second', async () => {
  const id = await told(png());
  await t.deps.db.deleteFrom('webhook_deliveries').execute();
  const { signal } = new AbortController();
  expect(await fetchPending(t.deps, { mediaId: id }, { signal: AbortSignal.abort() })).toEqual({
    state: 'later',
    seconds: 1,
  });
  expect(await fetchPending(t.deps, { mediaId: id }, { signal })).toMatchObject({ state: 'failed' });
});

test('an item that waits for an object which is an item of its user already becomes that one', async () => {
  const payload = { source: { type: 'base64', data: png(8, 8, 8).toString('base64') } };
  const own = (await t.app.inject({ method: 'POST', url: '/v1/media', headers: asUser('a'), payload })).json();
  const object: FetchSource = { type: 'object', store: 'main', key: own.storageKey };
  const id = await told(png());
  await places(object);
  expect(await attempt(id)).toMatchObject({ state: 'stored', item: { id: own.id } });
  expect((await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('a') })).statusCode).toBe(404);
  // A version of a scene stays, and fails.
  const version = await told(png());
  await t.deps.db.updateTable('generated_images').set({ version: 1 }).where('id', '=', version).execute();
  await places(object);
  await expectFailure(version, /./);
  // Another user's item is not given away.
  const others = await told(png());
  await t.deps.db.updateTable('generated_images').set({ user_id: 'b' }).where('id', '=', own.id).execute();
  await places(object);
  await expectFailure(others, /./);
});

test.each([
  [2000, 'is kept'],
  [2001, 'is left out'],
])('a URL of %d bytes %s as the original URL, of a new item and of one that had failed', async (bytes, kept) => {
  const start = `${origin.url}/ok/`;
  const image = `${start}${'a'.repeat(bytes - start.length - 4)}.png`;
  const expected = kept === 'is kept' ? image : null;
  const hook = async (payload: object) => {
    const answer = await t.app.inject({ method: 'POST', url: '/v1/webhooks/runpod?secret=hook', payload });
    return answer.json<{ items: string[] }>().items[0] ?? '';
  };
  const about = { status: 'COMPLETED', user_id: 'a' };
  const fresh = await hook({ ...about, id: randomUUID(), output: { images: [{ image }] } });
  expect(await item(fresh)).toMatchObject({ status: 'pending', originalUrl: expected });
  const job = randomUUID();
  const data = png(9, 9, 9).toString('base64');
  const failed = await hook({ ...about, id: job, output: { images: [{ filename: 'a.png', data }] } });
  await t.deps.db.deleteFrom('webhook_deliveries').execute();
  await expectFailure(failed, /not kept any more/);
  expect(await hook({ ...about, id: job, output: { images: [{ filename: 'a.png', image }] } })).toBe(failed);
  expect(await item(failed)).toMatchObject({ status: 'pending', error: null, originalUrl: expected });
});

test('a webhook that comes again for an item that has its bytes, or was deleted, fetches nothing', async () => {
  const image = `${origin.url}/ok/again.png`;
  const payload = { id: randomUUID(), status: 'COMPLETED', user_id: 'a', output: { images: [{ image }] } };
  const hook = async (more: object = {}) => {
    const sent = { ...payload, ...more };
    const answer = await t.app.inject({ method: 'POST', url: '/v1/webhooks/runpod?secret=hook', payload: sent });
    expect(answer.statusCode).toBe(200);
    return answer.json<{ items: string[] }>().items[0] ?? '';
  };
  const id = await hook();
  expect(await attempt(id)).toMatchObject({ state: 'stored' });
  const due = () => t.deps.db.selectFrom('fetches').select('media_id').execute();
  expect(await due()).toEqual([]);
  expect(await hook({ delayTime: 5 })).toBe(id);
  expect(await due()).toEqual([]);
  const other = { id: randomUUID(), output: { images: [{ image: `${origin.url}/ok/other.png` }] } };
  const deleted = await hook(other);
  await t.deps.db.deleteFrom('fetches').execute();
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${deleted}`, headers: asUser('a') });
  await hook({ ...other, delayTime: 5 });
  expect(await due()).toEqual([]);
});
