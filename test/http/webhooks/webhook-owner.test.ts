import { Kysely, PostgresDialect } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Db, openDatabase } from '../../../src/db/database.ts';
import { type GenerationJob, findJob } from '../../../src/db/jobs/jobs.ts';
import { unpark } from '../../../src/domain/webhooks/parked-webhooks.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';
import { type FalSender, SIGNING_SECRET, standardHeaders, startFalSender } from '../../support/webhook-senders.ts';

// The owner of a webhook's outputs. No worker runs: an item belongs to its owner from the moment it is pending.
const HOOK = 'secret-of-the-address';
let t: TestApp;
let fal: FalSender;
beforeAll(async () => {
  fal = await startFalSender();
  t = await createTestApp({
    WEBHOOK_SECRET_RUNPOD: HOOK,
    WEBHOOK_SECRET_GENERATION: SIGNING_SECRET,
    WEBHOOK_SECRET_REPLICATE: SIGNING_SECRET,
    FAL_JWKS_URL: fal.jwksUrl,
    FAL_ACCOUNTS: 'our-account',
  });
});
afterAll(async () => {
  await t.close();
  fal.close();
});

let salt = 0;
const image = () => png(4, 4, (salt += 1)).toString('base64');
const register = (name: string, user: string, payload: object = {}) =>
  t.app.inject({ method: 'PUT', url: `/v1/jobs/${name}`, headers: asUser(user), payload });
const post = (url: string, body: object, headers?: Record<string, string>) =>
  t.app.inject({ method: 'POST', url, payload: JSON.stringify(body), headers: headers ?? JSON_TYPE });
const JSON_TYPE = { 'content-type': 'application/json' };
const runpod = (body: object, query = '') => post(`/v1/webhooks/runpod?secret=${HOOK}${query}`, body);
const signed = (url: string, body: object, id?: string) => post(url, body, standardHeaders(JSON.stringify(body), id));
const done = (id: string, more: object = {}) => ({ id, status: 'COMPLETED', output: { images: [image()] }, ...more });
const ownersOf = async (jobId: string) => {
  const rows = await t.deps.db
    .selectFrom('generated_images')
    .select(['user_id', 'provider', 'tool_name'])
    .where('job_id', '=', jobId)
    .orderBy('id')
    .execute();
  return rows.map((row) => row.user_id);
};
const parked = async (jobId: string) =>
  (await t.app.inject({ url: `/v1/webhook-deliveries?jobId=${jobId}`, headers: asAdmin() })).json().items;

test('a registration of the id under another provider takes nothing: neither the webhook, nor an import, nor a registration', async () => {
  expect((await register('foo/cross-1', 'bob')).statusCode).toBe(201);
  expect((await runpod(done('cross-1', { user_id: 'alice' }))).json()).toMatchObject({ state: 'accepted' });
  expect(await ownersOf('cross-1')).toEqual(['alice']);
  expect((await register('runpod/cross-1', 'alice')).statusCode).toBe(200);
  await register('foo/cross-2', 'bob');
  expect((await runpod(done('cross-2'))).json()).toMatchObject({ state: 'parked' });
  expect((await register('runpod/cross-2', 'alice')).json()).toMatchObject({ userId: 'alice', status: 'succeeded' });
  expect(await ownersOf('cross-2')).toEqual(['alice']);
});

test('a webhook that names one user is never given to another who has registered its job: it is parked', async () => {
  await register('runpod/taken', 'bob', { toolName: 'bobs', visibility: 'public' });
  const answer = await runpod(done('taken', { user_id: 'alice' }));
  expect([answer.statusCode, answer.json()]).toEqual([
    202,
    { received: true, state: 'parked', jobId: 'taken', items: [], ignored: [] },
  ]);
  expect(await ownersOf('taken')).toEqual([]);
  expect((await t.app.inject({ url: '/v1/jobs/runpod/taken', headers: asUser('bob') })).json().status).toBe('queued');
  expect(await parked('taken')).toMatchObject([
    { state: 'parked', reason: 'other_owner', namedUserId: 'alice', registeredUserId: 'bob' },
  ]);
  // Bob does not get it by registering again either, or when his job is next heard of.
  await register('runpod/taken', 'bob', { toolName: 'again' });
  await runpod(done('taken'));
  expect(await ownersOf('taken')).toEqual(['bob']);
  expect(await parked('taken')).toHaveLength(1);
  expect(t.logged()).toContain('its job is registered to another user');
  const metrics = await t.app.inject({ url: '/metrics' });
  expect(metrics.body).toMatch(/mediakeep_webhooks_total\{provider="runpod",outcome="parked"\} [1-9]/);
});

test('of several ids in a body, the one that the named user has registered counts', async () => {
  await register('runpod/two-ids-app', 'alice', { toolName: 'hers' });
  await register('runpod/two-ids-rp', 'bob', { toolName: 'bobs' });
  const body = done('two-ids-rp', { input: { job_id: 'two-ids-app' }, user_id: 'alice' });
  expect((await runpod(body)).json()).toMatchObject({ state: 'accepted', jobId: 'two-ids-app' });
  expect(await ownersOf('two-ids-app')).toEqual(['alice']);
});

