// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WEBHOOKS, hasKeySet } from '../../../src/sources/providers/registry.ts';
import { type Worker, startWorker } from '../../../src/workers/worker.ts';
import { type Origin, startOrigin } from '../../support/origin.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';
import { until } from '../../support/until.ts';

const SECRET = 'whsec_dGhlLXNlY3JldC1vZi10aGUtdGVzdHM=';
const HOOK = 'secret-of-the-address';
const fal = generateKeyPairSync('ed25519');

let t: TestApp;
let origin: Origin;
let worker: Worker;
const jwks = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ keys: [fal.publicKey.export({ format: 'jwk' })] }));
});
beforeAll(async () => {
  origin = await startOrigin();
  await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve));
  t = await createTestApp({
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    LOCAL_MOUNT_ALIASES: '/runpod-volume,/workspace',
    WEBHOOK_SECRET_RUNPOD: HOOK,
    WEBHOOK_SECRET_REPLICATE: SECRET,
    WEBHOOK_SECRET_COMFYUI_API: SECRET,
    WEBHOOK_SECRET_GENERIC: SECRET,
    FAL_JWKS_URL: `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/jwks.json`,
    FAL_ACCOUNTS: 'our-account',
  });
  worker = startWorker(t.deps, { connectionString: t.connectionString, concurrency: 2 });
});
afterAll(async () => {
  await worker.stop();
  expect(t.logged()).not.toContain(HOOK);
  await t.close();
  origin.close();
  jwks.close();
});

type Headers = Record<string, string>;
const post = (address: string, body: string, headers: Headers = {}) =>
  t.app.inject({
    method: 'POST',
    url: address,
    headers: { 'content-type': 'application/json', ...headers },
    payload: body,
  });
let messages = 0;
const standard = (body: string, { at = new Date(), id = `msg_${(messages += 1)}`, secret = SECRET } = {}): Headers => ({
  'webhook-id': id,
  'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
  'webhook-signature': new Webhook(secret).sign(id, at, body),
});
const falSigned = (body: string, { at = Date.now(), account = 'our-account', id = 'req-1' } = {}): Headers => {
  const timestamp = String(Math.floor(at / 1000));
  const digest = createHash('sha256').update(body).digest('hex');
  const signature = sign(null, Buffer.from([id, account, timestamp, digest].join('\n')), fal.privateKey);
  return {
    'x-fal-webhook-request-id': id,
    'x-fal-webhook-user-id': account,
    'x-fal-webhook-timestamp': timestamp,
    'x-fal-webhook-signature': signature.toString('hex'),
  };
};
const runpod = (body: object, query = '') => post(`/v1/webhooks/runpod?secret=${HOOK}${query}`, JSON.stringify(body));
const register = (provider: string, jobId: string, fields: object = {}, user = 'alice') =>
  t.app.inject({ method: 'PUT', url: `/v1/jobs/${provider}/${jobId}`, headers: asUser(user), payload: fields });
const job = async (provider: string, jobId: string) =>
  (await t.app.inject({ url: `/v1/jobs/${provider}/${jobId}`, headers: asAdmin() })).json();
const items = async (provider: string, jobId: string) => {
  const answer = await t.app.inject({ url: `/v1/jobs/${provider}/${jobId}/media`, headers: asAdmin() });
  return answer.json().items.toReversed() as { id: string; status: string; [name: string]: unknown }[];
};
const settled = (provider: string, jobId: string) =>
  until(async () => {
    const found = await items(provider, jobId);
    return found.length > 0 && found.every((item) => item.status !== 'pending') && found;
  });
const base64 = (salt: number) => png(4, 4, salt).toString('base64');

