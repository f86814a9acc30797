import { createHash } from 'node:crypto';
import createClient from 'openapi-fetch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SVG_WITH_SCRIPT, png } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';
import type { paths } from './api.d.ts';

// Tests the client generated from openapi.yaml against the listening server.
let t: TestApp;
let base: string;
let api: ReturnType<typeof createClient<paths>>;

beforeAll(async () => {
  t = await createTestApp({ PUBLIC_BASE_URL: '' });
  base = await t.listen();
  api = createClient<paths>({ baseUrl: base, headers: asUser('client') });
});
afterAll(() => t.close());

async function store(prompt: string, file = png()): Promise<string> {
  const { data, error, response } = await api.POST('/v1/media', {
    body: { prompt, tags: ['client'], source: { type: 'base64', data: file.toString('base64') } },
  });
  expect(error).toBeUndefined();
  expect(response.status).toBe(201);
  return data?.id ?? '';
}

test('the client stores, reads, changes, deletes and restores an item', async () => {
  const id = await store('first');
  const read = await api.GET('/v1/media/{id}', { params: { path: { id } } });
  expect(read.data).toMatchObject({
    id,
    prompt: 'first',
    locations: [{ store: 'local', state: 'stored', owned: true }],
  });
  const changed = await api.PATCH('/v1/media/{id}', {
    params: { path: { id } },
    body: { tags: ['new'], metadata: { a: 1 }, prompt: 'second', visibility: 'public', expiresAt: null },
  });
  expect(changed.data).toMatchObject({
    tags: ['new'],
    metadata: { a: 1 },
    prompt: 'second',
    visibility: 'public',
    expiresAt: null,
  });
  expect(
    (await api.GET('/v1/media', { params: { query: { q: 'second' } } })).data?.items.map((item) => item.id),
  ).toEqual([id]);
  expect((await api.DELETE('/v1/media/{id}', { params: { path: { id } } })).response.status).toBe(204);
  const gone = await api.GET('/v1/media/{id}', { params: { path: { id } } });
  expect(gone.error).toMatchObject({ status: 404, code: 'not_found' });
  expect((await api.POST('/v1/media/{id}/restore', { params: { path: { id } } })).data?.id).toBe(id);
  expect((await api.GET('/v1/media/{id}', { params: { path: { id } } })).response.status).toBe(200);
});

test('a purged item is gone for good, including its bytes', async () => {
  const id = await store('purged');
  const key = (await api.GET('/v1/media/{id}', { params: { path: { id } } })).data?.storageKey ?? '';
  expect(await t.deps.stores.primary.stat(key)).toBeDefined();
  await api.DELETE('/v1/media/{id}', { params: { path: { id }, query: { purge: true } } });
  expect(await t.deps.stores.primary.stat(key)).toBeUndefined();
  expect((await api.POST('/v1/media/{id}/restore', { params: { path: { id } } })).error).toMatchObject({
    code: 'not_found',
  });
});

test('the client stores a form and a raw body as well', async () => {
  const form = new FormData();
  form.set('prompt', 'by form');
  form.set('metadata', JSON.stringify({ from: 'form' }));
  form.append('file', new Blob([png(4, 4)], { type: 'image/png' }), 'a.png');
  const posted = await api.POST('/v1/media', { body: {} as never, bodySerializer: () => form });
  expect(posted.data).toMatchObject({ prompt: 'by form', metadata: { from: 'form' }, width: 4 });
  const raw = await api.POST('/v1/media', {
    params: { query: { prompt: 'raw', tags: ['a', 'b'] } },
    body: {} as never,
    bodySerializer: () => new Blob([png(5, 5)]),
    headers: { 'content-type': 'image/png' },
  });
  expect(raw.data).toMatchObject({ prompt: 'raw', tags: ['a', 'b'], width: 5 });
});

test('signed URLs, one or many, deliver the bytes without a token until they expire', async () => {
  const file = png(7, 3);
  const id = await store('signed', file);
  const signed = await api.POST('/v1/media/{id}/url', {
    params: { path: { id } },
    body: { expiresIn: 60, download: true },
  });
  const path = new URL(signed.data?.url ?? '').pathname;
  const answer = await fetch(base + path);
  expect(
    createHash('sha256')
      .update(Buffer.from(await answer.arrayBuffer()))
      .digest('hex'),
  ).toBe(createHash('sha256').update(file).digest('hex'));
  expect(answer.headers.get('content-disposition')).toContain('attachment');
  const many = await api.POST('/v1/signed-urls', { body: { ids: [id, '999999', id], expiresIn: 60 } });
  expect(many.data?.results.map((result) => result.status)).toEqual([200, 404, 200]);
  expect(many.data?.results[1]?.problem).toMatchObject({ code: 'not_found' });
  const [, start = '', name = ''] = /^(.*)(\/[^/]*)$/.exec(path) ?? [];
  expect((await fetch(`${base}${start}x${name}`)).status).toBe(403);
});

test('an SVG with a script is stored whole, and never served as a page', async () => {
  const id = await store('svg', SVG_WITH_SCRIPT);
  const { data, response } = await api.GET('/v1/media/{id}/content', { params: { path: { id } }, parseAs: 'text' });
  expect(data).toBe(SVG_WITH_SCRIPT.toString());
  expect(response.headers.get('content-type')).toBe('image/svg+xml');
  expect(response.headers.get('content-disposition')).toMatch(/^attachment/);
  expect(response.headers.get('content-security-policy')).toMatch(/^sandbox; default-src 'none'/);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
});

test('failures, tags, stats and batches match the document', async () => {
  const batch = await api.POST('/v1/batches', {
    body: { items: [{ status: 'failed', error: 'no GPU', toolName: 'batch' }] },
  });
  expect(batch.data?.results[0]).toMatchObject({ status: 201, item: { status: 'failed' } });
  expect((await api.GET('/v1/failures', { params: { query: { toolName: 'batch' } } })).data?.items[0]?.error).toBe(
    'no GPU',
  );
  expect((await api.GET('/v1/tags', { params: { query: { prefix: 'cli' } } })).data?.tags[0]?.tag).toBe('client');
  expect((await api.GET('/v1/stats', {})).data?.failed).toBe(1);
});

test('the document, its page, health and metrics are served', async () => {
  expect(await (await fetch(`${base}/openapi.json`)).json()).toMatchObject({
    openapi: '3.1.0',
    info: { title: 'mediakeep' },
  });
  expect((await fetch(`${base}/docs`)).status).toBe(200);
  expect((await api.GET('/health/ready', {})).data?.status).toBe('ready');
  const metrics = await (await fetch(`${base}/metrics`)).text();
  for (const name of [
    'mediakeep_http_server_request_duration_seconds_count',
    'mediakeep_ingest_bytes_total',
    'mediakeep_storage_operation_duration_seconds_bucket',
    'mediakeep_db_client_connections',
    'mediakeep_failed_generations_total{tool="batch"',
    'mediakeep_build_info',
  ])
    expect(metrics).toContain(name);
});
