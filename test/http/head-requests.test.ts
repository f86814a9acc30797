import { afterAll, beforeAll, expect, test } from 'vitest';
import { withoutSeconds } from '../support/lasting.ts';
import { png } from '../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let address: string;
let id: string;
const values: Record<string, string> = {};
beforeAll(async () => {
  t = await createTestApp();
  address = await t.listen();
  const post = async (path: string, body: object) => {
    const answer = await fetch(`${address}${path}`, {
      method: 'POST',
      headers: { ...asUser('ann'), 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return (await answer.json()) as Record<string, string>;
  };
  const source = { type: 'base64', data: png(2, 2).toString('base64') };
  const { runId = '' } = await post('/v1/runs', { inputText: 'a fox' });
  ({ id = '' } = await post('/v1/media', { source, externalId: 'ext-1', prompt: 'a fox' }));
  await post(`/v1/runs/${runId}/media`, { source });
  const projectId = 'a1b2c3d4-0000-4000-8000-000000000001';
  await post(`/v1/projects/${projectId}/scenes/one`, { source });
  await fetch(`${address}/v1/jobs/fal/job-1`, { method: 'PUT', headers: asUser('ann') });
  const { storageKey } = (await (await fetch(`${address}/v1/media/${id}`, { headers: asUser('ann') })).json()) as {
    storageKey: string;
  };
  const { url = '' } = await post(`/v1/media/${id}/url`, {});
  Object.assign(values, { id, runId, projectId, sceneId: 'one', provider: 'fal', jobId: 'job-1', imageId: id });
  Object.assign(values, { key: storageKey, token: url.split('/')[5], filename: 'a.png' });
});
afterAll(() => t.close());

/** Paths of all GET operations, those of the documents too. */
function paths(): string[] {
  const { paths: all } = JSON.parse(t.app.openapiText('json').toString()) as { paths: Record<string, object> };
  return [
    ...Object.entries(all)
      .filter(([, methods]) => 'get' in methods)
      .map(([template]) => template.replace(/\{(\w+)\}/g, (_all, name: string) => values[name] ?? '1')),
    '/docs',
    '/openapi.json',
    '/docs/yaml',
    '/docs/json',
  ];
}

test('HEAD answers like GET, without a body, on every route that has one', async () => {
  expect(paths().length).toBeGreaterThan(25);
  for (const path of paths()) {
    // An admin may follow all events, and read what is not of a user.
    const headers = /webhook-deliveries/.test(path) ? asAdmin() : asUser('ann');
    const stop = new AbortController();
    const get = await fetch(`${address}${path}`, { headers, redirect: 'manual', signal: stop.signal });
    const head = await fetch(`${address}${path}`, { method: 'HEAD', headers, redirect: 'manual' });
    const shown = (answer: Response) =>
      ['content-type', 'etag', 'cache-control', 'content-disposition', 'location'].map((name) =>
        withoutSeconds(answer.headers.get(name)),
      );
    expect([path, head.status, ...shown(head)]).toEqual([path, get.status, ...shown(get)]);
    expect((await head.arrayBuffer()).byteLength).toBe(0);
    stop.abort();
  }
});

test('a HEAD of a stream or an export ends at once, and nothing goes on behind it', async () => {
  const before = t.logged().length;
  for (const path of ['/v1/events', `/v1/runs/${values['runId']}/export`]) {
    const head = await fetch(`${address}${path}`, {
      method: 'HEAD',
      headers: asUser('ann'),
      signal: AbortSignal.timeout(3000),
    });
    expect(head.status).toBe(200);
  }
  expect(t.logged().slice(before)).not.toContain('broke off');
});

test('streams asked for with HEAD take no place from those that follow', async () => {
  const headers = asUser('bob');
  for (let i = 0; i < 20; i++)
    expect((await fetch(`${address}/v1/events`, { method: 'HEAD', headers })).status).toBe(200);
  const stop = new AbortController();
  expect((await fetch(`${address}/v1/events`, { headers, signal: stop.signal })).status).toBe(200);
  stop.abort();
});

test('HEAD tells the length that GET has', async () => {
  let told = 0;
  for (const path of paths()) {
    const headers = /webhook-deliveries/.test(path) ? asAdmin() : asUser('ann');
    const stop = new AbortController();
    const get = await fetch(`${address}${path}`, { headers, redirect: 'manual', signal: stop.signal });
    const length = get.headers.get('content-length');
    const fixed =
      get.status === 200 && length !== null && !/json|yaml|text/.test(get.headers.get('content-type') ?? '');
    stop.abort();
    if (!fixed) continue;
    told++;
    const head = await fetch(`${address}${path}`, { method: 'HEAD', headers, redirect: 'manual' });
    expect([path, head.headers.get('content-length')]).toEqual([path, length]);
  }
  expect(told).toBeGreaterThanOrEqual(2);
});
