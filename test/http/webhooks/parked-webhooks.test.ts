import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

// Admins list and release parked webhooks, so that no registration can hold them back. No worker runs.
const HOOK = 'secret-of-the-address';
let t: TestApp;
beforeAll(async () => {
  t = await createTestApp({ WEBHOOK_SECRET_RUNPOD: HOOK, WEBHOOK_SECRET_GENERATION: HOOK });
});
afterAll(() => t.close());

const list = (query = '', headers = asAdmin()) => t.app.inject({ url: `/v1/webhook-deliveries${query}`, headers });
const release = (id: string, userId: unknown, headers = asAdmin()) =>
  t.app.inject({ method: 'POST', url: `/v1/webhook-deliveries/${id}/release`, headers, payload: { userId } });
const send = (body: object, provider = 'runpod') =>
  t.app.inject({ method: 'POST', url: `/v1/webhooks/${provider}?secret=${HOOK}`, payload: body });
const register = (name: string, user: string, payload: object = {}) =>
  t.app.inject({ method: 'PUT', url: `/v1/jobs/${name}`, headers: asUser(user), payload });
const done = (id: string, name: string, more: object = {}) => ({
  id,
  status: 'COMPLETED',
  output: { images: [{ type: 's3_url', filename: name, data: `https://cdn.test/${name}` }] },
  ...more,
});
const rows = (jobId: string) =>
  t.deps.db
    .selectFrom('generated_images')
    .select(['id', 'user_id', 'tool_name', 'prompt', 'visibility', 'original_url'])
    .where('job_id', '=', jobId)
    .orderBy('id')
    .execute();
const onlyParked = async (jobId: string) => (await list(`?jobId=${jobId}`)).json().items[0];