test('a webhook that names no user, and jobs of two users, belongs to neither', async () => {
  await register('runpod/mixed-rp', 'bob');
  await register('runpod/mixed-app', 'alice');
  expect((await runpod(done('mixed-rp', { input: { job_id: 'mixed-app' } }))).json()).toMatchObject({
    state: 'parked',
  });
  await register('runpod/mixed-rp', 'bob');
  await runpod(done('mixed-rp', { user_id: 'bob' }));
  expect(await parked('mixed-rp')).toMatchObject([{ reason: 'other_owner', namedUserId: null }]);
  expect(await ownersOf('mixed-rp')).toEqual(['bob']);
});

test('a registration processes parked webhooks that name its user or none, and leaves those that name another', async () => {
  await register('runpod/pull', 'bob');
  await runpod(done('pull', { user_id: 'carol' }));
  await runpod(done('pull', { user_id: 'alice' }));
  // As if bob's registration were gone.
  await t.deps.db.deleteFrom('generation_jobs').where('job_id', '=', 'pull').execute();
  await register('runpod/pull', 'alice');
  expect(await ownersOf('pull')).toEqual(['alice']);
  expect(await parked('pull')).toMatchObject([{ namedUserId: 'carol', registeredUserId: 'alice' }]);
});

test('parked webhooks are read one body at a time, their ids first', async () => {
  for (let n = 0; n < 3; n += 1) await runpod(done('one-by-one'));
  await t.deps.db
    .insertInto('generation_jobs')
    .values({ provider: 'runpod', job_id: 'one-by-one', user_id: 'alice', fields: '{}', timings: '{}' })
    .execute();
  const job = (await findJob(t.deps.db, { provider: 'runpod', jobId: 'one-by-one' })) as GenerationJob;
  const open = openDatabase({ connectionString: t.connectionString, poolMax: 2, statementTimeoutMs: 0 });
  const statements: string[] = [];
  const db: Db = new Kysely({
    dialect: new PostgresDialect({ pool: open.pool }),
    log: ({ query }) => void statements.push(query.sql),
  });
  try {
    expect(await unpark({ ...t.deps, db }, job)).toHaveLength(3);
  } finally {
    await open.close();
  }
  const bodies = statements.filter((sql) => sql.startsWith('select') && sql.includes('"body"'));
  expect(bodies).toHaveLength(3);
  for (const sql of bodies) expect(sql).toContain('where "id" = $1');
  expect(await ownersOf('one-by-one')).toEqual(['alice', 'alice', 'alice']);
});

test('under a signature the query names neither the job nor the owner, and the same webhook at another URL is a repetition', async () => {
  await register('replicate/sig-1', 'alice');
  await register('replicate/sig-bob', 'bob');
  const body = { id: 'sig-1', status: 'succeeded', output: 'https://cdn.test/sig-1.png' };
  const url = '/v1/webhooks/replicate';
  const first = await signed(`${url}?jobId=sig-bob&userId=bob`, body, 'msg-sig-1');
  expect(first.json()).toMatchObject({ state: 'accepted', jobId: 'sig-1' });
  for (const query of ['', '?jobId=sig-bob', '?userId=bob', '?jobId=sig-bob&userId=bob'])
    expect((await signed(`${url}${query}`, body, 'msg-sig-1')).json()).toMatchObject({ state: 'duplicate' });
  expect(await ownersOf('sig-1')).toEqual(['alice']);
  expect(await ownersOf('sig-bob')).toEqual([]);
  const nobodys = { ...body, id: 'sig-2' };
  expect((await signed(`${url}?userId=bob`, nobodys)).json()).toMatchObject({ state: 'parked' });
  const nameless = { status: 'succeeded', output: 'https://cdn.test/sig-3.png' };
  const refused = await signed(`${url}?jobId=sig-bob`, nameless);
  expect(refused.json()).toMatchObject({ status: 400, detail: expect.stringContaining('signature does not cover') });
});

test('under a signature the path of a handler must be the job of the signed body', async () => {
  const path = (jobId: string) => `/api/webhooks/generation/${jobId}`;
  const body = (jobId?: string) => ({
    ...(jobId !== undefined && { job_id: jobId }),
    status: 'COMPLETED',
    user_id: 'alice',
    resultUrls: ['https://cdn.test/path.png'],
  });
  expect((await signed(path('path-1'), body('path-1'))).json()).toMatchObject({ state: 'accepted', jobId: 'path-1' });
  for (const [to, sent] of [
    ['path-2', body('path-3')],
    ['path-2', body()],
  ] as const) {
    const refused = await signed(path(to), sent);
    expect(refused.json()).toMatchObject({
      status: 400,
      code: 'invalid_request',
      detail: expect.stringContaining('signature does not cover'),
    });
  }
  for (const id of ['path-2', 'path-3']) expect(await ownersOf(id)).toEqual([]);
  // A sender who knows the secret has chosen the path as well.
  const secret = encodeURIComponent(SIGNING_SECRET);
  expect((await post(`${path('path-4')}?secret=${secret}`, body())).json()).toMatchObject({ jobId: 'path-4' });
  expect(await ownersOf('path-4')).toEqual(['alice']);
});

