// Case numbers in titles are those of the table in docs/threat-model.md.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged, expectTraces, traces } from '../support/traces.ts';

let t: TestApp;
let salt = 0;
let hers: { id: string; storageKey: string; createdAt: string };
const PROJECT = '7b0c3c1e-0000-4000-8000-000000000067';
const alice = asUser('alice');
const bob = asUser('bob');
const LINKS = { jobId: 'job-1', runId: 'run-1', requestId: 'r-1', messageId: 'm-1', externalId: 'e-1' };
const HER_FIELDS = {
  ...LINKS,
  projectId: PROJECT,
  sceneId: 'one',
  tags: ['hers'],
  model: 'm',
  metadata: { secret: 'hers' },
};

const source = () => ({ type: 'base64', data: png(1, 1, (salt += 1)).toString('base64') });
const post = (payload: object, headers: Record<string, string>, url = '/v1/media') =>
  t.app.inject({ method: 'POST', url, headers, payload });
beforeAll(async () => {
  t = await createTestApp();
  hers = (await post({ ...HER_FIELDS, source: source() }, alice)).json();
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});

test("case 67: another user's parent is not found, like a missing one", async () => {
  const before = await traces(t);
  const told = async (parentId: string, headers: Record<string, string>) => {
    const { requestId: _own, ...problem } = (await post({ parentId, source: source() }, headers)).json();
    return problem;
  };
  const refused = await told(hers.id, bob);
  expect(refused).toMatchObject({ status: 404, code: 'not_found', field: 'parentId' });
  expect(refused).toEqual(await told('999999', bob));
  await expectTraces(t, before);
  expect((await post({ parentId: hers.id, source: source() }, alice)).statusCode).toBe(201);
});

test("case 67: nothing is stored into another user's scene, and its current version stays", async () => {
  const before = await traces(t);
  for (const projectId of [PROJECT, PROJECT.toUpperCase()]) {
    const response = await post({ projectId, sceneId: 'one', source: source() }, bob);
    expect(response.json()).toMatchObject({ status: 404, code: 'not_found' });
  }
  await expectTraces(t, before);
  const still = await t.app.inject({ url: `/v1/media/${hers.id}`, headers: alice });
  expect(still.json()).toMatchObject({ version: 1, isCurrent: true });
});

test("case 67: another's run, job, request, message or external id joins nothing: each keeps to its own items", async () => {
  const his = (await post({ ...LINKS, source: source() }, bob)).json();
  expect(his.userId).toBe('bob');
  for (const [name, value] of Object.entries(LINKS)) {
    const ids = async (headers: Record<string, string>) => {
      const { items } = (await t.app.inject({ url: `/v1/media?${name}=${value}`, headers })).json();
      return items.map((item: { id: string }) => item.id);
    };
    expect(await ids(bob)).toEqual([his.id]);
    expect(await ids(alice)).toEqual([hers.id]);
    expect(await ids(asAdmin())).toHaveLength(2);
  }
});

test.each([
  `projectId=${PROJECT}`,
  `projectId=${PROJECT}&sceneId=one`,
  'tag=hers',
  'metadata=%7B%22secret%22%3A%22hers%22%7D',
  'q=hers',
  'status=success&mediaType=image&model=m',
])('case 67: a search for %s neither shows nor counts another user’s items', async (query) => {
  const response = await t.app.inject({ url: `/v1/media?includeTotal=true&${query}`, headers: asUser('carol') });
  expect(response.json()).toEqual({ items: [], nextCursor: null, total: 0 });
  const tags = await t.app.inject({ url: '/v1/tags', headers: asUser('carol') });
  expect(tags.json()).toEqual({ tags: [], behind: 0 });
});

test("case 67: another's key is neither served, nor adopted, nor overwritten", async () => {
  const before = await traces(t);
  const served = await t.app.inject({ url: `/uploads/${hers.storageKey}`, headers: bob });
  expect(served.json()).toMatchObject({ status: 404, code: 'not_found' });
  const object = { type: 'object', store: 'local', key: hers.storageKey };
  expect((await post({ source: object }, bob)).json()).toMatchObject({ status: 403, code: 'insufficient_scope' });
  expect((await post({ userId: 'bob', source: object }, asAdmin())).json()).toMatchObject({ status: 409 });
  await expectTraces(t, before);
});