test('a registered job, its webhook, and the item that a worker has fetched, with the fields of both', async () => {
  await register('replicate', 'r-1', { toolName: 'paint', tags: ['fox'], metadata: { campaign: 'winter' } });
  const body = JSON.stringify({
    id: 'r-1',
    status: 'succeeded',
    model: 'acme/paint',
    input: { prompt: 'a fox', seed: 18_446_744_073_709_552_000n.toString() },
    output: [`${origin.url}/ok/r-1.png`],
    metrics: { predict_time: 2.5 },
  });
  const answer = await post('/v1/webhooks/replicate', body, standard(body));
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toMatchObject({ received: true, state: 'accepted', jobId: 'r-1', items: [expect.any(String)] });
  expect(await settled('replicate', 'r-1')).toMatchObject([
    {
      id: answer.json().items[0],
      status: 'success',
      userId: 'alice',
      toolName: 'paint',
      prompt: 'a fox',
      model: 'acme/paint',
      provider: 'replicate',
      tags: ['fox'],
      metadata: { campaign: 'winter' },
      width: 6,
      originalUrl: `${origin.url}/ok/r-1.png`,
    },
  ]);
  expect(await job('replicate', 'r-1')).toMatchObject({
    status: 'succeeded',
    progress: 100,
    timings: { metrics: { predict_time: 2.5 } },
  });
});

test('a seed beyond 2^53 keeps all of its digits', async () => {
  await register('replicate', 'r-seed');
  const body = `{"id":"r-seed","status":"succeeded","input":{"seed":18446744073709551615},"output":"${origin.url}/ok/s.png"}`;
  await post('/v1/webhooks/replicate', body, standard(body));
  const [item] = await settled('replicate', 'r-seed');
  expect(item).toMatchObject({ generation: { seed: '18446744073709551615' } });
});

test('case 95: altered, six minutes off, re-serialised or signed with another secret, a webhook is refused; replayed, it changes nothing', async () => {
  await register('replicate', 'r-95');
  const body = JSON.stringify({ id: 'r-95', status: 'succeeded', output: `${origin.url}/ok/95.png` });
  const headers = standard(body);
  const refusals = [
    [body.replace('succeeded', 'failed'), headers],
    [JSON.stringify(JSON.parse(body), null, 1), headers],
    [body, standard(body, { at: new Date(Date.now() - 360_000) })],
    [body, standard(body, { at: new Date(Date.now() + 360_000) })],
    [body, standard(body, { secret: 'whsec_b3RoZXI=' })],
    [body, { ...headers, 'webhook-signature': 'v1,' }],
    [body, { 'webhook-id': 'x' }],
    [body, {}],
  ] as const;
  for (const [text, signed] of refusals)
    expect((await post('/v1/webhooks/replicate', text, signed)).json()).toMatchObject({
      status: 401,
      code: 'webhook_refused',
    });
  expect(await items('replicate', 'r-95')).toEqual([]);
  expect((await post('/v1/webhooks/replicate', body, headers)).json().state).toBe('accepted');
  const before = await settled('replicate', 'r-95');
  const replay = await post('/v1/webhooks/replicate', body, headers);
  expect([replay.statusCode, replay.json().state]).toEqual([200, 'duplicate']);
  expect((await post('/v1/webhooks/replicate', body, standard(body))).json().state).toBe('accepted');
  expect(await settled('replicate', 'r-95')).toEqual(before);
});

test("FAL's signature is checked against its key set; altered, late or of another account, it is refused", async () => {
  const body = JSON.stringify({
    request_id: 'req-1',
    status: 'OK',
    payload: {
      images: [{ url: `${origin.url}/ok/f.png`, content_type: 'image/png' }],
      seed: 7,
      prompt: 'a boat',
      user_id: 'bob',
    },
  });
  const url = '/v1/webhooks/fal?userId=mallory&jobId=other';
  for (const [text, headers] of [
    [`${body} `, falSigned(body)],
    [body, falSigned(body, { at: Date.now() - 301_000 })],
    [body, falSigned(body, { account: 'stranger' })],
    [body, { ...falSigned(body), 'x-fal-webhook-user-id': 'stranger' }],
    [body, { ...falSigned(body), 'x-fal-webhook-signature': '00' }],
    [body, {}],
  ] as const)
    expect((await post(url, text, headers)).json()).toMatchObject({ status: 401, code: 'webhook_refused' });
  expect((await post(url, body, falSigned(body))).json()).toMatchObject({ state: 'accepted', jobId: 'req-1' });
  expect(await settled('fal', 'req-1')).toMatchObject([
    { userId: 'bob', status: 'success', prompt: 'a boat', generation: { seed: 7 } },
  ]);
});

