// Case numbers in titles are those of the table in docs/threat-model.md.
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance, HTTPMethods } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { multipart, png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged } from '../support/traces.ts';

const TOKENS = {
  none: {},
  read: asUser('alice', 'media:read'),
  write: asUser('alice', 'media:write'),
  admin: asAdmin(),
} as const;
const ITEMS = ['own', "another's private", "another's public"] as const;
type Token = keyof typeof TOKENS;

interface Item {
  id: string;
  userId: string;
  storageKey: string;
  /** Of a signed URL. */
  signature: string;
  projectId: string;
  /** A job of the same owner. */
  jobId: string;
  runId: string;
  /** A pending upload of the same owner. */
  upload: { id: string; url: string };
  /** One whose bytes have arrived. */
  arrived: { id: string };
  /** A webhook parked for this owner. */
  parked: string;
}
interface Row {
  path: (item: Item) => string;
  body?: (item: Item) => object;
  /** Sends a picture as the body, under this type. */
  raw?: 'image/png' | 'application/octet-stream';
  /** Sends a picture in a form with these fields. */
  form?: (item: Item) => Record<string, string>;
  /** Statuses for the caller's own item, another user's private one, and another user's public one. */
  expected: Readonly<Record<Token, readonly [own: number, hidden: number, shared: number]>>;
  /** Set where the response is 200 for the call and contains a status for the item. */
  inner?: 'results' | 'failed';
  /** The response does not end by itself. */
  endless?: boolean;
}

const all = (status: number) => [status, status, status] as const;
const READ = { none: all(401), read: [200, 404, 404], write: all(403), admin: all(200) } as const;
const BYTES = { none: [401, 401, 200], read: [200, 404, 200], write: all(403), admin: all(200) } as const;
const NO_BYTES = { none: all(401), read: all(404), write: all(403), admin: all(404) } as const;
const OPEN = { none: all(200), read: all(200), write: all(200), admin: all(200) } as const;
/** The request names a user: refused by that name, revealing nothing about existence. */
const ABOUT = { none: all(401), read: [200, 403, 403], write: all(403), admin: all(200) } as const;
const CREATE = { none: all(401), read: all(403), write: [201, 403, 403], admin: all(201) } as const;
const change = (ok: number) => ({ none: all(401), read: all(403), write: [ok, 404, 404], admin: all(ok) }) as const;

const source = { type: 'base64', data: png().toString('base64') };
const record = (item: Item) => `/v1/media/${item.id}`;
const scene = ({ projectId }: Item) => `/v1/projects/${projectId}/scenes/s`;
const job = ({ jobId }: Pick<Item, 'jobId'>) => `/v1/jobs/runpod/${jobId}`;
const run = ({ runId }: Item) => `/v1/runs/${runId}`;
const content = (item: Item) => `/v1/media/${item.id}/content`;
const about = (path: string) => (item: Item) => `${path}?userId=${item.userId}`;