test("case 67: another's ids among one's own are not found, one by one", async () => {
  const his = (await post({ source: source() }, bob)).json();
  const signed = await post({ ids: [hers.id, his.id, hers.id] }, bob, '/v1/signed-urls');
  expect(signed.json().results.map((result: { status: number }) => result.status)).toEqual([404, 200, 404]);
  const items = [{ userId: 'alice', source: source() }, { parentId: hers.id, source: source() }, { source: source() }];
  const batch = await post({ items }, bob, '/v1/batches');
  expect(batch.json().results.map((result: { status: number }) => result.status)).toEqual([403, 404, 201]);
});

test("case 67: another's idempotency key gives neither the answer nor a conflict", async () => {
  const payload = { prompt: 'same', source: source() };
  const first = await post(payload, { ...alice, 'idempotency-key': 'shared' });
  const second = await post(payload, { ...bob, 'idempotency-key': 'shared' });
  expect(second.statusCode).toBe(201);
  expect(second.json().id).not.toBe(first.json().id);
  expect(second.json().userId).toBe('bob');
});

test('case 67: a URL of this service as an external address opens nothing', async () => {
  const storageUrl = `https://media.test/uploads/${hers.storageKey}`;
  const made = await post({ source: { type: 'external', storageUrl, storageProvider: 'cdn' } }, bob);
  expect(made.statusCode).toBe(201);
  expect(made.json().storageKey).toBeNull();
  const content = await t.app.inject({ url: `/v1/media/${made.json().id}/content`, headers: bob });
  expect(content.json()).toMatchObject({ status: 409, code: 'not_stored' });
});

const INTERNAL = [
  'id',
  'url',
  'userId',
  'storageKey',
  'storageUrl',
  'storageProvider',
  'sha256',
  'bytes',
  'mimeType',
  'visibility',
  'status',
  'version',
  'isCurrent',
  'createdAt',
  'deletedAt',
  'deleted_at',
  'user_id',
  'storage_url',
  'owned',
  'locations',
  'search_text',
];
test('case 69: metadata and generation stay data: no name in them reaches a column', async () => {
  const data = Object.fromEntries(INTERNAL.map((name) => [name, name === 'visibility' ? 'public' : 'forged']));
  const made = (await post({ metadata: data, generation: { ...data, seed: 1 }, source: source() }, alice)).json();
  expect(made).toMatchObject({
    userId: 'alice',
    visibility: 'private',
    status: 'success',
    metadata: data,
    deletedAt: null,
  });
  expect(made.sha256).toMatch(/^[0-9a-f]{64}$/);
  const changed = await t.app.inject({
    method: 'PATCH',
    url: `/v1/media/${made.id}`,
    headers: alice,
    payload: { metadata: data },
  });
  expect(changed.json()).toMatchObject({ userId: 'alice', visibility: 'private', storageKey: made.storageKey });
  expect((await t.app.inject({ url: `/v1/media/${made.id}/content` })).statusCode).toBe(401);
});

test.each(INTERNAL.filter((name) => !['userId', 'sha256', 'visibility', 'status'].includes(name)))(
  'case 69: the column %s cannot be set from outside',
  async (name) => {
    const before = await traces(t);
    const responses = [
      await post({ [name]: '1', source: source() }, asAdmin()),
      await t.app.inject({
        method: 'POST',
        url: `/v1/media?${name}=1`,
        headers: { 'content-type': 'image/png', ...alice },
        payload: png(),
      }),
      await t.app.inject({ method: 'PATCH', url: `/v1/media/${hers.id}`, headers: alice, payload: { [name]: '1' } }),
    ];
    for (const response of responses) expect(response.json()).toMatchObject({ status: 400, code: 'invalid_request' });
    const batch = await post({ items: [{ [name]: '1', source: source() }] }, asAdmin(), '/v1/batches');
    expect(batch.json().results).toMatchObject([{ status: 400, problem: { code: 'invalid_request' } }]);
    await expectTraces(t, before);
  },
);