test('where any account may call, only a registered job is processed, whoever the URL names', async () => {
  const open = await createTestApp({ FAL_JWKS_URL: `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/` });
  try {
    const body = JSON.stringify({ request_id: 'req-open', status: 'OK', payload: { images: [] } });
    const answer = await open.app.inject({
      method: 'POST',
      url: '/v1/webhooks/fal?userId=victim',
      headers: { 'content-type': 'application/json', ...falSigned(body, { account: 'stranger', id: 'req-open' }) },
      payload: body,
    });
    expect([answer.statusCode, answer.json().state]).toEqual([202, 'parked']);
  } finally {
    await open.close();
  }
});

test.each(['', '?secret=wrong', '?secret=', `?secret=${HOOK}x`])(
  'a RunPod webhook with %j is refused',
  async (query) => {
    const answer = await post(`/v1/webhooks/runpod${query}`, JSON.stringify({ id: 'x', status: 'COMPLETED' }));
    expect(answer.json()).toMatchObject({ status: 401, code: 'webhook_refused' });
  },
);

test('without its setting, the webhook of each provider is refused, and the problem names the setting', async () => {
  const bare = await createTestApp();
  try {
    for (const webhook of WEBHOOKS) {
      const provider = webhook.name;
      const setting = hasKeySet(webhook) ? webhook.proof.url.name : webhook.secret.name;
      const answer = await bare.app.inject({
        method: 'POST',
        url: `/v1/webhooks/${provider}?secret=`,
        payload: { id: 'x' },
      });
      expect(answer.json()).toMatchObject({ status: 401, detail: expect.stringContaining(setting) });
    }
  } finally {
    await bare.close();
  }
});

test('the owner is the one named in the body, else the one of the registered job, else the one in the URL', async () => {
  await register('runpod', 'o-1', {}, 'alice');
  const output = { images: [{ filename: 'a.png', type: 'base64', data: base64(1) }] };
  await runpod({ id: 'o-1', status: 'COMPLETED', output }, '&userId=carol');
  await runpod({ id: 'o-2', status: 'COMPLETED', user_id: 'bob', output }, '&userId=carol');
  await runpod({ id: 'o-3', status: 'COMPLETED', output }, '&userId=carol');
  const owners = await Promise.all(
    ['o-1', 'o-2', 'o-3'].map(async (id) => (await settled('runpod', id))[0]?.['userId']),
  );
  expect(owners).toEqual(['alice', 'bob', 'carol']);
});

test('the webhook of an unknown job is parked, and processed when the job is registered', async () => {
  const answer = await runpod({
    id: 'p-1',
    status: 'COMPLETED',
    output: { images: [{ filename: 'p.png', type: 'base64', data: base64(2) }] },
  });
  expect([answer.statusCode, answer.json()]).toEqual([
    202,
    { received: true, state: 'parked', jobId: 'p-1', items: [], ignored: [] },
  ]);
  const registered = await register('runpod', 'p-1', { toolName: 'late' });
  expect([registered.statusCode, registered.json().status]).toEqual([201, 'succeeded']);
  expect(await settled('runpod', 'p-1')).toMatchObject([
    { status: 'success', userId: 'alice', toolName: 'late', filename: 'p.png', sha256: expect.any(String) },
  ]);
});

