import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Worker, startWorker } from '../../../src/workers/worker.ts';
import { type Origin, startOrigin } from '../../support/origin.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';
import { until } from '../../support/until.ts';

const HOOK = 'secret-of-the-address';
const fal = generateKeyPairSync('ed25519');
let t: TestApp;
let origin: Origin;
let worker: Worker;
const jwks = createServer((_request, response) => {
  response.end(JSON.stringify({ keys: [fal.publicKey.export({ format: 'jwk' })] }));
});
beforeAll(async () => {
  origin = await startOrigin();
  await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve));
  t = await createTestApp({
    DATABASE_POOL_MAX: '10',
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    WEBHOOK_SECRET_RUNPOD: HOOK,
    FAL_JWKS_URL: `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/`,
  });
  worker = startWorker(t.deps, { connectionString: t.connectionString, concurrency: 2 });
});
afterAll(async () => {
  await worker.stop();
  await t.close();
  origin.close();
  jwks.close();
});

const post = (url: string, payload: object, headers: Record<string, string> = {}) =>
  t.app.inject({ method: 'POST', url, headers, payload });
const runpod = (payload: object) => post(`/v1/webhooks/runpod?secret=${HOOK}`, payload);
const generation = (jobId: string, payload: object) =>
  post(`/api/webhooks/generation/${jobId}?secret=${HOOK}`, payload);
const register = (name: string, payload: object = {}, user = 'alice') =>
  t.app.inject({ method: 'PUT', url: `/v1/jobs/${name}`, headers: asUser(user), payload });
const get = async (url: string, headers = asAdmin()) => (await t.app.inject({ url, headers })).json();
const items = async (name: string) => (await get(`/v1/jobs/${name}/media`)).items.toReversed();
const settled = (name: string, count = 1) =>
  until(async () => {
    const found = await items(name);
    return found.length === count && found.every((item: { status: string }) => item.status !== 'pending')
      ? found
      : undefined;
  });
const base64 = (salt: number) => png(4, 4, salt).toString('base64');
const sha = (salt: number) =>
  createHash('sha256')
    .update(png(4, 4, salt))
    .digest('hex');
const finished = (id: string, ...images: string[]) => ({ id, status: 'COMPLETED', output: { images } });

function signed(body: object, id: string): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const digest = createHash('sha256').update(JSON.stringify(body)).digest('hex');
  const signature = sign(null, Buffer.from([id, 'stranger', timestamp, digest].join('\n')), fal.privateKey);
  return {
    'x-fal-webhook-request-id': id,
    'x-fal-webhook-user-id': 'stranger',
    'x-fal-webhook-timestamp': timestamp,
    'x-fal-webhook-signature': signature.toString('hex'),
  };
}

test('another customer of FAL cannot report on a job that was not signed for', async () => {
  await register('fal/victim-1');
  const payload = { job_id: 'victim-1', images: [{ url: `${origin.url}/ok/evil.png` }] };
  const own = { request_id: 'strangers-own', status: 'OK', payload };
  for (const [query, status] of [
    ['', 'parked'],
    ['?jobId=victim-1', 'duplicate'],
  ]) {
    const answer = await post(`/v1/webhooks/fal${query}`, own, signed(own, 'strangers-own'));
    expect(answer.json()).toMatchObject({ state: status, jobId: 'strangers-own' });
  }
  const other = { ...own, request_id: 'victim-1' };
  expect((await post('/v1/webhooks/fal', other, signed(other, 'strangers-own'))).statusCode).toBe(401);
  expect(await get('/v1/jobs/fal/victim-1')).toMatchObject({ status: 'queued' });
  expect(await items('fal/victim-1')).toEqual([]);
});

test('equal bodies about two jobs are two deliveries', async () => {
  for (const id of ['same-1', 'same-2']) await register(`generation/${id}`);
  const body = { status: 'failed', error: 'CUDA out of memory' };
  for (const id of ['same-1', 'same-2'])
    expect((await generation(id, body)).json()).toMatchObject({ state: 'accepted', jobId: id });
  for (const id of ['same-1', 'same-2'])
    expect(await get(`/v1/jobs/generation/${id}`)).toMatchObject({ status: 'failed', error: 'CUDA out of memory' });
});

test("another user's scene is refused at registration; if it becomes one later, no picture is lost", async () => {
  const projectId = randomUUID();
  const theirs = (sceneId: string) =>
    post(`/v1/projects/${projectId}/scenes/${sceneId}`, { source: { type: 'base64', data: base64(1) } }, asUser('bob'));
  await theirs('taken');
  expect((await register('runpod/scene-1', { projectId, sceneId: 'taken' })).json()).toMatchObject({
    status: 404,
    field: 'sceneId',
  });
  expect((await register('runpod/scene-2', { projectId, sceneId: 'free' })).statusCode).toBe(201);
  await theirs('free');
  expect((await runpod(finished('scene-2', base64(2)))).statusCode).toBe(200);
  expect(await settled('runpod/scene-2')).toMatchObject([
    {
      status: 'success',
      userId: 'alice',
      sceneId: null,
      version: null,
      generation: { note: expect.stringContaining('free') },
    },
  ]);
  expect((await get(`/v1/projects/${projectId}/scenes/free`, asUser('bob'))).version).toBe(1);
});