/** Every route of the service but its documentation. A missing one fails the test below. */
const ROWS: Readonly<Record<string, Row>> = {
  'POST /v1/media': { path: () => '/v1/media', body: ({ userId }) => ({ userId, source }), expected: CREATE },
  'POST /v1/media/form': { path: () => '/v1/media/form', form: ({ userId }) => ({ userId }), expected: CREATE },
  'POST /v1/media/bytes': { path: about('/v1/media/bytes'), raw: 'application/octet-stream', expected: CREATE },
  'POST /v1/batches': {
    path: () => '/v1/batches',
    body: ({ userId }) => ({ items: [{ userId, source }] }),
    expected: CREATE,
    inner: 'results',
  },
  'GET /v1/media': { path: about('/v1/media'), expected: ABOUT },
  'GET /v1/failures': { path: about('/v1/failures'), expected: ABOUT },
  'GET /v1/tags': { path: about('/v1/tags'), expected: ABOUT },
  'GET /v1/stats': { path: about('/v1/stats'), expected: ABOUT },
  'GET /v1/events': { path: about('/v1/events'), expected: ABOUT, endless: true },
  'GET /v1/media/:id': { path: record, expected: READ },
  'PATCH /v1/media/:id': { path: record, body: () => ({ prompt: 'x' }), expected: change(200) },
  'DELETE /v1/media/:id': { path: record, expected: change(204) },
  'POST /v1/media/:id/restore': { path: (item) => `${record(item)}/restore`, expected: change(200) },
  'GET /v1/media/:id/content': { path: content, expected: BYTES },
  'GET /uploads/*': { path: (item) => `/uploads/${item.storageKey}`, expected: BYTES },
  'GET /v1/media/:id/workflow': { path: (item) => `${record(item)}/workflow`, expected: READ },
  'POST /v1/media/:id/url': { path: (item) => `${record(item)}/url`, body: () => ({}), expected: READ },
  'POST /v1/signed-urls': {
    path: () => '/v1/signed-urls',
    body: ({ id }) => ({ ids: [id] }),
    expected: READ,
    inner: 'results',
  },
  'GET /v1/signed/:token': { path: (item) => `/v1/signed/${item.signature}`, expected: OPEN },
  'GET /v1/signed/:token/:filename': { path: (item) => `/v1/signed/${item.signature}/a.png`, expected: OPEN },
  'POST /v1/actions': {
    path: () => '/v1/actions',
    body: ({ id }) => ({ action: 'tag', ids: [id], value: 'seen' }),
    expected: change(200),
    inner: 'failed',
  },
  'GET /v1/tasks/:id': { path: () => `/v1/tasks/${randomUUID()}`, expected: NO_BYTES },
  'GET /v1/projects/:projectId/scenes/:sceneId': { path: (item) => scene(item), expected: READ },
  'GET /v1/projects/:projectId/scenes/:sceneId/versions': { path: (item) => `${scene(item)}/versions`, expected: READ },
  'PUT /v1/projects/:projectId/scenes/:sceneId/current': {
    path: (item) => `${scene(item)}/current`,
    body: () => ({ version: 1 }),
    expected: change(200),
  },
  'POST /v1/projects/:projectId/scenes/:sceneId': {
    path: (item) => scene(item),
    body: ({ userId }) => ({ userId, source }),
    expected: CREATE,
  },
  'POST /v1/projects/:projectId/scenes/:sceneId/form': {
    path: (item) => `${scene(item)}/form`,
    form: ({ userId }) => ({ userId }),
    expected: CREATE,
  },
  'POST /v1/projects/:projectId/scenes/:sceneId/bytes': {
    path: (item) => about(`${scene(item)}/bytes`)(item),
    raw: 'application/octet-stream',
    expected: CREATE,
  },
  'POST /v1/projects/:projectId/scenes': {
    path: ({ projectId }) => `/v1/projects/${projectId}/scenes`,
    body: ({ userId }) => ({ items: [{ userId, sceneId: 's', source }] }),
    expected: CREATE,
    inner: 'results',
  },
  'POST /v1/runs': {
    path: () => '/v1/runs',
    body: ({ userId }) => ({ userId, inputText: 'x' }),
    expected: CREATE,
  },
  'GET /v1/runs': { path: about('/v1/runs'), expected: ABOUT },
  'GET /v1/jobs': { path: about('/v1/jobs'), expected: ABOUT },
  'GET /v1/runs/:runId': { path: (item) => run(item), expected: READ },
  'POST /v1/runs/:runId/media': {
    path: (item) => `${run(item)}/media`,
    body: () => ({ source }),
    expected: change(201),
  },
  'POST /v1/runs/:runId/media/form': {
    path: (item) => `${run(item)}/media/form`,
    form: () => ({}),
    expected: change(201),
  },
  'POST /v1/runs/:runId/media/bytes': {
    path: (item) => `${run(item)}/media/bytes`,
    raw: 'application/octet-stream',
    expected: change(201),
  },
  'POST /v1/runs/:runId/complete': {
    path: (item) => `${run(item)}/complete`,
    body: () => ({}),
    expected: change(200),
  },
  'GET /v1/runs/:runId/export': { path: (item) => `${run(item)}/export`, expected: READ },
  'POST /v1/import/:provider': {
    path: () => '/v1/import/openai',
    body: ({ userId }) => ({ userId, response: { data: [{ b64_json: png().toString('base64') }] } }),
    expected: CREATE,
  },
  'PUT /v1/jobs/:provider/:jobId': {
    path: (item) => job(item),
    body: () => ({ userId: 'alice' }),
    expected: { none: all(401), read: all(403), write: [200, 404, 404], admin: [200, 404, 404] },
  },
  'GET /v1/jobs/:provider/:jobId': { path: (item) => job(item), expected: READ },
  'GET /v1/jobs/:provider/:jobId/media': { path: (item) => `${job(item)}/media`, expected: READ },
  'POST /v1/jobs/:provider/:jobId/retry': { path: (item) => `${job(item)}/retry`, expected: change(200) },
  'GET /api/images': { path: about('/api/images'), expected: ABOUT },
  'POST /api/images/save': {
    path: () => '/api/images/save',
    body: ({ userId }) => ({ userId, image: { data: png().toString('base64') } }),
    expected: { none: all(401), read: all(403), write: [200, 403, 403], admin: all(200) },
  },
  'GET /api/images/:imageId/network-volume': { path: ({ id }) => `/api/images/${id}/network-volume`, expected: BYTES },
  'GET /api/images/:imageId/data': { path: ({ id }) => `/api/images/${id}/data`, expected: BYTES },
  'GET /api/media/image/:runId': { path: ({ runId }) => `/api/media/image/${runId}`, expected: BYTES },
  'GET /api/media/audio/:runId': { path: ({ runId }) => `/api/media/audio/${runId}`, expected: NO_BYTES },
  'GET /api/media/video/:runId': { path: ({ runId }) => `/api/media/video/${runId}`, expected: NO_BYTES },
  'GET /api/media/info/:runId': { path: ({ runId }) => `/api/media/info/${runId}`, expected: READ },
  'GET /api/media/run/:runId': { path: ({ runId }) => `/api/media/run/${runId}`, expected: READ },
  'POST /api/webhooks/runpod': {
    path: () => '/api/webhooks/runpod?userId=bob',
    body: ({ id }) => ({ id, status: 'COMPLETED' }),
    expected: { none: all(401), read: all(401), write: all(401), admin: all(401) },
  },
  'POST /api/webhooks/generation/:jobId': {
    path: ({ id }) => `/api/webhooks/generation/${id}?secret=`,
    body: () => ({ status: 'COMPLETED' }),
    expected: { none: all(401), read: all(401), write: all(401), admin: all(401) },
  },
  'GET /v1/webhook-deliveries': {
    path: () => '/v1/webhook-deliveries?state=parked',
    expected: { none: all(401), read: all(403), write: all(403), admin: all(200) },
  },
  'POST /v1/webhook-deliveries/:id/release': {
    path: ({ parked }) => `/v1/webhook-deliveries/${parked}/release`,
    body: ({ userId }) => ({ userId }),
    expected: { none: all(401), read: all(403), write: all(403), admin: all(200) },
  },
  // Its sender is authenticated by a secret, not a token.
  'POST /v1/webhooks/:provider': {
    path: () => '/v1/webhooks/generic?userId=bob',
    body: ({ id }) => ({ jobId: id, outputs: [] }),
    expected: { none: all(401), read: all(401), write: all(401), admin: all(401) },
  },
  'POST /v1/uploads': {
    path: () => '/v1/uploads',
    body: ({ userId }) => ({ userId, contentType: 'image/png', bytes: png().length }),
    expected: CREATE,
  },
  'PUT /v1/uploads/:id/content': {
    path: ({ upload }) => upload.url,
    raw: 'image/png',
    expected: { none: all(204), read: all(204), write: all(204), admin: all(204) },
  },
  'POST /v1/uploads/:id/complete': {
    path: ({ arrived }) => `/v1/uploads/${arrived.id}/complete`,
    expected: { none: all(401), read: all(403), write: [201, 404, 404], admin: all(201) },
  },
  'GET /health/live': { path: () => '/health/live', expected: OPEN },
  'GET /health/ready': { path: () => '/health/ready', expected: OPEN },
  'GET /metrics': { path: () => '/metrics', expected: OPEN },
  'GET /openapi.json': { path: () => '/openapi.json', expected: OPEN },
};
/** What GET tells to whom, HEAD does. */
const TABLE: Readonly<Record<string, Row>> = {
  ...ROWS,
  ...Object.fromEntries(
    Object.entries(ROWS)
      .filter(([route]) => route.startsWith('GET '))
      .map(([route, { endless: _endless, ...row }]) => [route.replace('GET', 'HEAD'), row]),
  ),
};