test('the list shows parked webhooks, newest first and page by page, and never a body', async () => {
  await register('runpod/list-0', 'bob');
  for (let n = 0; n < 5; n += 1)
    await send(done(`list-${n}`, `secret-picture-${n}.png`, n === 0 ? { user_id: 'alice' } : {}));
  await send({ job_id: 'list-0', status: 'COMPLETED', images: [] }, 'generation');
  const all = (await list('?state=parked&limit=200')).json();
  expect(all.nextCursor).toBeNull();
  expect(all.items.map((item: { jobId: string }) => item.jobId)).toEqual([
    'list-0',
    'list-4',
    'list-3',
    'list-2',
    'list-1',
    'list-0',
  ]);
  const oldest = all.items.at(-1);
  expect(oldest).toEqual({
    id: expect.stringMatching(/^\d+$/),
    provider: 'runpod',
    jobId: 'list-0',
    state: 'parked',
    reason: 'other_owner',
    namedUserId: 'alice',
    registeredUserId: 'bob',
    bytes: JSON.stringify(done('list-0', 'secret-picture-0.png', { user_id: 'alice' })).length,
    receivedAt: expect.stringMatching(/^20.*Z$/),
    expiresAt: expect.stringMatching(/^20.*Z$/),
  });
  expect(Date.parse(oldest.expiresAt) - Date.parse(oldest.receivedAt)).toBe(30 * 24 * 60 * 60_000);
  expect(all.items[1]).toMatchObject({ reason: 'no_owner', namedUserId: null, registeredUserId: null });
  expect(JSON.stringify(all)).not.toContain('secret-picture');
  const pages: string[][] = [];
  for (let cursor = ''; ;) {
    const page = (await list(`?limit=2${cursor}`)).json();
    pages.push(page.items.map((item: { id: string }) => item.id));
    if (page.nextCursor === null) break;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
  expect(pages.map((page) => page.length)).toEqual([2, 2, 2]);
  expect(pages.flat()).toEqual(all.items.map((item: { id: string }) => item.id));
  const of = async (query: string) => (await list(query)).json().items.length;
  expect([await of('?jobId=list-0'), await of('?provider=generation'), await of('?provider=fal')]).toEqual([2, 1, 0]);
  expect(await of('?provider=runpod&jobId=list-0')).toBe(1);
});

test.each([
  ['?limit=0', 400, 'invalid_request'],
  ['?limit=201', 400, 'invalid_request'],
  ['?state=done', 400, 'invalid_request'],
  ['?cursor=x', 400, 'invalid_cursor'],
  ['?provider=A%20B', 400, 'invalid_request'],
  ['?other=1', 400, 'invalid_request'],
])('the list refuses %s', async (query, status, code) => {
  expect((await list(query)).json()).toMatchObject({ status, code });
});

test('a cursor is valid only for its own filters', async () => {
  const { nextCursor } = (await list('?provider=runpod&limit=1')).json();
  expect((await list(`?limit=1&cursor=${encodeURIComponent(nextCursor)}`)).json()).toMatchObject({
    status: 400,
    code: 'invalid_cursor',
  });
});

test('users may neither list nor release', async () => {
  await send(done('scope', 'scope.png'));
  const { id } = await onlyParked('scope');
  for (const headers of [asUser('alice'), asUser('bob')]) {
    expect((await list('', headers)).json()).toMatchObject({ status: 403, code: 'insufficient_scope' });
    expect((await release(id, 'alice', headers)).json()).toMatchObject({ status: 403, code: 'insufficient_scope' });
  }
});

test('a released webhook is processed for its user; a second release finds nothing', async () => {
  await send(done('free', 'free.png'));
  const { id } = await onlyParked('free');
  const answer = await release(id, 'alice');
  expect([answer.statusCode, answer.json()]).toEqual([
    200,
    { received: true, state: 'accepted', jobId: 'free', items: [expect.any(String)], ignored: [] },
  ]);
  expect(await rows('free')).toMatchObject([{ id: answer.json().items[0], user_id: 'alice' }]);
  expect((await t.app.inject({ url: '/v1/jobs/runpod/free', headers: asUser('alice') })).json()).toMatchObject({
    status: 'succeeded',
  });
  for (const gone of [id, '999999', '9999999999999999999'])
    expect((await release(gone, 'alice')).json()).toMatchObject({ status: 404, code: 'not_found' });
  for (const user of ['', ' ', 5, null, undefined, 'a'.repeat(256)])
    expect((await release(id, user)).statusCode).toBe(400);
  expect(await list('?jobId=free').then((found) => found.json().items)).toEqual([]);
});

test("a job that was registered to another user goes to the new owner, without the former one's fields, state or outputs", async () => {
  const bobs = { toolName: 'bobs', prompt: 'bobs', visibility: 'public', tags: ['bobs'], runId: 'bobs' };
  await register('runpod/given', 'bob', bobs);
  // The same output, reported by bob beforehand.
  await t.app.inject({
    method: 'POST',
    url: '/v1/import/runpod',
    headers: asUser('bob'),
    payload: {
      response: {
        id: 'given',
        status: 'COMPLETED',
        output: { images: [{ filename: 'given.png', data: png(3, 3, 1).toString('base64'), type: 'base64' }] },
      },
    },
  });
  await send(done('given', 'given.png', { user_id: 'alice', status: 'FAILED', error: 'half of it' }));
  await send(done('given', 'given.png', { user_id: 'alice' }));
  await send(done('given', 'others.png', { user_id: 'carol' }));
  const found = (await list('?jobId=given')).json().items;
  expect(found).toHaveLength(3);
  const first = found.find((item: { namedUserId: string }) => item.namedUserId === 'alice');
  const before = await rows('given');
  expect(before.map((row) => row.user_id)).toEqual(['bob']);
  const answer = await release(first.id, 'alice');
  expect(answer.statusCode).toBe(200);
  const hers = (await rows('given')).filter((row) => row.user_id === 'alice');
  expect(hers).toMatchObject([
    { tool_name: '', prompt: '', visibility: 'private', original_url: 'https://cdn.test/given.png' },
  ]);
  expect(new Set(answer.json().items)).toEqual(new Set(hers.map((row) => row.id)));
  // Bob keeps his item, and nothing else; carol's webhook still waits.
  expect((await rows('given')).filter((row) => row.user_id === 'bob')).toEqual(before);
  expect((await list('?jobId=given')).json().items).toMatchObject([
    { namedUserId: 'carol', registeredUserId: 'alice', reason: 'other_owner' },
  ]);
  const job = (user: string, path = '') => t.app.inject({ url: `/v1/jobs/runpod/given${path}`, headers: asUser(user) });
  expect((await job('bob')).statusCode).toBe(404);
  expect((await job('alice')).json()).toMatchObject({ userId: 'alice', status: 'succeeded', error: null });
  expect((await job('alice', '/media')).json().items).toMatchObject([{ userId: 'alice' }]);
  for (const row of hers)
    expect((await t.app.inject({ url: `/v1/media/${row.id}`, headers: asUser('bob') })).statusCode).toBe(404);
  // From now on it is hers.
  expect((await send(done('given', 'later.png'))).json()).toMatchObject({ state: 'accepted' });
  expect((await rows('given')).filter((row) => row.user_id === 'alice')).toHaveLength(2);
  expect((await register('runpod/given', 'bob')).statusCode).toBe(404);
  expect((await register('runpod/given', 'alice')).statusCode).toBe(200);
});

test('of two concurrent releases one processes the webhook, and the other gets no job', async () => {
  await register('runpod/race', 'bob');
  await send(done('race', 'race.png', { user_id: 'alice' }));
  const { id } = await onlyParked('race');
  const answers = await Promise.all(['alice', 'carol', 'alice', 'carol'].map((user) => release(id, user)));
  expect(answers.map((answer) => answer.statusCode).toSorted((a, b) => a - b)).toEqual([200, 404, 404, 404]);
  const owners = (await rows('race')).map((row) => row.user_id);
  expect(owners).toHaveLength(1);
  const job = await t.app.inject({ url: '/v1/jobs/runpod/race', headers: asAdmin() });
  expect(job.json().userId).toBe(owners[0]);
});

test('webhooks parked before reasons were recorded are listed and processed as ones without an owner', async () => {
  await send(done('older', 'older.png'));
  await t.deps.db
    .updateTable('webhook_deliveries')
    .set({ reason: null, bytes: null as never })
    .where('job_id', '=', 'older')
    .execute();
  expect(await onlyParked('older')).toMatchObject({ reason: 'no_owner', bytes: expect.any(Number) });
  await register('runpod/older', 'alice');
  expect(await rows('older')).toMatchObject([{ user_id: 'alice' }]);
});

test('the body of a large webhook stays as long as its delivery: nothing else may remove it', async () => {
  await register('runpod/large', 'alice');
  const answer = await send(done('large', 'large.png', { notes: 'x'.repeat(70_000) }));
  expect(answer.statusCode).toBe(200);
  const left = await t.deps.db.selectFrom('storage_intents').select('key').where('key', 'like', 'webhooks/%').execute();
  expect(left).toEqual([]);
});
