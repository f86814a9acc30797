import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pollPrompt } from '../../../src/domain/jobs/poll-comfyui.ts';
import { fetchPending } from '../../../src/domain/pending/fetch-pending.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

const ID = '7f3d2c1b-9a8e-4d6f-b012-3c4d5e6f7a8b';
let server: Server;
let t: TestApp;
let job: object;
let asked: string[];

/** A server of Comfy API v2, which has no history. */
beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === `/api/v2/jobs/${ID}`)
      response.setHeader('content-type', 'application/json').end(JSON.stringify(job));
    else if (request.url === '/api/v2/assets/asset-1/content') response.end(png(2, 2));
    else response.writeHead(404).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t = await createTestApp({ COMFYUI_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
afterEach(async () => {
  await t.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const told = (status: string, more: object = {}) => ({
  id: ID,
  status,
  outputs: [],
  error: null,
  urls: { self: `/api/v2/jobs/${ID}`, events: '/e', cancel: '/c' },
  expires_at: '2099-01-01T00:00:00Z',
  ...more,
});
const output = (name: string, type: string, content: string, url: string) => ({
  node_id: '9',
  name,
  type,
  content_type: content,
  id: 'asset-1',
  url,
  url_expires_at: '2099-01-01T00:00:00Z',
});
const importPrompt = () =>
  t.app.inject({
    method: 'POST',
    url: '/v1/import/comfyui',
    headers: asUser('a'),
    payload: { response: { promptId: ID } },
  });
const stored = async () =>
  (await t.app.inject({ url: `/v1/jobs/comfyui/${ID}/media`, headers: asUser('a') })).json().items as {
    id: string;
    status: string;
  }[];

test('a prompt of Comfy API v2 is asked after until it has ended; an address that nobody here may fetch gives way to the asset', async () => {
  job = told('running', { outputs: [output('early.png', 'image', 'image/png', 'https://signed.invalid/early.png')] });
  const first = await importPrompt();
  expect([first.statusCode, first.json().items]).toEqual([202, []]);
  job = told('succeeded', {
    outputs: [
      output('fox.png', 'image', 'image/png', 'http://127.0.0.1:9/private.png'),
      output('notes.txt', 'text', 'text/plain', 'https://signed.invalid/notes.txt'),
    ],
  });
  await sql`UPDATE generation_jobs SET poll_at = now()`.execute(t.deps.db);
  expect(await pollPrompt(t.deps)).toBe('ended');
  const [item] = await stored();
  await fetchPending(t.deps, { mediaId: item?.id ?? '' });
  expect(await stored()).toMatchObject([{ status: 'success', filename: 'fox.png', mimeType: 'image/png', jobId: ID }]);
  expect(asked).toContain('/api/v2/assets/asset-1/content');
});

test.each([
  [
    'failed',
    { error: { code: 'node_execution_error', message: 'CUDA out of memory', node_id: '3' } },
    'CUDA out of memory',
  ],
  ['expired', {}, 'no reason'],
  ['canceled', {}, 'canceled'],
  ['succeeded', {}, 'without an output'],
])('a job of Comfy API v2 that is %s is one failure with its reason', async (status, more, reason) => {
  job = told(status, more);
  const answer = await importPrompt();
  expect(answer.statusCode).toBe(201);
  expect(answer.json().items).toMatchObject([{ status: 'failed', error: expect.stringContaining(reason) }]);
});
