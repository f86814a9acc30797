import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Worker, startWorker } from '../../../src/workers/worker.ts';
import { type Origin, startOrigin } from '../../support/origin.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';
import { until } from '../../support/until.ts';

const SECRET = 'whsec_dGhlLXNlY3JldC1vZi10aGUtdGVzdHM=';
let t: TestApp;
let origin: Origin;
let worker: Worker;
beforeAll(async () => {
  origin = await startOrigin();
  t = await createTestApp({ FETCH_TRUSTED_HOSTS: '127.0.0.1', WEBHOOK_SECRET_GENERIC: SECRET });
  worker = startWorker(t.deps, { connectionString: t.connectionString, concurrency: 2 });
});
afterAll(async () => {
  await worker.stop();
  expect(t.logged()).not.toContain(SECRET);
  await t.close();
  origin.close();
});

/** A call of a provider that cannot sign: its address bears the secret, and may name the owner. */
const callBack = (body: object) =>
  t.app.inject({
    method: 'POST',
    url: `/v1/webhooks/generic?secret=${SECRET}&userId=ann`,
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(body),
  });
const get = async (url: string) => (await t.app.inject({ url, headers: asUser('ann') })).json();

interface Stored {
  status: string;
  error: string | null;
}
async function settled(jobId: string): Promise<Stored[]> {
  let items: Stored[] = [];
  await until(async () => {
    ({ items } = (await get(`/v1/jobs/generic/${jobId}/media`)) as { items: Stored[] });
    return items.every(({ status }) => status !== 'pending');
  });
  return items;
}

test('callbacks of providers that are not named here become items, through an address with a secret', async () => {
  const url = (name: string) => `${origin.url}/ok/${name}`;
  const calls: [jobId: string, body: object, outputs: number][] = [
    ['bfl', { task_id: 'bfl', status: 'SUCCESS', result: { sample: url('b.png'), seed: 42 } }, 1],
    [
      'luma',
      {
        id: 'luma',
        state: 'completed',
        assets: { image: url('l.png') },
        request: { image_ref: [{ url: url('in.png') }] },
      },
      1,
    ],
    [
      'kling',
      {
        task_id: 'kling',
        task_status: 'succeed',
        task_result: {
          images: [
            { index: 0, url: url('k0.png') },
            { index: 1, url: url('k1.png') },
          ],
        },
      },
      2,
    ],
    [
      'leonardo',
      {
        type: 'image_generation.complete',
        data: { object: { id: 'leonardo', status: 'COMPLETE', images: [{ url: url('o.png') }], apiCreditCost: 8 } },
      },
      1,
    ],
  ];
  for (const [jobId, body, outputs] of calls) {
    const answer = await callBack(body);
    expect([jobId, answer.statusCode, answer.json().items.length]).toEqual([jobId, 200, outputs]);
    expect((await settled(jobId)).map(({ status }) => status)).toEqual(Array(outputs).fill('success'));
    expect(await get(`/v1/jobs/generic/${jobId}`)).toMatchObject({ status: 'succeeded' });
  }
  expect((await callBack(calls[1]?.[1] ?? {})).json()).toMatchObject({ state: 'duplicate' });
});

test('a job goes on until its provider says that it has ended, and then fails with the reason of the provider', async () => {
  await callBack({ id: 'w', status: 'THROTTLED' });
  expect(await get('/v1/jobs/generic/w')).toMatchObject({ status: 'queued' });
  const early = await callBack({
    id: 'w',
    status: 'RUNNING',
    progress: 0.4,
    preview_url: `${origin.url}/ok/early.png`,
  });
  expect(early.json()).toMatchObject({ items: [], ignored: [{ reason: 'The work is not finished.' }] });
  expect(await get('/v1/jobs/generic/w')).toMatchObject({ status: 'running', progress: 40 });
  await callBack({ id: 'w', status: 'FAILED', failure: 'Failure to pass the risk control', failureCode: 'SAFETY' });
  expect(await get('/v1/jobs/generic/w')).toMatchObject({ status: 'failed', errorClass: 'SAFETY' });
  expect(await settled('w')).toMatchObject([{ status: 'failed', error: 'Failure to pass the risk control' }]);
});

test('a wrong secret is refused', async () => {
  const answer = await t.app.inject({
    method: 'POST',
    url: '/v1/webhooks/generic?secret=guess&userId=ann',
    headers: { 'content-type': 'application/json' },
    payload: '{"id":"x","status":"done"}',
  });
  expect([answer.statusCode, answer.json().code]).toEqual([401, 'webhook_refused']);
});
