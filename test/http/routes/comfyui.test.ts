import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { storePrompt } from '../../../src/domain/jobs/comfyui.ts';
import { pollPrompt } from '../../../src/domain/jobs/poll-comfyui.ts';
import { fetchPending } from '../../../src/domain/pending/fetch-pending.ts';
import { type Worker, startWorker } from '../../../src/workers/worker.ts';
import { AUDIO } from '../../media/made-audio.ts';
import { VIDEOS } from '../../media/made-video.ts';
import { type FakeComfy, type FakeOutputs, startFakeComfy } from '../../support/fake-comfyui.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let comfy: FakeComfy;
let t: TestApp;
let workers: Worker[];
beforeEach(async () => {
  comfy = await startFakeComfy();
  workers = [];
  t = await createTestApp({ COMFYUI_URL: `${comfy.url}/`, COMFYUI_DEADLINE_SECONDS: '60', DATABASE_POOL_MAX: '10' });
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await t.close();
  await comfy.close();
});

interface Item {
  id: string;
  status: string;
  sha256: string;
  storageKey: string;
  filename: string;
  mimeType: string;
  error: string;
  generation: Record<string, unknown>;
}
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const made = (list: { ext: string; file: Uint8Array }[], ext: string) =>
  Buffer.from(list.find((each) => each.ext === ext)?.file ?? []);
const WAV = made(AUDIO, 'wav');
const MP4 = made(VIDEOS, 'mp4');
const GLTF = Buffer.from('{"asset":{"version":"2.0"}}');
const post = (url: string, payload: object, headers = asUser('a')) =>
  t.app.inject({ method: 'POST', url, headers, payload });
const begin = async () => (await post('/v1/runs', { inputText: 'a red fox' })).json().runId as string;
const addPrompt = (runId: string, promptId: string, headers = asUser('a')) =>
  post(`/v1/runs/${runId}/media`, { source: { type: 'comfyui', promptId }, toolName: 'paint' }, headers);
const itemsOf = async (runId: string): Promise<Item[]> =>
  (await t.app.inject({ url: `/v1/runs/${runId}`, headers: asUser('a') })).json().items;
const metadata = async (runId: string) =>
  JSON.parse(await readFile(path.join(t.volume, 'runs', runId, 'metadata.json'), 'utf8'));
const due = () => sql`UPDATE generation_jobs SET poll_at = now() WHERE poll_at IS NOT NULL`.execute(t.deps.db);
const late = () =>
  sql`UPDATE generation_jobs SET poll_at = now(), poll_until = now() WHERE poll_at IS NOT NULL`.execute(t.deps.db);
