// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeComfy, startFakeComfy } from '../support/fake-comfyui.ts';
import { type Origin, startOrigin } from '../support/origin.ts';
import { bigPng, multipart, png } from '../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let origin: Origin;
let comfy: FakeComfy;
const places: Record<string, Place> = {};
beforeAll(async () => {
  origin = await startOrigin();
  comfy = await startFakeComfy();
  t = await createTestApp({ FETCH_TRUSTED_HOSTS: '127.0.0.1', COMFYUI_URL: comfy.url });
  for (const user of ['alice', 'bob']) {
    const { runId } = (await post('/v1/runs', user, { payload: { inputText: user } })).json();
    places[user] = { run: `/v1/runs/${runId}`, project: `/v1/projects/${randomUUID()}/scenes` };
  }
});
afterAll(async () => {
  await t.close();
  origin.close();
  await comfy.close();
});

/** An endpoint and a target that only its owner may store into. */
interface Place {
  run: string;
  project: string;
}
interface Request {
  payload: object | Buffer;
  headers?: Record<string, string>;
}

const post = (url: string, user: string, { payload, headers }: Request, key?: string) =>
  t.app.inject({
    method: 'POST',
    url,
    headers: { ...asUser(user), ...headers, ...(key !== undefined && { 'idempotency-key': key }) },
    payload,
  });

const data = (salt: number) => png(2, 2, salt).toString('base64');
const promptId = (salt: number) => `a1b2c3d4-0000-4000-8000-${String(salt).padStart(12, '0')}`;
const json = (salt: number): Request => ({ payload: { source: { type: 'base64', data: data(salt) } } });
const raw = (salt: number): Request => ({ payload: png(2, 2, salt), headers: { 'content-type': 'image/png' } });
const form = (salt: number): Request =>
  multipart([{ name: 'file', filename: 'a.png', type: 'image/png', value: png(2, 2, salt) }]);
const address = (salt: number): Request => ({ payload: { source: { type: 'url', url: `${origin.url}/ok/${salt}` } } });
const external = (salt: number): Request => ({
  payload: { source: { type: 'external', storageUrl: `https://a.example/${salt}`, storageProvider: 'elsewhere' } },
});
const failure = (salt: number): Request => ({ payload: { status: 'failed', error: `error ${salt}` } });
const batch = (salt: number): Request => ({ payload: { items: [json(salt).payload] } });
const scenes = (salt: number): Request => ({ payload: { items: [{ sceneId: 's', ...json(salt).payload }] } });
const answer = (salt: number): Request => ({ payload: { response: { data: [{ b64_json: data(salt) }] } } });
/** Each is the answer of another job. */
const answerOfJob = (salt: number): Request => ({
  payload: { response: { id: `job-${salt}`, status: 'succeeded', output: [`data:image/png;base64,${data(salt)}`] } },
});
/** The same job with another output. */
const laterAnswer = (salt: number): Request => ({
  payload: { jobId: 'the-job', response: { status: 'succeeded', output: [`data:image/png;base64,${data(salt)}`] } },
});
/** A running prompt: the response is 202 with its job. */
const promptOfRun = (salt: number): Request => ({ payload: { source: { type: 'comfyui', promptId: promptId(salt) } } });
const prompt = (salt: number): Request => ({ payload: { response: { promptId: promptId(salt) } } });

type Transport = readonly [name: string, url: (place: Place) => string, request: (salt: number) => Request];
const TRANSPORTS: readonly Transport[] = [
  ['JSON with base64', () => '/v1/media', json],
  ['JSON with a URL', () => '/v1/media', address],
  ['an external record', () => '/v1/media', external],
  ['a failed generation', () => '/v1/media', failure],
  ['a raw body', () => '/v1/media', raw],
  ['a form', () => '/v1/media', form],
  ['a batch', () => '/v1/batches', batch],
  ['a new run', () => '/v1/runs', (salt) => ({ payload: { inputText: `text ${salt}` } })],
  ['media of a run, as JSON', ({ run }) => `${run}/media`, json],
  ['media of a run, as a raw body', ({ run }) => `${run}/media`, raw],
  ['media of a run, as a form', ({ run }) => `${run}/media`, form],
  ['a scene, as JSON', ({ project }) => `${project}/json`, json],
  ['a scene, as a raw body', ({ project }) => `${project}/raw`, raw],
  ['a scene, as a form', ({ project }) => `${project}/form`, form],
  ['versions of several scenes', ({ project }) => project, scenes],
  ['an import', () => '/v1/import/openai', answer],
  ['an import that names its job', () => '/v1/import/replicate', answerOfJob],
  ['a prompt of ComfyUI', () => '/v1/import/comfyui', prompt],
  ['media of a run, as a prompt of ComfyUI', ({ run }) => `${run}/media`, promptOfRun],
  ['another answer of one job', () => '/v1/import/replicate', laterAnswer],
];