test('a large body goes to a store, and its output is read from there and stored', async () => {
  const large = Buffer.concat([png(4, 4, 3), Buffer.alloc(200_000)]).toString('base64');
  await register('runpod', 'l-1');
  await runpod({
    id: 'l-1',
    status: 'COMPLETED',
    output: { images: [{ type: 'base64', filename: 'l.png', data: large }] },
  });
  const row = await t.deps.db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('job_id', '=', 'l-1')
    .executeTakeFirstOrThrow();
  expect(row).toMatchObject({
    body: null,
    body_store: 'local',
    body_key: expect.stringMatching(/^webhooks\/runpod\//),
  });
  expect((await stat(path.join(t.volume, row.body_key ?? ''))).size).toBeGreaterThan(200_000);
  expect(await settled('runpod', 'l-1')).toMatchObject([{ status: 'success', bytes: png(4, 4, 3).length + 200_000 }]);
});

test('progress never overwrites a later state, and never goes back', async () => {
  await register('generation', 'g-1');
  const tell = (body: object) =>
    post(`/v1/webhooks/generation?secret=${HOOK}`, JSON.stringify({ job_id: 'g-1', ...body }));
  await tell({ status: 'IN_PROGRESS', progress: 40 });
  await tell({ status: 'IN_PROGRESS', progress: 20 });
  expect(await job('generation', 'g-1')).toMatchObject({ status: 'running', progress: 40 });
  await tell({ status: 'COMPLETED', progress: 100, resultUrls: [`${origin.url}/ok/g.png`] });
  await tell({ status: 'IN_PROGRESS', progress: 60 });
  await tell({ status: 'IN_QUEUE' });
  expect(await job('generation', 'g-1')).toMatchObject({ status: 'succeeded', progress: 100 });
});

test('a failed job is one failure row with its reason; later outputs replace it', async () => {
  await register('runpod', 'e-1');
  await runpod({ id: 'e-1', status: 'FAILED', error: 'out of memory', delayTime: 5, executionTime: 7 });
  await runpod({ id: 'e-1', status: 'FAILED', error: 'out of memory', delayTime: 5, executionTime: 8 });
  expect(await items('runpod', 'e-1')).toMatchObject([{ status: 'failed', error: 'out of memory', storageUrl: null }]);
  expect(await job('runpod', 'e-1')).toMatchObject({
    status: 'failed',
    error: 'out of memory',
    timings: { executionTime: 8 },
  });
  const [failure] = await items('runpod', 'e-1');
  await runpod({ id: 'e-1', status: 'COMPLETED', output: { message: base64(9) } });
  expect(await settled('runpod', 'e-1')).toMatchObject([{ id: failure?.id, status: 'success', error: null }]);
  expect(await job('runpod', 'e-1')).toMatchObject({ status: 'succeeded', error: null });
});

const chunk = (name: string, salt: number, more: object = {}) => ({
  filename: name,
  subfolder: '',
  type: 'output',
  data: base64(salt),
  ...more,
});
const CHUNKED = (id: string) => [
  {
    job_id: id,
    status: 'IN_PROGRESS',
    progress: 50,
    images: [chunk('a.png', 11, { s3Key: `outputs/alice/${id}-a.png` })],
  },
  { job_id: id, status: 'IN_PROGRESS', progress: 90, images: [chunk('b.png', 12)] },
  {
    job_id: id,
    status: 'COMPLETED',
    progress: 100,
    network_volume_paths: [`/runpod-volume/outputs/alice/${id}-a.png`, { path: `outputs/alice/b.png` }],
    resultUrls: [
      `${origin.url}/view?filename=a.png&subfolder=&type=output`,
      `${origin.url}/view?filename=b.png&subfolder=&type=output`,
    ],
    images: [],
  },
];

test.each([[[0, 1, 2]], [[2, 1, 0]], [[1, 2, 0]], [[0, 1, 2, 0, 2, 1, 2]]])(
  'chunked deliveries in the order %j end in one set of two items',
  async (order) => {
    const id = `c-${order.join('')}`;
    await register('generation', id);
    for (const at of order) {
      const answer = await post(
        `/v1/webhooks/generation?secret=${HOOK}&x=${Math.random()}`,
        JSON.stringify(CHUNKED(id)[at]),
      );
      expect(answer.statusCode).toBe(200);
    }
    const found = await settled('generation', id);
    const hashes = [11, 12].map((salt) =>
      createHash('sha256')
        .update(png(4, 4, salt))
        .digest('hex'),
    );
    expect(new Set(found.map((item) => item['sha256']))).toEqual(new Set(hashes));
    expect(found).toHaveLength(2);
    expect(await job('generation', id)).toMatchObject({ status: 'succeeded', progress: 100 });
  },
);

test('concurrent deliveries of one job end in the same set of items', async () => {
  await register('generation', 'c-all');
  const bodies = CHUNKED('c-all').map((body) => JSON.stringify(body));
  const answers = await Promise.all(
    [...bodies, ...bodies, ...bodies].map((body) => post(`/v1/webhooks/generation?secret=${HOOK}`, body)),
  );
  expect(new Set(answers.map((answer) => answer.statusCode))).toEqual(new Set([200]));
  expect(await settled('generation', 'c-all')).toHaveLength(2);
});

test('an object in the volume becomes an item without being moved, and stays when the item is purged', async () => {
  await mkdir(path.join(t.volume, 'outputs/alice'), { recursive: true });
  const file = path.join(t.volume, 'outputs/alice/made elsewhere.png');
  await writeFile(file, png(8, 7, 44));
  await register('generation', 'v-1');
  await post(
    `/v1/webhooks/generation?secret=${HOOK}`,
    JSON.stringify({
      job_id: 'v-1',
      status: 'COMPLETED',
      network_volume_paths: ['/runpod-volume/outputs/alice/made elsewhere.png'],
    }),
  );
  const [item] = await settled('generation', 'v-1');
  expect(item).toMatchObject({
    status: 'success',
    storageKey: 'outputs/alice/made elsewhere.png',
    storageProvider: 'local',
    width: 8,
    sha256: createHash('sha256')
      .update(png(8, 7, 44))
      .digest('hex'),
  });
  const record = await t.app.inject({ url: `/v1/media/${item?.id}`, headers: asAdmin() });
  expect(record.json().locations).toMatchObject([{ owned: false, state: 'stored' }]);
  const purged = await t.app.inject({ method: 'DELETE', url: `/v1/media/${item?.id}?purge=true`, headers: asAdmin() });
  expect(purged.statusCode).toBe(204);
  expect((await stat(file)).isFile()).toBe(true);
});

test.each([
  '/runpod-volume/../../etc/passwd',
  '/etc/passwd',
  '/runpod-volumes/outputs/a.png',
  '../outputs/a.png',
  '/runpod-volume/.mediakeep-volume',
])('the path %j leads to nothing outside of a store: a failure says what to do', async (named) => {
  const id = `out-${createHash('sha256').update(named).digest('hex').slice(0, 8)}`;
  await register('generation', id);
  const body = JSON.stringify({ job_id: id, status: 'COMPLETED', network_volume_paths: [named] });
  expect((await post(`/v1/webhooks/generation?secret=${HOOK}`, body)).statusCode).toBe(200);
  expect(await settled('generation', id)).toMatchObject([
    { status: 'failed', error: expect.stringContaining('MOUNT_ALIASES') },
  ]);
});

test('stored object first, then base64, then the result URL', async () => {
  await register('generation', 'pri');
  await post(
    `/v1/webhooks/generation?secret=${HOOK}`,
    JSON.stringify({
      job_id: 'pri',
      status: 'COMPLETED',
      network_volume_paths: ['outputs/alice/nowhere.png'],
      resultUrls: [`${origin.url}/ok/never.png`],
      images: [chunk('nowhere.png', 21)],
    }),
  );
  expect(await settled('generation', 'pri')).toMatchObject([
    {
      sha256: createHash('sha256')
        .update(png(4, 4, 21))
        .digest('hex'),
    },
  ]);
  expect(origin.asked).not.toContain('/ok/never.png');
});

test('comfyui-api: one call per image, then the completion; and a custom handler in our generic form', async () => {
  await register('comfyui-api', 'k-1');
  const send = (provider: string, body: object) => {
    const text = JSON.stringify(body);
    return post(`/v1/webhooks/${provider}`, text, standard(text));
  };
  await send('comfyui-api', { event: 'output.complete', id: 'k-1', image: base64(31), filename: 'k1.png' });
  await send('comfyui-api', { event: 'output.complete', id: 'k-1', image: base64(32), filename: 'k2.png' });
  expect(await job('comfyui-api', 'k-1')).toMatchObject({ status: 'succeeded' });
  await send('comfyui-api', {
    type: 'prompt.complete',
    id: 'k-1',
    images: [base64(31), base64(32)],
    filenames: ['k1.png', 'k2.png'],
    timestamp: '2026-11-21T08:00:00Z',
  });
  expect(await settled('comfyui-api', 'k-1')).toHaveLength(2);
  await register('generic', 'n-1');
  await send('generic', { jobId: 'n-1', status: 'running', progress: 10 });
  await send('generic', {
    jobId: 'n-1',
    status: 'succeeded',
    prompt: 'by hand',
    outputs: [{ url: `${origin.url}/ok/n.png`, filename: 'n.png' }, { data: base64(33) }],
  });
  expect(await settled('generic', 'n-1')).toMatchObject([{ prompt: 'by hand' }, { status: 'success' }]);
});

test("a job is found by its provider and id: another provider's registration of the same id does not count", async () => {
  await register('flux-handler', 'x-1', { toolName: 'flux' });
  const body = { job_id: 'x-1', status: 'COMPLETED', resultUrls: [`${origin.url}/ok/x.png`] };
  const answer = await post(`/v1/webhooks/generation?secret=${HOOK}`, JSON.stringify(body));
  expect([answer.statusCode, answer.json().state]).toEqual([202, 'parked']);
  expect(await items('flux-handler', 'x-1')).toEqual([]);
  await register('generation', 'x-1', { toolName: 'own' }, 'bob');
  expect(await settled('generation', 'x-1')).toMatchObject([{ userId: 'bob', toolName: 'own' }]);
});

test('an output that could not be fetched is a failure with its reason, and is fetched on retry', async () => {
  await register('runpod', 'late');
  await runpod({
    id: 'late',
    status: 'COMPLETED',
    output: { images: [{ type: 's3_url', filename: 'late.png', data: `${origin.url}/late/1.png` }] },
  });
  expect(await settled('runpod', 'late')).toMatchObject([{ status: 'failed', error: expect.stringContaining('404') }]);
  origin.late = true;
  const retried = await t.app.inject({ method: 'POST', url: '/v1/jobs/runpod/late/retry', headers: asUser('alice') });
  expect(retried.json()).toMatchObject({ items: [{ status: 'pending', error: null }] });
  expect(await settled('runpod', 'late')).toMatchObject([{ status: 'success' }]);
  expect(
    (await t.app.inject({ method: 'POST', url: '/v1/jobs/runpod/late/retry', headers: asUser('alice') })).json(),
  ).toEqual({
    items: [],
  });
});

test.each([
  ['no JSON', 'nope', 400, 'invalid_json'],
  ['nothing', '', 400, 'invalid_json'],
  ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 400, 'invalid_json'],
  ['no job', '{"status":"COMPLETED"}', 400, 'invalid_request'],
  ['a list', '[]', 400, 'invalid_request'],
  ['a job id that is too long', JSON.stringify({ id: 'a'.repeat(501), status: 'COMPLETED' }), 413, 'too_large'],
])('%s is refused and leaves nothing', async (_name, body, status, code) => {
  const answer = await t.app.inject({
    method: 'POST',
    url: `/v1/webhooks/runpod?secret=${HOOK}`,
    headers: { 'content-type': 'application/json' },
    payload: body,
  });
  expect(answer.json()).toMatchObject({ status, code });
});

