import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

/** Serves pictures below /ok and nothing elsewhere. */
const origin = createServer((request, response) => {
  if (!(request.url ?? '').startsWith('/ok/')) return void response.writeHead(404).end();
  response.writeHead(200, { 'content-type': 'image/png' }).end(png(5, 4));
});
let t: TestApp;
let at: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  at = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
  t = await createTestApp({ FETCH_TRUSTED_HOSTS: '127.0.0.1' });
});
afterAll(async () => {
  await t.close();
  origin.close();
});

const send = (provider: string, payload: object, headers: Record<string, string> = asUser('a')) =>
  t.app.inject({ method: 'POST', url: `/v1/import/${provider}`, headers, payload });
const base64 = (salt: number) => png(3, 3, salt).toString('base64');
const stored = async () => (await t.app.inject({ url: '/v1/stats', headers: asAdmin() })).json().total as number;

test('every output of an answer becomes an item, in order, with the fields of the answer and the caller', async () => {
  const response = {
    id: 'pred-1',
    status: 'succeeded',
    model: 'acme/paint',
    input: { prompt: 'a fox', seed: 42 },
    output: [`${at}/ok/1.png`, `data:image/png;base64,${base64(1)}`],
    metrics: { predict_time: 2.5 },
  };
  const answer = await send('replicate', { response, tags: ['fox'], toolName: 'paint' });
  expect(answer.statusCode).toBe(201);
  expect(answer.json().items).toMatchObject([
    {
      provider: 'replicate',
      model: 'acme/paint',
      prompt: 'a fox',
      jobId: 'pred-1',
      width: 5,
      tags: ['fox'],
      originalUrl: `${at}/ok/1.png`,
      generation: { seed: 42, metrics: { predict_time: 2.5 } },
    },
    { width: 3, toolName: 'paint', mimeType: 'image/png' },
  ]);
  const [first] = answer.json().items;
  const row = await t.deps.db
    .selectFrom('generated_images')
    .select('provider_response')
    .where('id', '=', first.id)
    .executeTakeFirstOrThrow();
  expect(row.provider_response).toMatchObject({
    id: 'pred-1',
    output: [`${at}/ok/1.png`, expect.stringContaining('left out')],
  });
});

test('the same answer sent again yields the same items', async () => {
  const response = { id: 'pred-2', status: 'succeeded', output: [`${at}/ok/2.png`] };
  const first = (await send('replicate', { response })).json();
  const before = await stored();
  expect((await send('replicate', { response })).json()).toEqual(first);
  expect(await stored()).toBe(before);
});

test('an output that cannot be fetched is a failure with its reason and URL; the others are stored', async () => {
  const answer = await send('fal', {
    response: {
      request_id: 'f-1',
      status: 'OK',
      payload: { images: [{ url: `${at}/gone.png` }, { url: `${at}/ok/3.png` }] },
    },
  });
  expect(answer.json().items).toMatchObject([
    { status: 'failed', error: expect.stringContaining('404'), originalUrl: `${at}/gone.png`, storageUrl: null },
    { status: 'success', width: 5 },
  ]);
});

test('an answer that is a list, as from a stream, is taken', async () => {
  const answer = await send('gemini', {
    response: [
      { candidates: [{ content: { parts: [{ text: 'Here.' }] } }] },
      { candidates: [{ content: { parts: [{ inlineData: { mimeType: 'image/png', data: base64(6) } }] } }] },
    ],
  });
  expect(answer.statusCode).toBe(201);
  expect(answer.json().items).toMatchObject([{ status: 'success', mimeType: 'image/png', provider: 'gemini' }]);
});

test('an answer that reports a failure is recorded as one', async () => {
  const { items } = (await send('runpod', { response: { id: 'r', status: 'FAILED', error: 'out of memory' } })).json();
  expect(items).toMatchObject([{ status: 'failed', error: 'out of memory', provider: 'runpod', jobId: 'r' }]);
});

