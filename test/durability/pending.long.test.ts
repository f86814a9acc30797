import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DRIVERS } from '../../src/storage/stores/registry.ts';
import { type Worker, startWorker } from '../../src/workers/worker.ts';
import { type MemoryStore, memoryKind } from '../support/storage/memory-driver.ts';
import { type Origin, startOrigin } from '../support/origin.ts';
import { png } from '../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';
import { until } from '../support/until.ts';

let t: TestApp;
let origin: Origin;
let main: MemoryStore;
let workers: Worker[];
let project: string;

beforeEach(async () => {
  const { kind, made } = memoryKind();
  origin = await startOrigin();
  workers = [];
  project = randomUUID();
  const env = {
    STORES: 'main:memory',
    STORAGE_PRIMARY: 'main',
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    WEBHOOK_SECRET_RUNPOD: 'hook',
  };
  t = await createTestApp(env, {}, { ...DRIVERS, memory: kind });
  main = made.get('main') as MemoryStore;
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await t.close();
  origin.close();
});

const work = (concurrency = 2) =>
  workers.push(startWorker(t.deps, { connectionString: t.connectionString, concurrency }));
const scene = () => `/v1/projects/${project}/scenes/scene_1`;
const store = (source: object, more: object = {}) =>
  t.app.inject({ method: 'POST', url: scene(), headers: asUser('a'), payload: { source, ...more } });