let t: TestApp;
const routes = new Set<string>();
beforeAll(async () => {
  const watch = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRoute', (route) => {
      for (const method of [route.method].flat()) routes.add(`${String(method)} ${route.url}`);
    });
  };
  subscribe('fastify.initialization', watch);
  t = await createTestApp({ WEBHOOK_SECRET_GENERATION: HOOK });
  unsubscribe('fastify.initialization', watch);
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET, HOOK]);
  await t.close();
});

const unchanged = new Map<(typeof ITEMS)[number], Item>();

/** An item of that kind that no request has changed yet. */
async function itemOf(kind: (typeof ITEMS)[number]): Promise<Item> {
  const item = unchanged.get(kind) ?? (await makeItem(kind));
  unchanged.set(kind, item);
  return item;
}

async function makeItem(kind: (typeof ITEMS)[number]): Promise<Item> {
  const owner = kind === 'own' ? 'alice' : 'bob';
  const visibility = kind === "another's public" ? 'public' : 'private';
  const begun = await t.app.inject({
    method: 'POST',
    url: '/v1/runs',
    headers: asUser(owner),
    payload: { inputText: 'x' },
  });
  const { runId } = begun.json();
  await t.app.inject({
    method: 'POST',
    url: `/v1/runs/${runId}/media?visibility=${visibility}`,
    headers: { ...asUser(owner), ...RAW },
    payload: png(),
  });
  const made = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: asUser(owner),
    payload: { source, visibility, projectId: randomUUID(), sceneId: 's', generation: { workflow: { nodes: [] } } },
  });
  const { id, userId, storageKey, projectId } = made.json();
  const signed = await t.app.inject({
    method: 'POST',
    url: `/v1/media/${id}/url`,
    headers: asUser(owner),
    payload: {},
  });
  const upload = await beginUpload(owner);
  const arrived = await beginUpload(owner);
  await t.app.inject({ method: 'PUT', url: arrived.url, headers: RAW, payload: png() });
  const jobId = randomUUID();
  await t.app.inject({ method: 'PUT', url: job({ jobId }), headers: asUser(owner), payload: {} });
  return {
    id,
    userId,
    storageKey,
    projectId,
    runId,
    jobId,
    signature: signed.json().url.split('/signed/')[1].split('/')[0],
    upload,
    arrived,
    parked: await parkWebhook(),
  };
}