test('a registration of the same id by another user under another provider has no effect', async () => {
  await register('runpod/J7', {}, 'victim');
  expect((await register('foo/J7', {}, 'mallory')).statusCode).toBe(201);
  await generation('J7', { status: 'COMPLETED', user_id: 'victim', images: [{ filename: 'a.png', data: base64(3) }] });
  expect(await settled('generation/J7')).toMatchObject([{ userId: 'victim', sha256: sha(3) }]);
  await runpod(finished('J7', base64(33)));
  expect(await settled('runpod/J7')).toMatchObject([{ userId: 'victim', sha256: sha(33) }]);
  expect(await items('generation/J7')).toHaveLength(1);
  expect(await items('foo/J7')).toEqual([]);
});

test('a failure and a success in either order end in the same rows, including the scene', async () => {
  const projectId = randomUUID();
  const success = (id: string) => ({ ...finished(id, base64(4)), model: 'flux', delayTime: 3 });
  const failure = (id: string) => ({ id, status: 'FAILED', error: 'out of memory', executionTime: 9 });
  for (const [id, bodies] of [
    ['order-a', [success('order-a'), failure('order-a')]],
    ['order-b', [failure('order-b'), success('order-b')]],
  ] as const) {
    await register(`runpod/${id}`, { projectId, sceneId: id, toolName: 'paint', tags: ['t'] });
    for (const body of bodies) await runpod(body);
    await settled(`runpod/${id}`);
  }
  const facts = async (id: string) => {
    const [item] = await items(`runpod/${id}`);
    const { status, error, version, isCurrent, toolName, tags, mediaType, sha256 } = item;
    return {
      status,
      error,
      version,
      isCurrent,
      toolName,
      tags,
      mediaType,
      sha256,
      job: (await get(`/v1/jobs/runpod/${id}`)).status,
    };
  };
  expect(await facts('order-b')).toEqual(await facts('order-a'));
  expect(await facts('order-b')).toMatchObject({ status: 'success', version: 1, isCurrent: true });
});

test('two providers that report the same id at the same moment make two jobs', async () => {
  const told = Array.from({ length: 8 }, (_value, at) => `both-${at}`).flatMap((id) => [
    runpod({ ...finished(id, base64(5)), user_id: 'alice' }),
    generation(id, { job_id: id, status: 'COMPLETED', user_id: 'alice', images: [{ data: base64(5) }] }),
  ]);
  expect(new Set((await Promise.all(told)).map((answer) => answer.json().state))).toEqual(new Set(['accepted']));
  const { rows } = await sql<{ jobs: string; items: string }>`
    SELECT (SELECT count(*) FROM generation_jobs WHERE job_id LIKE 'both-%') AS jobs,
      (SELECT count(*) FROM generated_images WHERE job_id LIKE 'both-%') AS items`.execute(t.deps.db);
  expect(rows).toEqual([{ jobs: '16', items: '16' }]);
});

test('a parked webhook that cannot be processed blocks neither the others nor the registration', async () => {
  await runpod(finished('stuck', base64(6)));
  await t.deps.db
    .updateTable('webhook_deliveries')
    .set({ body: null, body_store: 'local', body_key: 'webhooks/gone.json' })
    .where('job_id', '=', 'stuck')
    .execute();
  await runpod({ ...finished('stuck', base64(7)), delayTime: 1 });
  expect((await register('runpod/stuck')).statusCode).toBe(201);
  expect(await settled('runpod/stuck')).toMatchObject([{ sha256: sha(7) }]);
  expect(t.logged()).toContain('a parked webhook could not be carried out');
});

test('twenty equal concurrent deliveries leave no fetch behind', async () => {
  await register('runpod/twenty');
  const url = `${origin.url}/ok/twenty.png`;
  await Promise.all(
    Array.from({ length: 20 }, (_value, at) =>
      runpod({ ...finished('twenty', `${url}?X-Amz-Signature=${at}`), delayTime: at }),
    ),
  );
  await settled('runpod/twenty');
  await until(async () => {
    const { rows } =
      await sql`SELECT FROM fetches f JOIN generated_images g ON g.id = f.media_id WHERE g.status = 'success'`.execute(
        t.deps.db,
      );
    return rows.length === 0;
  });
  expect(await items('runpod/twenty')).toHaveLength(1);
});