interface Outcome {
  status: number;
  code: string | undefined;
  /** Of the item, the run or the job. */
  id: string | undefined;
}

/** The outcome of a request's only item, alone or in a list. */
async function outcome([, url, request]: Transport, user: string, key: string, salt: number): Promise<Outcome> {
  const response = await post(url(places[user] as Place), user, request(salt), key);
  const body = response.json();
  const [result] = body.results ?? [];
  const item = result ? result.item : (body.items?.[0] ?? body);
  return {
    status: result?.status ?? response.statusCode,
    code: result ? result.problem?.code : body.code,
    id: item?.id ?? item?.runId ?? body.job?.jobId,
  };
}

const countItems = async () => (await t.app.inject({ url: '/v1/stats', headers: asAdmin() })).json().total as number;

test.each(TRANSPORTS)(
  'case 91: the idempotency key of %s with another body is refused, and nothing is stored',
  async (...transport) => {
    const key = `other-body-${transport[0].replaceAll(' ', '-')}`;
    const first = await outcome(transport, 'alice', key, 1);
    expect(first.status).toBeLessThan(300);
    expect(await outcome(transport, 'alice', key, 1)).toEqual(first);
    const before = await countItems();
    expect(await outcome(transport, 'alice', key, 2)).toMatchObject({ status: 422, code: 'idempotency_mismatch' });
    expect(await countItems()).toBe(before);
    // The key still stands for what was stored under it.
    expect(await outcome(transport, 'alice', key, 1)).toEqual(first);
  },
);

test.each(TRANSPORTS)(
  'case 91: the idempotency key of %s is another key in the hands of another user',
  async (...transport) => {
    const key = `other-user-${transport[0].replaceAll(' ', '-')}`;
    const first = await outcome(transport, 'alice', key, 11);
    const other = await outcome(transport, 'bob', key, 12);
    expect(first.status).toBeLessThan(300);
    expect(other.status).toBe(first.status);
    expect(other.id).not.toBe(first.id);
    expect(await outcome(transport, 'bob', key, 12)).toEqual(other);
    expect(await outcome(transport, 'alice', key, 11)).toEqual(first);
  },
);

test('case 91: one key in two transports is two contents, and the second is refused', async () => {
  expect((await post('/v1/media', 'alice', json(21), 'two-ways')).statusCode).toBe(201);
  expect((await post('/v1/media', 'alice', raw(22), 'two-ways')).json()).toMatchObject({
    status: 422,
    code: 'idempotency_mismatch',
  });
});

test('case 93: twenty concurrent uploads of one file name are twenty items with twenty keys, each with its own bytes', async () => {
  const files = Array.from({ length: 20 }, (_value, salt) => bigPng(70_000, salt));
  const answers = await Promise.all(
    files.map((value, index) => {
      const sent: Request =
        index % 2 === 0
          ? { payload: value, headers: { 'content-type': 'image/png' } }
          : multipart([{ name: 'file', filename: 'same.png', type: 'image/png', value }]);
      return post('/v1/media?filename=same.png&subfolder=twenty', 'alice', sent);
    }),
  );
  const items = answers.map((response) => response.json());
  expect(answers.map(({ statusCode }) => statusCode)).toEqual(files.map(() => 201));
  expect(items.map(({ filename }) => filename)).toEqual(files.map(() => 'same.png'));
  for (const field of ['id', 'storageKey', 'storageUrl'])
    expect(new Set(items.map((item) => item[field])).size, field).toBe(20);
  for (const [index, { id, storageKey }] of items.entries()) {
    const sha256 = createHash('sha256')
      .update(files[index] as Buffer)
      .digest('hex');
    for (const url of [`/v1/media/${id}/content`, `/uploads/${storageKey}`]) {
      const { rawPayload } = await t.app.inject({ url, headers: asUser('alice') });
      expect(createHash('sha256').update(rawPayload).digest('hex'), url).toBe(sha256);
    }
  }
});