test('text that PostgreSQL cannot hold, and keys that reach a prototype, do not cause a webhook to be refused', async () => {
  await register('runpod', 'odd');
  const body = `{"id":"odd","status":"FAILED","error":"bad\\u0000 \\ud800 text","__proto__":{"x":1},"output":{"constructor":{"prototype":1}}}`;
  expect((await post(`/v1/webhooks/runpod?secret=${HOOK}`, body)).statusCode).toBe(200);
  expect(await items('runpod', 'odd')).toMatchObject([{ status: 'failed', error: expect.stringContaining('bad') }]);
});

test('another user’s job cannot be taken over or read', async () => {
  await register('runpod', 'mine', { prompt: 'mine' }, 'alice');
  expect((await register('runpod', 'mine', { prompt: 'theirs' }, 'mallory')).statusCode).toBe(404);
  for (const [method, path] of [
    ['GET', '/v1/jobs/runpod/mine'],
    ['GET', '/v1/jobs/runpod/mine/media'],
    ['POST', '/v1/jobs/runpod/mine/retry'],
  ] as const)
    expect((await t.app.inject({ method, url: path, headers: asUser('mallory') })).statusCode).toBe(404);
});

test.each([
  ['NUL', 'a%00b', 400, 'invalid_text'],
  ['more than 500 characters', 'x'.repeat(501), 400, 'invalid_request'],
])('the registration of a job whose id has %s is refused', async (_name, jobId, status, code) => {
  const url = `/v1/jobs/runpod/${jobId}`;
  const answer = await t.app.inject({ method: 'PUT', url, headers: asUser('alice'), payload: {} });
  expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
});
