import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { png } from '../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
afterEach(() => t.close());

type Line = Record<string, unknown>;
const lines = (): Line[] =>
  t
    .logged()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const answered = () => lines().filter(({ msg }) => msg === 'answered');

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('the line of a request has method, route, status, time, bytes, caller, item, client and trace', async () => {
  t = await createTestApp();
  const address = await t.listen();
  const body = png(40, 40);
  const upload = await fetch(`${address}/v1/media`, {
    method: 'POST',
    headers: {
      ...asUser('ann'),
      'content-type': 'image/png',
      'user-agent': 'back-end/1.2',
      'x-request-id': 'upload-1',
      traceparent: `00-${TRACE}-${SPAN}-01`,
    },
    body: new Uint8Array(body),
  });
  const { id } = (await upload.json()) as { id: string };
  const content = await fetch(`${address}/v1/media/${id}/content`, { headers: asUser('ann') });
  await content.arrayBuffer();
  await vi.waitFor(() => expect(answered()).toHaveLength(2));
  const [stored, delivered] = answered();
  expect(stored).toMatchObject({
    requestId: 'upload-1',
    traceId: TRACE,
    parentSpanId: SPAN,
    method: 'POST',
    route: '/v1/media',
    status: 201,
    userId: 'ann',
    itemId: id,
    userAgent: 'back-end/1.2',
    ms: expect.any(Number),
  });
  expect(stored?.['bytesIn']).toBeGreaterThan(body.length);
  expect(stored?.['bytesIn']).toBeLessThan(body.length + 2000);
  expect(delivered).toMatchObject({ method: 'GET', route: '/v1/media/:id/content', status: 200, itemId: id });
  expect(delivered?.['bytesOut']).toBeGreaterThan(body.length);
  expect(delivered?.['bytesOut']).toBeLessThan(body.length + 2000);
  expect(delivered?.['bytesIn']).toBeLessThan(2000);
});

test('ids of the path, and of an item that only a signed URL names', async () => {
  t = await createTestApp();
  const headers = asUser('ann');
  const { id } = (
    await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { ...headers, 'content-type': 'image/png' },
      payload: png(),
    })
  ).json();
  const { url } = (await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers, payload: {} })).json();
  await t.app.inject({ url: new URL(url as string).pathname });
  expect(answered().at(-1)).toMatchObject({ route: '/v1/signed/:token/:filename', itemId: id });
  const run = (await t.app.inject({ method: 'POST', url: '/v1/runs', headers, payload: { inputText: 'x' } })).json();
  expect(answered().at(-1)).toMatchObject({ route: '/v1/runs', runId: run.runId });
  await t.app.inject({ url: `/v1/runs/${run.runId}`, headers });
  expect(answered().at(-1)).toMatchObject({ runId: run.runId });
  await t.app.inject({ url: '/v1/jobs/fal/job-7', headers });
  expect(answered().at(-1)).toMatchObject({ provider: 'fal', jobId: 'job-7', status: 404 });
});

test('a refusal is one line, with its code and what was said; a secret in a path or an agent is not in it', async () => {
  t = await createTestApp();
  const { authorization } = asAdmin();
  const jwt = authorization.replace('Bearer ', '');
  await t.app.inject({
    url: `/v1/media/${jwt}?colour=1`,
    headers: { authorization, 'user-agent': `curl ${jwt}`, traceparent: 'nonsense' },
  });
  const [line, ...more] = lines().filter(({ requestId }) => requestId !== undefined);
  expect(more).toEqual([]);
  expect(line).toMatchObject({ status: 400, code: 'invalid_request', detail: expect.any(String) });
  expect(line).not.toHaveProperty('traceId');
  expect(t.logged()).not.toContain(jwt);
});

test('a failure has one more line with its cause; every line has the ids of the request', async () => {
  t = await createTestApp();
  const headers = { ...asUser('ann'), 'content-type': 'image/png', 'x-request-id': 'broken-1' };
  await rm(t.volume, { recursive: true });
  // What the start says of the stores belongs to no request.
  const before = lines().length;
  const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: png() });
  expect(response.statusCode).toBe(503);
  const told = lines()
    .slice(before)
    .filter(({ level }) => Number(level) >= 30);
  expect(told.filter(({ requestId }) => requestId === 'broken-1').length).toBeGreaterThanOrEqual(2);
  const stores = told.filter((line) => line['store'] !== undefined || line['code'] === 'store_unavailable');
  expect(stores.length).toBeGreaterThanOrEqual(2);
  for (const line of stores) expect(line['requestId']).toBe('broken-1');
  // What is expected to happen has no stack.
  expect(JSON.stringify(told)).not.toContain('"stack"');
});

test('a request that the client breaks off is one line, which says so', async () => {
  t = await createTestApp();
  const { port } = new URL(await t.listen());
  const socket = connect(Number(port), '127.0.0.1');
  const { authorization } = asUser('ann');
  socket.write(
    `POST /v1/media HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: image/png\r\nContent-Length: 100000\r\n\r\n`,
  );
  socket.write(png());
  setTimeout(() => socket.destroy(), 300);
  await vi.waitFor(() => expect(lines().some(({ code }) => code === 'aborted')).toBe(true), { timeout: 15_000 });
  const about = lines().filter(({ route }) => route === '/v1/media');
  expect(about).toHaveLength(1);
  expect(about[0]).toMatchObject({ code: 'aborted', userId: 'ann', method: 'POST' });
});