const read = async (url: string) => (await t.app.inject({ url, headers: asUser('a') })).json();
const current = async () => {
  const { rows } = await sql<{ storage_url: string }>`
    SELECT get_scene_image_url(${project}, 'scene_1') AS storage_url`.execute(t.deps.db);
  return rows[0]?.storage_url;
};
/** A URL that contains its expiry, as S3's do. */
const dying = (path: string, seconds: number) => {
  const date = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${origin.url}${path}?X-Amz-Date=${date}&X-Amz-Expires=${seconds}&X-Amz-Signature=secret`;
};

test('a scene that cannot be stored keeps its URL, is read from there, and is stored by a worker when the store is back', async () => {
  main.down = true;
  const url = `${origin.url}/ok/scene.png`;
  const made = await store({ type: 'url', url });
  expect([made.statusCode, made.json()]).toMatchObject([
    201,
    { status: 'pending', version: 1, isCurrent: true, originalUrl: url, storageUrl: null, storageProvider: null },
  ]);
  const { id } = made.json();
  expect(await current()).toBe(url);
  const content = await t.app.inject({ url: `/v1/media/${id}/content`, headers: asUser('a') });
  expect([content.statusCode, content.headers['content-type'], content.headers['x-storage-provider']]).toEqual([
    200,
    'image/png',
    'original',
  ]);
  expect(content.headers['cache-control']).toBe('no-store');
  const signed = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: asUser('a'), payload: {} });
  const path = new URL(signed.json().url).pathname;
  expect((await t.app.inject({ url: path })).rawPayload.equals(content.rawPayload)).toBe(true);
  expect((await t.app.inject({ url: `/v1/media/${id}/content`, headers: asUser('b') })).statusCode).toBe(404);
  expect((await read('/v1/stats')).atRisk).toBe(1);
  work();
  main.down = false;
  await until(async () => (await read(scene())).status === 'success', 30);
  const item = await read(scene());
  expect(item).toMatchObject({ id, version: 1, isCurrent: true, originalUrl: url, width: 6, storageProvider: 'main' });
  expect(await current()).toBe(item.storageUrl);
  expect((await read('/v1/stats')).atRisk).toBe(0);
  const stored = await t.app.inject({ url: `/v1/media/${id}/content`, headers: asUser('a') });
  expect(stored.rawPayload.equals(content.rawPayload)).toBe(true);
});

test('when the URL expires first, the item fails with the reason, and the previous version is current again', async () => {
  expect((await store({ type: 'base64', data: png().toString('base64') })).json().version).toBe(1);
  main.down = true;
  const made = await store({ type: 'url', url: dying('/ok/dies.png', 4) });
  expect(made.json()).toMatchObject({ status: 'pending', version: 2, isCurrent: true });
  work();
  await until(async () => (await read(`/v1/media/${made.json().id}`)).status === 'failed', 30);
  expect(await read(`/v1/media/${made.json().id}`)).toMatchObject({
    error: expect.stringContaining("'main'"),
    isCurrent: false,
  });
  expect(await read(scene())).toMatchObject({ version: 1, isCurrent: true });
  expect((await read('/v1/failures')).items).toHaveLength(1);
  main.down = false;
  const next = await until(async () => {
    const answer = await store({ type: 'base64', data: png(2, 2).toString('base64') });
    return answer.statusCode === 201 ? Number(answer.json().version) : undefined;
  });
  expect(next).toBe(3);
  expect(t.logged()).not.toContain('X-Amz-Signature=secret');
});

test('a URL that returns 404 is refused at once and takes no version; a host that is down is retried', async () => {
  expect((await store({ type: 'url', url: `${origin.url}/nowhere` })).json()).toMatchObject({ code: 'fetch_failed' });
  origin.down = true;
  const made = await store({ type: 'url', url: `${origin.url}/ok/later.png` });
  expect(made.json()).toMatchObject({ status: 'pending', version: 1 });
  const content = await t.app.inject({ url: `/v1/media/${made.json().id}/content`, headers: asUser('a') });
  expect([content.statusCode, content.json().code]).toEqual([503, 'store_unavailable']);
  origin.down = false;
  work();
  await until(async () => (await read(scene())).status === 'success', 30);
});

test('while the store is down, bytes with a source URL are kept as that URL', async () => {
  main.down = true;
  const originalUrl = `${origin.url}/ok/bytes.png`;
  const made = await store({ type: 'base64', data: png().toString('base64') }, { originalUrl });
  expect(made.json()).toMatchObject({ status: 'pending', originalUrl });
  expect((await store({ type: 'base64', data: png().toString('base64') })).statusCode).toBe(503);
});

test('the same request with the same key is the same pending version', async () => {
  main.down = true;
  const send = () =>
    t.app.inject({
      method: 'POST',
      url: scene(),
      headers: { ...asUser('a'), 'idempotency-key': 'once' },
      payload: { source: { type: 'url', url: `${origin.url}/ok/once.png` } },
    });
  const [first, second] = [await send(), await send()];
  expect(second.json().id).toBe(first.json().id);
});

test('the URL that expires first is fetched first, whatever came first', async () => {
  const images = [9000, 60, 3000, 100].map((seconds) => dying(`/ok/${seconds}.png`, seconds));
  for (const [index, image] of [...images, `${origin.url}/ok/unknown.png`].entries()) {
    const payload = { id: `order-${index}`, status: 'COMPLETED', user_id: 'a', output: { images: [image] } };
    // RunPod's own URLs are known to live for seven days.
    const answer = await t.app.inject({ method: 'POST', url: '/v1/webhooks/runpod?secret=hook', payload });
    expect(answer.statusCode).toBe(200);
  }
  expect((await read('/v1/stats')).atRisk).toBe(5);
  work(1);
  await until(async () => (await read('/v1/stats')).atRisk === 0);
  expect(origin.asked.map((path) => path.replace(/\?.*/, ''))).toEqual(
    ['60', '100', '3000', '9000', 'unknown'].map((name) => `/ok/${name}.png`),
  );
});

test('a fetch whose worker died is taken over by another', async () => {
  const payload = { id: 'dead', status: 'COMPLETED', user_id: 'a', output: { images: [`${origin.url}/ok/dead.png`] } };
  await t.app.inject({ method: 'POST', url: '/v1/webhooks/runpod?secret=hook', payload });
  // The state that a killed worker leaves: its job is locked, its row leased until just now.
  await sql`UPDATE graphile_worker._private_jobs SET locked_at = now(), locked_by = 'dead', attempts = 1`.execute(
    t.deps.db,
  );
  await sql`UPDATE fetches SET attempts = 1, next_attempt_at = now()`.execute(t.deps.db);
  work();
  expect(await until(async () => (await read('/v1/stats')).succeeded === 1)).toBe(true);
});

test('bytes in an answer that cannot be stored become a failure that says so, until they are sent again', async () => {
  main.down = true;
  const payload = {
    userId: 'a',
    response: { id: 'imp-1', status: 'COMPLETED', output: { images: [png(3, 3).toString('base64')] } },
  };
  const send = () => t.app.inject({ method: 'POST', url: '/v1/import/runpod', headers: asAdmin(), payload });
  expect((await send()).json()).toMatchObject({ status: 503, code: 'store_unavailable' });
  expect((await read('/v1/failures')).items).toMatchObject([
    { error: expect.stringContaining('Send the answer again') },
  ]);
  main.down = false;
  expect((await send()).json().items).toMatchObject([{ status: 'success' }]);
  expect((await send()).json().items).toMatchObject([{ status: 'success' }]);
  expect((await read('/v1/stats')).total).toBe(1);
});

test('an import and the webhook of the same job yield the same items, whichever comes first', async () => {
  work();
  const answer = (id: string) => ({
    id,
    status: 'COMPLETED',
    output: { images: [{ filename: 'a.png', data: `${origin.url}/ok/${id}.png` }] },
  });
  const hook = (id: string) =>
    t.app.inject({
      method: 'POST',
      url: '/v1/webhooks/runpod?secret=hook',
      payload: { ...answer(id), user_id: 'a', delayTime: 3 },
    });
  const load = (id: string) =>
    t.app.inject({
      method: 'POST',
      url: '/v1/import/runpod',
      headers: asAdmin(),
      payload: { userId: 'a', response: answer(id) },
    });
  const imported = (await load('one')).json().items;
  expect((await hook('one')).json().items).toEqual([imported[0].id]);
  const told = (await hook('two')).json().items;
  expect((await load('two')).json().items).toMatchObject([{ id: told[0], status: 'success' }]);
  const both = await Promise.all([hook('three'), load('three'), hook('three'), load('three')]);
  expect(new Set(both.map((one) => one.statusCode))).toEqual(new Set([200, 201]));
  expect((await read('/v1/stats')).total).toBe(3);
});

test('an import that cannot store does not touch items that a webhook has reported in the meantime', async () => {
  let open = () => {};
  main.gate = new Promise<void>((resolve) => (open = resolve));
  const image = png(3, 3, 9).toString('base64');
  const answer = {
    id: 'race',
    status: 'COMPLETED',
    output: { images: [{ filename: 'r.png', type: 'base64', data: image }] },
  };
  const importing = t.app.inject({
    method: 'POST',
    url: '/v1/import/runpod',
    headers: asAdmin(),
    payload: { userId: 'a', response: answer },
  });
  void importing.then(() => {});
  await until(async () => main.received > 0);
  const hook = await t.app.inject({ method: 'POST', url: '/v1/webhooks/runpod?secret=hook', payload: answer });
  expect(hook.json()).toMatchObject({ state: 'accepted', items: [expect.any(String)] });
  main.down = true;
  open();
  expect((await importing).json().items).toMatchObject([{ id: hook.json().items[0], status: 'pending' }]);
  main.gate = undefined;
  main.down = false;
  work();
  await until(async () => (await read('/v1/stats')).succeeded === 1, 30);
  expect((await read('/v1/stats')).total).toBe(1);
});

test('locally kept bytes do not expire with a URL that is reported later', async () => {
  main.down = true;
  const tell = (body: object) =>
    t.app.inject({
      method: 'POST',
      url: '/v1/webhooks/runpod?secret=hook',
      payload: { job_id: 'dies', user_id: 'a', ...body },
    });
  await tell({ status: 'IN_PROGRESS', images: [{ filename: 'd.png', data: png(3, 3, 5).toString('base64') }] });
  await tell({ status: 'COMPLETED', resultUrls: [dying('/gone/d.png', 2)] });
  expect((await read('/v1/stats')).total).toBe(1);
  work();
  await until(
    async () => Number((await t.deps.db.selectFrom('fetches').select('attempts').executeTakeFirst())?.attempts) > 1,
    30,
  );
  main.down = false;
  await until(async () => (await read('/v1/stats')).succeeded === 1, 30);
});

test('bytes that wait for their turn longer than a lease are not given up', async () => {
  let open = () => {};
  main.gate = new Promise<void>((resolve) => (open = resolve));
  const images = Array.from({ length: 6 }, (_value, at) => png(3, 3, 20 + at).toString('base64'));
  const importing = t.app.inject({
    method: 'POST',
    url: '/v1/import/runpod',
    headers: asAdmin(),
    payload: { userId: 'a', response: { id: 'turns', status: 'COMPLETED', output: { images } } },
  });
  void importing.then(() => {});
  await until(async () => main.received > 0);
  work();
  // Simulates that four of them took longer than the lease of the others.
  await sql`UPDATE fetches SET next_attempt_at = now() - interval '1 second' WHERE attempts = 0`.execute(t.deps.db);
  await until(async () => {
    const { rows } = await sql`SELECT FROM fetches WHERE attempts > 0`.execute(t.deps.db);
    return rows.length === 6;
  });
  open();
  expect((await importing).json().items.map((item: { status: string }) => item.status)).toEqual(
    Array(6).fill('success'),
  );
});