test('deleting items during deliveries about them causes no deadlock', async () => {
  const projectId = randomUUID();
  await register('runpod/dead', { projectId, sceneId: 's' });
  await runpod(finished('dead', ...[1, 2, 3, 4].map((salt) => base64(100 + salt))));
  const found = await settled('runpod/dead', 4);
  const known = [1, 2, 3, 4].map((salt) => base64(100 + salt));
  const answers = await Promise.all(
    Array.from({ length: 16 }, (_value, at) =>
      at % 2 === 0
        ? runpod({ ...finished('dead', base64(200 + at), ...known), delayTime: at })
        : t.app.inject({
            method: at % 4 === 1 ? 'DELETE' : 'POST',
            url: `/v1/media/${found[at % 4].id}${at % 4 === 1 ? '' : '/restore'}`,
            headers: asUser('alice'),
          }),
    ),
  );
  expect(answers.filter((answer) => answer.statusCode >= 500)).toEqual([]);
  expect(t.logged()).not.toContain('deadlock');
});

test('the same object reported by two jobs of one user is one item of both', async () => {
  await mkdir(path.join(t.volume, 'outputs/dora'), { recursive: true });
  await writeFile(path.join(t.volume, 'outputs/dora/sv.png'), png(5, 5, 8));
  const save = () =>
    post('/api/images/save', { images: [{ filename: 'sv.png', s3Key: 'outputs/dora/sv.png' }] }, asUser('dora'));
  const [first, second] = [(await save()).json(), (await save()).json()];
  expect(first).toMatchObject({ success: true, images: [{ status: 'success' }] });
  expect(second.images[0].id).toBe(first.images[0].id);
  await register('generation/obj', {}, 'dora');
  await generation('obj', { status: 'COMPLETED', network_volume_paths: ['outputs/dora/sv.png'] });
  expect(await settled('generation/obj')).toMatchObject([{ id: first.images[0].id, status: 'success' }]);
  expect((await get('/v1/failures?userId=dora')).items).toEqual([]);
});

// Quadratic work took minutes.
test('a thousand outputs are accepted, more are refused with the limit', { timeout: 60_000 }, async () => {
  const urls = (count: number) =>
    Array.from({ length: count }, (_value, at) => ({ url: `https://cdn.test/${at}/a.png` }));
  const load = (count: number) =>
    post(
      '/v1/import/fal',
      { response: { request_id: `many-${count}`, status: 'OK', payload: { images: urls(count) } } },
      asUser('erin'),
    );
  expect((await load(1001)).json()).toMatchObject({ status: 400, detail: expect.stringContaining('1000') });
  const body = { ...finished('many'), output: { images: urls(1000).map(({ url }) => url) }, user_id: 'erin' };
  expect((await runpod(body)).json().items).toHaveLength(1000);
});

test.each([
  ['a subfolder that no key can have', { subfolder: '../up' }, 'invalid_request'],
  ['an unknown store', { store: 'nowhere' }, 'unknown_store'],
])('a job with %s is refused when it is registered, not when its bytes arrive', async (_name, fields, code) => {
  expect((await register('runpod/place', fields)).json()).toMatchObject({ status: 400, code });
  expect((await t.app.inject({ url: '/v1/jobs/runpod/place', headers: asAdmin() })).statusCode).toBe(404);
});

test('the same object reported ten times concurrently, or twice in one body, is one item and no failure', async () => {
  await mkdir(path.join(t.volume, 'outputs/finn'), { recursive: true });
  for (const name of ['ten', 'two', 'jobs'])
    await writeFile(path.join(t.volume, `outputs/finn/${name}.png`), png(5, 5, name.length));
  const image = (name: string) => ({ filename: `${name}.png`, s3Key: `outputs/finn/${name}.png` });
  const save = (payload: object) => post('/api/images/save', payload, asUser('finn'));
  const answers = await Promise.all(Array.from({ length: 10 }, () => save({ images: [image('ten')] })));
  expect(new Set(answers.map((answer) => answer.json().images[0].id)).size).toBe(1);
  expect(answers.every((answer) => answer.json().success === true)).toBe(true);
  const twice = { ...image('two'), filename: 'other.png' };
  expect((await save({ jobId: 'finn-two', images: [image('two'), twice] })).json()).toMatchObject({ success: true });
  await Promise.all([
    runpod({ id: 'finn-a', user_id: 'finn', status: 'COMPLETED', output: { s3_keys: ['outputs/finn/jobs.png'] } }),
    generation('finn-b', { user_id: 'finn', status: 'COMPLETED', network_volume_paths: ['outputs/finn/jobs.png'] }),
  ]);
  await until(async () => {
    // Uncounted items are neither in pending nor in the total.
    const { total, pending, behind } = await get('/v1/stats?userId=finn');
    return total > 0 && pending === 0 && behind === 0;
  });
  expect(await get('/v1/stats?userId=finn')).toMatchObject({ total: 3, failed: 0 });
  for (const name of ['runpod/finn-a', 'generation/finn-b']) expect(await items(name)).toHaveLength(1);
});