const start = () => workers.push(startWorker(t.deps, { connectionString: t.connectionString, concurrency: 2 }));
async function until(condition: () => Promise<boolean>, seconds = 20): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${JSON.stringify(await whatWaits())}`);
    await sleep(50);
  }
}
/** Unfinished work of the workers, and why. */
async function whatWaits(): Promise<unknown> {
  const fetches = await sql`SELECT media_id, attempts, next_attempt_at - now() AS due, last_error FROM fetches`.execute(
    t.deps.db,
  );
  const polls = await sql`SELECT status, poll_at - now() AS due FROM generation_jobs`.execute(t.deps.db);
  const jobs = await sql`
    SELECT task_identifier, attempts, run_at - now() AS due, locked_at, last_error FROM graphile_worker.jobs`.execute(
    t.deps.db,
  );
  return { fetches: fetches.rows, polls: polls.rows, jobs: jobs.rows };
}

/** Every kind of output, equal names in several folders, previews, and entries that are no files. */
const ALL: FakeOutputs = {
  '9': {
    images: [
      { filename: 'fox_00001_.png', bytes: png(1, 1, 1) },
      { filename: 'fox_00001_.png', subfolder: 'a', bytes: png(1, 1, 2) },
      { filename: 'fox_00001_.png', subfolder: 'b/c d', bytes: png(1, 1, 3) },
      { filename: 'preview.png', type: 'temp', bytes: png(1, 1, 4) },
    ],
    animated: [true],
  },
  '12': { gifs: [{ filename: 'fox.mp4', bytes: MP4 }] },
  '13': { audio: [{ filename: 'fox.wav', subfolder: 'audio', bytes: WAV }], text: ['a caption'] },
  '14': { '3d': [{ filename: 'mesh.gltf', subfolder: '3d', bytes: GLTF }] },
  '15': { latents: [{ filename: 'fox.latent', bytes: Buffer.from('no media') }] },
  '16': { images: [{ filename: 'fox_00001_.png', subfolder: 'd', bytes: png(1, 1, 5) }] },
};
const FILES = [png(1, 1, 1), png(1, 1, 2), png(1, 1, 3), MP4, WAV, GLTF, png(1, 1, 5)];

test('all outputs of all nodes of a finished prompt are stored at once, in the folder of the run', async () => {
  const runId = await begin();
  const promptId = comfy.queue();
  comfy.finish(promptId, ALL);
  const response = await addPrompt(runId, promptId);
  expect(response.statusCode).toBe(201);
  const { items } = response.json() as { items: Item[] };
  expect(items.map((item) => item.status)).toEqual(FILES.map(() => 'success'));
  expect(items.map((item) => item.sha256).toSorted()).toEqual(FILES.map(sha256).toSorted());
  expect(items.map((item) => path.posix.basename(item.storageKey)).toSorted()).toEqual([
    'output_audio.wav',
    'output_image.png',
    'output_image_2.png',
    'output_image_3.png',
    'output_image_4.png',
    'output_model.gltf',
    'output_video.mp4',
  ]);
  expect(items[0]).toMatchObject({
    userId: 'a',
    runId,
    jobId: promptId,
    provider: 'comfyui',
    toolName: 'paint',
    prompt: 'a red fox',
    model: 'sd35_large.safetensors',
    filename: 'fox_00001_.png',
    generation: { seed: 7, steps: 20, negativePrompt: 'blurry', node: '9' },
  });
  expect((await metadata(runId)).outputs).toHaveLength(7);
  // Repeated, by the name alone, and after ComfyUI has forgotten it, they are the same items.
  const again = await post(`/v1/runs/${runId}/media`, { output: promptId });
  expect(again.json().items.map((item: Item) => item.id)).toEqual(items.map((item) => item.id));
  comfy.forget(promptId);
  const forgotten = await addPrompt(runId, promptId);
  expect([forgotten.statusCode, forgotten.json().items.length]).toEqual([201, 7]);
  expect(await itemsOf(runId)).toHaveLength(7);
});

test('for a running prompt the response is its job; a worker stores its outputs into the run, even a completed one', async () => {
  start();
  const runId = await begin();
  const promptId = comfy.queue();
  const response = await addPrompt(runId, promptId);
  expect([response.statusCode, response.json()]).toEqual([
    202,
    { items: [], job: { provider: 'comfyui', jobId: promptId } },
  ]);
  await post(`/v1/runs/${runId}/complete`, {});
  const job = `/v1/jobs/comfyui/${promptId}`;
  expect((await t.app.inject({ url: job, headers: asUser('a') })).json().status).toBe('queued');
  comfy.finish(promptId, ALL);
  await until(async () => (await itemsOf(runId)).filter((item) => item.status === 'success').length === 7);
  expect((await itemsOf(runId)).map((item) => item.sha256).toSorted()).toEqual(FILES.map(sha256).toSorted());
  expect((await t.app.inject({ url: job, headers: asUser('a') })).json()).toMatchObject({
    status: 'succeeded',
    progress: 100,
  });
  // A worker comes within half a minute.
  await until(async () => (await metadata(runId)).outputs.length === 7, 45);
  expect((await addPrompt(runId, comfy.queue())).json().code).toBe('run_completed');
}, 90_000);

test('polls have growing pauses, and end with the deadline: one failure says that the prompt has not ended', async () => {
  const runId = await begin();
  const promptId = comfy.queue();
  await addPrompt(runId, promptId);
  expect(await pollPrompt(t.deps)).toBeUndefined();
  await due();
  expect(await pollPrompt(t.deps)).toBe('later');
  const pause = async () =>
    Number(
      (
        await sql<{
          seconds: number;
        }>`SELECT extract(epoch FROM poll_at - now())::float8 AS seconds FROM generation_jobs`.execute(t.deps.db)
      ).rows[0]?.seconds,
    );
  expect(await pause()).toBeLessThan(2);
  await sql`UPDATE generation_jobs SET poll_at = now(), poll_until = now() + interval '20 seconds'`.execute(t.deps.db);
  await pollPrompt(t.deps);
  expect(await pause()).toBeGreaterThan(5);
  await late();
  expect(await pollPrompt(t.deps)).toBe('ended');
  expect(await itemsOf(runId)).toMatchObject([
    {
      status: 'failed',
      error: expect.stringContaining('had not ended after 60 s: ComfyUI knows nothing of it'),
      toolName: 'paint',
    },
  ]);
  expect(await pollPrompt(t.deps)).toBeUndefined();
  expect((await metadata(runId)).records).toMatchObject([{ status: 'failed' }]);
  // It has ended after all: the failure becomes its output.
  comfy.finish(promptId, { '9': { images: [{ filename: 'a.png', bytes: png() }] } });
  expect((await addPrompt(runId, promptId)).json().items).toMatchObject([{ status: 'success', error: null }]);
  expect(await itemsOf(runId)).toHaveLength(1);
});

test('a failed prompt becomes a failure with the node and its message, besides its earlier outputs', async () => {
  const runId = await begin();
  const error = { node: '3', kind: 'KSampler', message: 'CUDA out of memory' };
  const first = comfy.queue();
  comfy.fail(first, error);
  const told = 'node 3 (KSampler): CUDA out of memory';
  expect((await addPrompt(runId, first)).json().items).toMatchObject([{ status: 'failed', error: told, jobId: first }]);
  const second = comfy.queue();
  await addPrompt(runId, second);
  comfy.fail(second, error, { '8': { images: [{ filename: 'early.png', bytes: png(1, 1, 9) }] } });
  await due();
  expect(await pollPrompt(t.deps)).toBe('ended');
  await fetchPending(t.deps, { atHand: false });
  const items = (await itemsOf(runId)).slice(1);
  expect(items.map((item) => [item.status, item.error])).toEqual([
    ['success', null],
    ['failed', told],
  ]);
  await addPrompt(runId, first);
  await addPrompt(runId, second);
  expect(await itemsOf(runId)).toHaveLength(3);
  const failures = await t.app.inject({ url: `/v1/failures?jobId=${second}`, headers: asUser('a') });
  expect(failures.json().items).toHaveLength(1);
});

test('a prompt without storable outputs is a failure that says so', async () => {
  const runId = await begin();
  const promptId = comfy.queue();
  comfy.finish(promptId, {
    '15': { latents: [{ filename: 'fox.latent', bytes: Buffer.from('x') }] },
    '1': { text: ['hi'] },
  });
  expect((await addPrompt(runId, promptId)).json().items).toMatchObject([
    { status: 'failed', error: 'The prompt ended without an output that could be kept.' },
  ]);
});

test.each(['500', 'html'] as const)('ComfyUI that answers %s is polled again, and nothing is lost', async (trouble) => {
  const runId = await begin();
  const promptId = comfy.queue();
  comfy.finish(promptId, { '9': { images: [{ filename: 'a.png', bytes: png() }] } });
  comfy.trouble = trouble;
  expect((await addPrompt(runId, promptId)).statusCode).toBe(202);
  await due();
  expect(await pollPrompt(t.deps)).toBe('later');
  comfy.trouble = undefined;
  await due();
  expect(await pollPrompt(t.deps)).toBe('ended');
  await fetchPending(t.deps, { atHand: false });
  expect(await itemsOf(runId)).toMatchObject([{ status: 'success' }]);
});

test('a poll that hangs is given up after a while', async () => {
  const { createComfyClient } = await import('../../../src/sources/comfyui/client.ts');
  const client = createComfyClient({
    url: comfy.url,
    maxBytes: 1000,
    timeoutMs: 200,
    deadlineSeconds: 60,
    historyTimeoutMs: 200,
  });
  comfy.trouble = 'hang';
  await expect(client.history('x')).rejects.toMatchObject({ code: 'fetch_failed' });
  comfy.trouble = undefined;
  expect(await client.history('x')).toEqual({});
  await client.close();
});

test('an output that is unavailable at the moment stays pending and is fetched later; one that is gone has failed', async () => {
  const runId = await begin();
  const promptId = comfy.queue();
  comfy.finish(promptId, {
    '9': { images: [{ filename: 'a.png', bytes: png(1, 1, 1) }, { filename: 'gone.png' }] },
  });
  comfy.busyViews = 1;
  const { items } = (await addPrompt(runId, promptId)).json() as { items: Item[] };
  expect(items.map((item) => item.status)).toEqual(['pending', 'failed']);
  await sql`UPDATE fetches SET next_attempt_at = now()`.execute(t.deps.db);
  await fetchPending(t.deps, { atHand: false });
  expect(await itemsOf(runId)).toMatchObject([{ status: 'success' }, { status: 'failed' }]);
});

test("the bytes determine a file's type, whatever ComfyUI claims", async () => {
  const runId = await begin();
  const promptId = comfy.queue();
  comfy.viewType = 'text/html';
  comfy.finish(promptId, {
    '9': {
      images: [
        { filename: 'a.png', bytes: png(1, 1, 1) },
        { filename: 'page.png', bytes: Buffer.from('<html>no picture</html>') },
      ],
    },
  });
  const { items } = (await addPrompt(runId, promptId)).json() as { items: Item[] };
  expect(items.map((item) => [item.status, item.mimeType])).toEqual([
    ['success', 'image/png'],
    ['failed', null],
  ]);
});

test.each(['../queue', 'a/b', 'a b', 'ü', '.', '%2e%2e', 'x'.repeat(201), '?x=1', 'a#b'])(
  'a prompt id like %j never reaches ComfyUI',
  async (promptId) => {
    const runId = await begin();
    const response = await addPrompt(runId, promptId);
    expect(response.json()).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(comfy.asked).toEqual([]);
  },
);

test('file names are escaped in requests to ComfyUI', async () => {
  const runId = await begin();
  const promptId = comfy.queue();
  const name = 'a&type=input#?é ü.png';
  comfy.finish(promptId, { '9': { images: [{ filename: name, subfolder: '../x&y', bytes: png() }] } });
  expect((await addPrompt(runId, promptId)).json().items).toMatchObject([{ status: 'success', filename: name }]);
});

test("a prompt belongs to the first user who claims it, and ComfyUI's host is trusted for nothing else", async () => {
  const runId = await begin();
  const promptId = comfy.queue();
  await addPrompt(runId, promptId);
  const stranger = (await post('/v1/runs', { inputText: 'x' }, asUser('b'))).json().runId as string;
  expect((await addPrompt(stranger, promptId, asUser('b'))).statusCode).toBe(404);
  comfy.finish(promptId, { '9': { images: [{ filename: 'a.png', bytes: png() }] } });
  expect((await addPrompt(stranger, promptId, asUser('b'))).statusCode).toBe(404);
  const url = `${comfy.url}/view?filename=a.png&subfolder=&type=output`;
  expect((await post('/v1/media', { source: { type: 'url', url } })).json().code).toBe('url_not_allowed');
  const imported = await post('/v1/import/openai', { response: { data: [{ url }] } });
  expect(imported.json().items[0]).toMatchObject({ status: 'failed' });
});

test('POST /v1/import/comfyui accepts a prompt id, the response of POST /prompt, and a history', async () => {
  const url = '/v1/import/comfyui';
  const image = (salt: number): FakeOutputs => ({
    '9': { images: [{ filename: `${salt}.png`, bytes: png(1, 1, salt) }] },
  });
  const [one, two, three] = [comfy.queue(), comfy.queue(), comfy.queue()];
  comfy.finish(one, image(1));
  expect((await post(url, { response: { promptId: one } })).json().items).toMatchObject([
    { sha256: sha256(png(1, 1, 1)) },
  ]);
  const running = await post(url, { response: { prompt_id: two, number: 3, node_errors: {} } });
  expect([running.statusCode, running.json().job]).toEqual([202, { provider: 'comfyui', jobId: two }]);
  comfy.finish(three, image(3));
  const history = await (await fetch(`${comfy.url}/history/${three}`)).json();
  const verbatim = await post(url, { response: history as object });
  expect(verbatim.json().items).toMatchObject([{ sha256: sha256(png(1, 1, 3)), jobId: three }]);
  const [entry] = Object.values(history as object);
  expect((await post(url, { response: entry })).json().items).toEqual(verbatim.json().items);
  // comfyui-api's answers are still read as before.
  const api = await post(url, { response: { id: 'x-1', images: [png(1, 1, 8).toString('base64')], stats: {} } });
  expect(api.json().items).toMatchObject([{ status: 'success', jobId: 'x-1' }]);
});

test("names in a user's history give no access to other users' files; a service's history is trusted", async () => {
  const url = '/v1/import/comfyui';
  const victim = comfy.queue();
  comfy.finish(victim, { '9': { images: [{ filename: 'victim.png', bytes: png(1, 1, 66) }] } });
  const forged = {
    'made-up': {
      prompt: [0, 'made-up', {}, {}, []],
      outputs: { '9': { images: [{ filename: 'victim.png', subfolder: '', type: 'output' }] } },
      status: { status_str: 'success', completed: true },
    },
  };
  const response = await post(url, { response: forged }, asUser('thief'));
  expect([response.statusCode, response.json().items]).toEqual([202, []]);
  const service = await post(url, { userId: 'b', response: { other: { ...forged['made-up'] } } }, asAdmin());
  expect(service.json().items).toMatchObject([{ sha256: sha256(png(1, 1, 66)) }]);
});

test('without COMFYUI_URL the caller is told which setting is missing', async () => {
  await t.close();
  t = await createTestApp();
  const runId = await begin();
  expect((await addPrompt(runId, 'x')).json().detail).toContain('COMFYUI_URL');
});

test('a caller that leaves while ComfyUI is asked leaves no job behind', async () => {
  comfy.trouble = 'hang';
  const leaving = new AbortController();
  const gone = new Error('the client went away');
  const caller = { sub: 'a', scopes: new Set(['media:read', 'media:write'] as const) };
  const prompt = { caller, promptId: comfy.queue(), input: {}, signal: leaving.signal };
  const storing = storePrompt(t.deps, prompt);
  storing.catch(() => {});
  await until(async () => comfy.asked.length > 0);
  leaving.abort(gone);
  await expect(storing).rejects.toThrow();
  expect(await t.deps.db.selectFrom('generation_jobs').select('job_id').execute()).toEqual([]);
});
