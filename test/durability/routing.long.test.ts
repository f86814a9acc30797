import { createHash } from 'node:crypto';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePendingCopies } from '../../src/domain/copies/pending-copies.ts';
import { DRIVERS } from '../../src/storage/stores/registry.ts';
import { filesBelow } from '../support/storage/local-volume.ts';
import { type MemoryStore, memoryKind } from '../support/storage/memory-driver.ts';
import { sweepAll } from '../support/storage/sweep-all.ts';
import { bigPng, multipart, png } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let stores: Map<string, MemoryStore>;

async function start(env: Record<string, string>): Promise<void> {
  const { kind, made } = memoryKind();
  stores = made;
  t = await createTestApp(env, {}, { ...DRIVERS, memory: kind });
}
const store = (name: string): MemoryStore => {
  const found = stores.get(name);
  if (!found) throw new Error(`no store ${name}`);
  return found;
};

beforeEach(() => start({ STORES: 'main:memory,copy:memory', STORAGE_PRIMARY: 'main', STORAGE_FALLBACKS: 'local' }));
afterEach(() => t.close());

const MIB = 1024 ** 2;
const headers = () => ({ ...asUser('a'), 'content-type': 'image/png' });
const post = (payload: Buffer, query = '') =>
  t.app.inject({ method: 'POST', url: `/v1/media?filename=a.png${query}`, headers: headers(), payload });
const item = async (id: string) => (await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('a') })).json();
const content = (id: string) => t.app.inject({ url: `/v1/media/${id}/content`, headers: asUser('a') });
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const intents = () => t.deps.db.selectFrom('storage_intents').select(['store', 'key']).execute();

/** A body whose remaining bytes the test releases. */
async function begin(bytes: Buffer, first: number) {
  const address = await t.listen();
  const request = http.request(`${address}/v1/media`, { method: 'POST', headers: headers() });
  const answer = new Promise<{ status: number; retryAfter: string | undefined; body: Record<string, unknown> }>(
    (resolve, reject) => {
      request.on('error', reject);
      request.on('response', async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk as Buffer);
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body });
      });
    },
  );
  request.write(bytes.subarray(0, first));
  while (store('main').received < first - MIB) await sleep(10);
  return { answer, end: () => void request.end(bytes.subarray(first)) };
}

test('while the primary store is down, uploads go to the fallback, and a worker fails them back', async () => {
  store('main').down = true;
  const bodies = Array.from({ length: 12 }, (_value, index) => bigPng(50_000 + index, index));
  const stored = await Promise.all(bodies.map((body) => post(body)));
  for (const response of stored) {
    expect(response.statusCode).toBe(201);
    expect(response.json().storageProvider).toBe('local');
    expect(response.json().storageUrl).toMatch(/\/uploads\//);
  }
  const ids = stored.map((response) => response.json().id as string);
  expect((await item(ids[0] ?? '')).locations).toMatchObject([
    { store: 'local', state: 'stored' },
    { store: 'main', state: 'pending' },
  ]);
  expect((await content(ids[0] ?? '')).headers['x-storage-provider']).toBe('local');

  expect(await makePendingCopies(t.deps)).toEqual({ home: 0, mirrored: 0, failed: 0, down: ['main'] });
  store('main').down = false;
  expect(await makePendingCopies(t.deps)).toEqual({ home: 12, mirrored: 0, failed: 0, down: [] });
  await sweepAll(t.deps);

  for (const [index, id] of ids.entries()) {
    const record = await item(id);
    expect(record).toMatchObject({ storageProvider: 'main', storageUrl: `http://media.test/v1/media/${id}/content` });
    expect(record.locations).toMatchObject([
      { store: 'main', state: 'stored', sha256: sha256(bodies[index] ?? png()) },
    ]);
    const served = await content(id);
    expect(served.headers['x-storage-provider']).toBe('main');
    expect(sha256(served.rawPayload)).toBe(sha256(bodies[index] ?? png()));
    const old = new URL(stored[index]?.json().storageUrl as string).pathname;
    expect((await t.app.inject({ url: old, headers: asUser('a') })).rawPayload.equals(served.rawPayload)).toBe(true);
  }
  expect(await filesBelow(t.volume)).toEqual([]);
  expect(await intents()).toEqual([]);
});

test('a body of up to 8 MiB that is in flight when the store goes down is replayed to the fallback', async () => {
  const bytes = bigPng(7 * MIB);
  const upload = await begin(bytes, 6 * MIB);
  store('main').down = true;
  upload.end();
  const { status, body } = await upload.answer;
  expect([status, body['storageProvider'], body['sha256']]).toEqual([201, 'local', sha256(bytes)]);
  expect((await content(String(body['id']))).rawPayload.equals(bytes)).toBe(true);
});

test('a form in flight is replayed too, with the fields after its file', async () => {
  store('main').down = true;
  const bytes = bigPng(2 * MIB);
  const form = multipart([
    { name: 'file', filename: 'fox.png', type: 'image/png', value: bytes },
    { name: 'prompt', value: 'a fox' },
  ]);
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...asUser('a'), ...form.headers },
    payload: form.payload,
  });
  expect(response.json()).toMatchObject({ storageProvider: 'local', prompt: 'a fox', sha256: sha256(bytes) });
});