/** Parks a webhook without an owner. Returns its id. */
async function parkWebhook(): Promise<string> {
  const payload = { job_id: randomUUID(), status: 'COMPLETED', images: [{ data: source.data }] };
  await t.app.inject({ method: 'POST', url: `/v1/webhooks/generation?secret=${HOOK}`, payload });
  const list = await t.app.inject({ url: `/v1/webhook-deliveries?jobId=${payload.job_id}`, headers: asAdmin() });
  return list.json().items[0].id;
}

const HOOK = 'secret-of-the-address';
const RAW = { 'content-type': 'image/png' };

async function beginUpload(owner: string): Promise<{ id: string; url: string }> {
  const payload = { contentType: 'image/png', bytes: png().length };
  const begun = await t.app.inject({ method: 'POST', url: '/v1/uploads', headers: asUser(owner), payload });
  const { id, url } = begun.json();
  return { id, url: url.slice(new URL(url).origin.length) };
}

test('case 66: every route of the service has a row in the table, and every row a route', () => {
  const own = [...routes].filter((route) => !/^\S+ \/docs(\/|$)/.test(route));
  expect(own.toSorted()).toEqual(Object.keys(TABLE).toSorted());
});

test('case 66: the routes of the documentation take no body and show nothing that needs a token', async () => {
  const docs = [...routes].filter((route) => /^\S+ \/docs(\/|$)/.test(route));
  expect(docs.length).toBeGreaterThan(0);
  for (const route of docs) expect(route).toMatch(/^(GET|HEAD) /);
});