test.each([
  ['an answer without outputs', 'openai', { response: { data: [] } }, 400, 'invalid_request'],
  ['work that is not finished', 'replicate', { response: { status: 'processing' } }, 400, 'invalid_request'],
  ['no answer', 'openai', {}, 400, 'invalid_request'],
  ['an unknown provider', 'acme', { response: {} }, 400, 'invalid_request'],
  ['another user', 'openai', { userId: 'b', response: { data: [{ b64_json: base64(2) }] } }, 403, 'user_mismatch'],
])('%s is refused and nothing is stored', async (_name, provider, payload, status, code) => {
  const before = await stored();
  expect((await send(provider, payload)).json()).toMatchObject({ status, code });
  expect(await stored()).toBe(before);
});

test('an answer for an unknown store or a bad subfolder is refused before anything of its job is kept', async () => {
  const response = { id: 'nowhere', status: 'succeeded', output: [`${at}/ok/1.png`] };
  const before = await stored();
  expect((await send('replicate', { response, store: 'nowhere' })).json()).toMatchObject({ code: 'unknown_store' });
  expect((await send('replicate', { response, subfolder: '..' })).json()).toMatchObject({ field: 'subfolder' });
  expect((await t.app.inject({ url: '/v1/jobs/replicate/nowhere', headers: asUser('a') })).statusCode).toBe(404);
  expect(await stored()).toBe(before);
});

test('a failure that names no job becomes one failed item, and so does an end without outputs', async () => {
  const failed = await send('replicate', { response: { status: 'failed', error: 'out of luck' } });
  expect(failed.json().items).toMatchObject([{ status: 'failed', error: 'out of luck', provider: 'replicate' }]);
  const canceled = await send('replicate', { response: { status: 'canceled' } });
  expect(canceled.json().items).toMatchObject([
    { status: 'failed', error: expect.stringContaining('was canceled'), jobId: null },
  ]);
});

test('a private address in an answer is not fetched', async () => {
  const guarded = await createTestApp();
  try {
    const response = { status: 'succeeded', output: `${at}/ok/1.png` };
    const answer = await guarded.app.inject({
      method: 'POST',
      url: '/v1/import/replicate',
      headers: asUser('a'),
      payload: { response },
    });
    expect(answer.json().items).toMatchObject([{ status: 'failed' }]);
  } finally {
    await guarded.close();
  }
});

test("the caller's fields over many outputs have a common limit, and invalid metadata is refused as such", async () => {
  const images = Array.from({ length: 200 }, (_none, n) => ({ url: `${at}/ok/${n}.png` }));
  const before = await stored();
  const prompt = 'p'.repeat(200_000);
  expect((await send('fal', { prompt, response: { images } })).json()).toMatchObject({
    status: 413,
    code: 'too_large',
  });
  const metadata = { x: 'x'.repeat(70_000) };
  expect((await send('fal', { metadata, response: { images: images.slice(0, 1) } })).json()).toMatchObject({
    status: 413,
    field: 'metadata',
  });
  expect(await stored()).toBe(before);
});

test("an answer for another user's scene is refused before its job is recorded", async () => {
  const projectId = randomUUID();
  const source = { type: 'base64', data: base64(60) };
  const theirs = await t.app.inject({
    method: 'POST',
    url: `/v1/projects/${projectId}/scenes/s`,
    headers: asUser('b'),
    payload: { source },
  });
  expect(theirs.statusCode).toBe(201);
  const response = { id: 'pred-scene', status: 'succeeded', output: [`data:image/png;base64,${base64(61)}`] };
  const refused = await send('replicate', { response, projectId, sceneId: 's' });
  expect([refused.statusCode, refused.json().field]).toEqual([404, 'sceneId']);
  const job = await t.app.inject({ url: '/v1/jobs/replicate/pred-scene', headers: asAdmin() });
  expect(job.statusCode).toBe(404);
});