test('a larger body in flight gets 503 with Retry-After, and leaves nothing', async () => {
  const bytes = bigPng(20 * MIB);
  const upload = await begin(bytes, 12 * MIB);
  store('main').down = true;
  upload.end();
  const { status, retryAfter, body } = await upload.answer;
  expect([status, body['code']]).toEqual([503, 'store_unavailable']);
  expect(Number(retryAfter)).toBeGreaterThan(0);
  expect(await filesBelow(t.volume)).toEqual([]);
  store('main').down = false;
  await t.deps.stores.primary.healthy();
  await sweepAll(t.deps);
  expect(store('main').objects.size).toBe(0);
});

test('a large body that arrives while the store is known to be down goes to the fallback whole', async () => {
  store('main').down = true;
  for (let count = 0; count < 5; count += 1) await post(png(1, 1, count));
  const bytes = bigPng(20 * MIB);
  expect((await post(bytes)).json()).toMatchObject({ storageProvider: 'local', sha256: sha256(bytes) });
});

test('an invalid body is refused without trying another store', async () => {
  const refused = await post(bigPng(100_000), `&sha256=${'0'.repeat(64)}`);
  expect(refused.json()).toMatchObject({ code: 'digest_mismatch' });
  expect(store('main').objects.size).toBe(0);
  expect(await filesBelow(t.volume)).toEqual([]);
});

test('a store that the caller named is not replaced by another', async () => {
  store('copy').down = true;
  expect((await post(png(), '&store=copy')).json()).toMatchObject({ status: 503, code: 'store_unavailable' });
});

test('readiness stays green while a fallback works, and says that it is degraded', async () => {
  store('main').down = true;
  const degraded = await t.app.inject('/health/ready');
  expect(degraded.statusCode).toBe(200);
  expect(degraded.json().checks).toContainEqual(
    expect.objectContaining({ name: 'store:main', ok: false, degraded: true }),
  );
});