test.each(Object.keys(TABLE).flatMap((route) => Object.keys(TOKENS).map((token) => [route, token as Token] as const)))(
  'case 66: %s with the token %s passes only where the table allows it',
  async (route, token) => {
    const row = TABLE[route] as Row;
    for (const [index, kind] of ITEMS.entries()) {
      // HEAD shares its code with GET: one kind of item is enough.
      if (route.startsWith('HEAD ') && index !== 1) continue;
      const item = await itemOf(kind);
      const payload = row.body?.(item);
      const fields = row.form && Object.entries(row.form(item)).map(([name, value]) => ({ name, value }));
      const form = fields && multipart([...fields, { name: 'file', value: png(), filename: 'a.png' }]);
      const response = await t.app.inject({
        method: route.split(' ')[0] as HTTPMethods & 'GET',
        url: row.path(item),
        headers: { ...TOKENS[token], ...(row.raw && { 'content-type': row.raw }), ...form?.headers },
        ...(payload && { payload }),
        ...(row.raw && { payload: png() }),
        ...(form && { payload: form.payload }),
        ...(row.endless === true && { payloadAsStream: true }),
      });
      if (!/^(GET|HEAD) /.test(route) && response.statusCode < 400) unchanged.delete(kind);
      if (row.endless === true) {
        response.stream().destroy();
        expect(response.statusCode, kind).toBe(row.expected[token][index]);
        continue;
      }
      const expected = row.expected[token][index];
      const inner = response.statusCode === 200 && row.inner;
      const status =
        inner === 'results'
          ? response.json().results[0].status
          : inner === 'failed'
            ? (response.json().failed[0]?.problem.status ?? 200)
            : response.statusCode;
      expect(status, kind).toBe(expected);
      if (status >= 400 && !route.startsWith('HEAD')) {
        // A refusal names neither the owner nor the location of the item.
        expect(response.body).not.toContain(item.storageKey);
        if (kind !== 'own') expect(response.body).not.toContain('bob');
      }
      const untouched = await t.app.inject({ url: record(item), headers: asAdmin() });
      if (status >= 400) expect(untouched.json()).toMatchObject({ prompt: '', deletedAt: null });
    }
  },
);

test("case 66: another user's item and a missing one get the same response, word for word", async () => {
  const { id, storageKey } = await makeItem("another's private");
  const alice = asUser('alice');
  const pairs = [
    ['GET', `/v1/media/${id}`, '/v1/media/999999'],
    ['DELETE', `/v1/media/${id}?purge=true`, '/v1/media/999999?purge=true'],
    ['POST', `/v1/media/${id}/restore`, '/v1/media/999999/restore'],
    ['GET', `/v1/media/${id}/content`, '/v1/media/999999/content'],
    ['GET', `/uploads/${storageKey}`, '/uploads/outputs/bob/none.png'],
  ] as const;
  const told = async (method: 'GET' | 'POST' | 'DELETE', url: string, headers: Record<string, string>) => {
    const { requestId: _own, ...problem } = (await t.app.inject({ method, url, headers })).json();
    return problem;
  };
  for (const [method, one, other] of pairs) {
    for (const headers of [alice, {}]) {
      expect(await told(method, one, headers)).toEqual(await told(method, other, headers));
    }
  }
});

test('case 66: a listing shows only the user’s own items, and a service’s token all', async () => {
  await makeItem('own');
  await makeItem("another's public");
  const owners = async (headers: Record<string, string>) => {
    const { items } = (await t.app.inject({ url: '/v1/media?limit=200', headers })).json();
    return new Set(items.map((item: { userId: string }) => item.userId));
  };
  expect(await owners(TOKENS.read)).toEqual(new Set(['alice']));
  expect(await owners(asUser('bob'))).toEqual(new Set(['bob']));
  expect(await owners(TOKENS.admin)).toEqual(new Set(['alice', 'bob']));
  expect((await t.app.inject({ url: '/v1/stats', headers: asUser('nobody') })).json().total).toBe(0);
});

test.each([
  null,
  '',
  'media',
  'MEDIA:READ',
  'media:read2',
  'media:*',
  '*',
  'admin',
  ['media'],
  { 'media:admin': true },
  1,
  true,
  'xmedia:admin',
  'media:read,media:write',
])('case 66: a token with the scope %j may do nothing', async (scope) => {
  const headers = asUser('alice', scope as string);
  for (const url of ['/v1/media', '/v1/stats'])
    expect((await t.app.inject({ url, headers })).json()).toMatchObject({ status: 403, code: 'insufficient_scope' });
  const payload = { source };
  expect((await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload })).statusCode).toBe(403);
});