test("FAL's webhooks: the payload names the owner, the query does not, and it is one delivery at any URL", async () => {
  const send = (id: string, payload: object, query = '') => {
    const body = { request_id: id, status: 'OK', payload: { images: [{ url: 'https://cdn.test/f.png' }], ...payload } };
    return post(`/v1/webhooks/fal${query}`, body, fal.headers(JSON.stringify(body), id, 'our-account'));
  };
  expect((await send('fal-1', { user_id: 'alice' }, '?userId=bob')).json()).toMatchObject({ state: 'accepted' });
  expect((await send('fal-1', { user_id: 'alice' }, '?userId=carol')).json()).toMatchObject({ state: 'duplicate' });
  expect(await ownersOf('fal-1')).toEqual(['alice']);
  expect((await send('fal-2', {}, '?userId=bob')).json()).toMatchObject({ state: 'parked' });
  await register('fal/fal-3', 'bob');
  expect((await send('fal-3', { user_id: 'alice' })).json()).toMatchObject({ state: 'parked' });
  expect([...(await ownersOf('fal-2')), ...(await ownersOf('fal-3'))]).toEqual([]);
});

test("with a secret in FAL's URL its userId counts, after the payload and the registration; its jobId never does", async () => {
  const both = await createTestApp({ FAL_JWKS_URL: fal.jwksUrl, WEBHOOK_SECRET_FAL: HOOK });
  try {
    const send = async (id: string, payload: object = {}) => {
      const body = JSON.stringify({
        request_id: id,
        status: 'OK',
        payload: { image_url: 'https://cdn.test/b', ...payload },
      });
      const url = `/v1/webhooks/fal?secret=${HOOK}&userId=carol&jobId=other`;
      const headers = fal.headers(body, id, 'our-account');
      expect((await both.app.inject({ method: 'POST', url, payload: body, headers })).json()).toMatchObject({
        jobId: id,
      });
      const job = await both.app.inject({ url: `/v1/jobs/fal/${id}`, headers: asAdmin() });
      return job.json().userId as string;
    };
    await both.app.inject({ method: 'PUT', url: '/v1/jobs/fal/registered', headers: asUser('bob'), payload: {} });
    expect([await send('none'), await send('registered'), await send('named', { user_id: 'alice' })]).toEqual([
      'carol',
      'bob',
      'alice',
    ]);
  } finally {
    await both.close();
  }
});

test("equal bodies of two requests of FAL's are two deliveries: a stranger cannot use one up", async () => {
  const open = await createTestApp({ FAL_JWKS_URL: fal.jwksUrl });
  try {
    const send = (id: string, account: string) => {
      const body = JSON.stringify({ status: 'OK', payload: { images: [{ url: 'https://cdn.test/s.png' }] } });
      const headers = fal.headers(body, id, account);
      return open.app.inject({ method: 'POST', url: '/v1/webhooks/fal', payload: body, headers });
    };
    await open.app.inject({ method: 'PUT', url: '/v1/jobs/fal/hers', headers: asUser('alice'), payload: {} });
    expect((await send('strangers', 'stranger')).json()).toMatchObject({ state: 'parked' });
    expect((await send('hers', 'our-account')).json()).toMatchObject({ state: 'accepted', jobId: 'hers' });
  } finally {
    await open.close();
  }
});

test('an answer about a job that another user has registered is stored all the same, without their fields', async () => {
  await register('fal/squat', 'bob', { toolName: 'bobs', prompt: 'bobs' });
  const response = { request_id: 'squat', images: [{ url: `data:image/png;base64,${image()}` }] };
  const stored = await t.app.inject({
    method: 'POST',
    url: '/v1/import/fal',
    headers: asUser('alice'),
    payload: { response, toolName: 'hers' },
  });
  expect([stored.statusCode, stored.json().items]).toMatchObject([
    201,
    [{ userId: 'alice', status: 'success', toolName: 'hers', prompt: '', jobId: 'squat' }],
  ]);
  await register('generation/squat', 'bob', { toolName: 'bobs' });
  const saved = await t.app.inject({
    method: 'POST',
    url: '/api/images/save',
    headers: asUser('alice'),
    payload: { jobId: 'squat', image: { data: image() } },
  });
  expect(saved.json()).toMatchObject({ success: true, images: [{ userId: 'alice', status: 'success' }] });
  const bobs = await t.app.inject({ url: '/v1/jobs/fal/squat/media', headers: asUser('bob') });
  expect(bobs.json().items).toEqual([]);
});