test('mirrors get a copy afterwards; reads use it when the primary is down, damaged or has lost the object', async () => {
  await t.close();
  await start({ STORES: 'main:memory,copy:memory', STORAGE_PRIMARY: 'main', STORAGE_MIRRORS: 'copy,database' });
  const bytes = bigPng(200_000);
  const { id, storageKey } = (await post(bytes)).json();
  expect(store('copy').objects.size).toBe(0);
  expect(await makePendingCopies(t.deps)).toEqual({ home: 0, mirrored: 2, failed: 0, down: [] });
  const { locations, storageProvider } = await item(id);
  expect(storageProvider).toBe('main');
  expect(locations.map((location: { store: string; state: string }) => `${location.store} ${location.state}`)).toEqual(
    expect.arrayContaining(['main stored', 'copy stored', 'database stored']),
  );
  expect([...store('copy').objects.values()]).toMatchObject([{ contentType: 'image/png' }]);
  expect([...store('copy').objects.keys()]).not.toEqual([storageKey]);

  const served = async () => {
    const response = await content(id);
    return [response.statusCode, response.headers['x-storage-provider'], response.rawPayload.equals(bytes)];
  };
  store('main').down = true;
  expect((await served())[2]).toBe(true);
  expect((await served())[1]).not.toBe('main');
  store('copy').down = true;
  expect(await served()).toEqual([200, 'database', true]);
  store('main').down = store('copy').down = false;
  store('main').objects.clear();
  expect((await served())[2]).toBe(true);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}?purge=true`, headers: asUser('a') });
  expect(store('copy').objects.size).toBe(0);
  const blobs = await sql`SELECT FROM stored_blobs`.execute(t.deps.db);
  expect(blobs.rows).toEqual([]);
});

test('a source that returns other bytes than were stored is marked, and the copy is made from another one', async () => {
  await t.close();
  await start({ STORES: 'main:memory,copy:memory', STORAGE_PRIMARY: 'main', STORAGE_MIRRORS: 'copy,database' });
  const bytes = bigPng(200_000);
  const { id, storageKey } = (await post(bytes)).json();
  const rot = () => {
    const kept = store('main').objects.get(storageKey);
    if (kept) kept.bytes = Buffer.from(bytes).fill(7, 100_000, 100_001);
  };
  store('copy').down = true;
  expect(await makePendingCopies(t.deps)).toMatchObject({ mirrored: 1, down: ['copy'] });
  store('copy').down = false;
  rot();
  expect(await makePendingCopies(t.deps)).toMatchObject({ mirrored: 1, failed: 0 });
  const { locations } = await item(id);
  const states = locations.map((each: { store: string; state: string }) => `${each.store} ${each.state}`);
  expect(states).toEqual(expect.arrayContaining(['main corrupt', 'database stored', 'copy stored']));
  expect((await content(id)).rawPayload.equals(bytes)).toBe(true);
  expect([...store('copy').objects.values()][0]?.bytes.equals(bytes)).toBe(true);
});

test('the last copy of an item is never given up: it is kept and reported, and served again when its store is back', async () => {
  await t.close();
  await start({ STORES: 'main:memory,copy:memory', STORAGE_PRIMARY: 'main', STORAGE_MIRRORS: 'copy' });
  const bytes = bigPng(100_000);
  const { id, storageKey } = (await post(bytes)).json();
  const object = store('main').objects.get(storageKey);
  store('main').objects.delete(storageKey);
  expect(await makePendingCopies(t.deps)).toMatchObject({ mirrored: 0, failed: 1 });
  expect((await content(id)).json()).toMatchObject({ code: 'content_missing' });
  if (object) store('main').objects.set(storageKey, object);
  expect((await content(id)).rawPayload.equals(bytes)).toBe(true);
  await t.deps.db
    .updateTable('media_locations')
    .set({ next_attempt_at: '2000-01-01' })
    .where('state', '=', 'pending')
    .execute();
  expect(await makePendingCopies(t.deps)).toMatchObject({ mirrored: 1, failed: 0 });
});

test('a purge during a copy wins: nothing of either is left', async () => {
  await t.close();
  await start({ STORES: 'main:memory,copy:memory', STORAGE_PRIMARY: 'main', STORAGE_MIRRORS: 'copy' });
  const { id } = (await post(bigPng(3 * MIB))).json();
  let open = () => {};
  store('copy').gate = new Promise<void>((resolve) => (open = resolve));
  const copying = makePendingCopies(t.deps);
  while ((await intents()).length === 0) await sleep(5);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}?purge=true`, headers: asUser('a') });
  open();
  await copying;
  await sweepAll(t.deps);
  expect(store('main').objects.size + store('copy').objects.size).toBe(0);
  expect(await intents()).toEqual([]);
});

test('two concurrent workers make each copy once', async () => {
  await t.close();
  await start({ STORES: 'main:memory,copy:memory', STORAGE_PRIMARY: 'main', STORAGE_MIRRORS: 'copy' });
  for (let count = 0; count < 30; count += 1) await post(bigPng(10_000, count));
  const [one, two] = await Promise.all([makePendingCopies(t.deps), makePendingCopies(t.deps)]);
  expect([one.mirrored + two.mirrored, one.failed + two.failed]).toEqual([30, 0]);
  expect(store('copy').objects.size).toBe(30);
  expect(await intents()).toEqual([]);
});

test('a store that goes down between opening an object and its first byte is reported as unavailable, to be retried', async () => {
  const id: string = (await post(bigPng(2 * MIB))).json().id;
  const main = store('main');
  const get = main.get.bind(main);
  main.get = async (...args) => {
    const found = await get(...args);
    main.down = true;
    return found;
  };
  const response = await fetch(`${await t.listen()}/v1/media/${id}/content`, { headers: asUser('a') });
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('5');
  expect(await response.json()).toMatchObject({ code: 'store_unavailable' });
  main.down = false;
  main.get = get;
  expect((await content(id)).statusCode).toBe(200);
});
