import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Worker, startWorker } from '../../../src/workers/worker.ts';
import { type Origin, startOrigin } from '../../support/origin.ts';
import { wav } from '../../media/made-audio.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';
import { until } from '../../support/until.ts';

const HOOK = 'secret-of-the-address';
let t: TestApp;
let origin: Origin;
let worker: Worker;
beforeAll(async () => {
  origin = await startOrigin();
  t = await createTestApp({
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    LOCAL_MOUNT_ALIASES: '/runpod-volume',
    WEBHOOK_SECRET_RUNPOD: HOOK,
  });
  worker = startWorker(t.deps, { connectionString: t.connectionString, concurrency: 2 });
});
afterAll(async () => {
  await worker.stop();
  await t.close();
  origin.close();
});

const get = (url: string, headers: Record<string, string> = asUser('alice')) => t.app.inject({ url, headers });
const post = (url: string, payload: object, headers: Record<string, string> = {}) =>
  t.app.inject({ method: 'POST', url, headers, payload });
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
async function onVolume(key: string, bytes: Buffer): Promise<void> {
  await mkdir(path.dirname(path.join(t.volume, key)), { recursive: true });
  await writeFile(path.join(t.volume, key), bytes);
}
const images = async (query = '', headers = asUser('alice')) =>
  (await get(`/api/images${query}`, headers)).json().images as {
    id: string;
    status: string;
    [name: string]: unknown;
  }[];
const settled = (query: string, count: number) =>
  until(async () => {
    const found = await images(query);
    return found.length === count && found.every((image) => image.status === 'success') && found;
  });

test("the first system's handler: images on the network volume, reported by a RunPod webhook, listed and served from there", async () => {
  await onVolume('outputs/alice/image_001.png', png(5, 5, 1));
  await onVolume('outputs/alice/subfolder/image_003.png', png(5, 5, 3));
  const told = await post(`/api/webhooks/runpod?secret=${HOOK}`, {
    job_id: 't2i-1',
    status: 'COMPLETED',
    user_id: 'alice',
    network_volume_paths: [
      '/runpod-volume/outputs/alice/image_001.png',
      { filename: 'image_003.png', path: '/runpod-volume/outputs/alice/subfolder/image_003.png' },
    ],
  });
  expect([told.statusCode, told.json().state]).toEqual([200, 'accepted']);
  const found = await settled('?jobId=t2i-1', 2);
  expect(found.map((image) => String(image['networkVolumePath'])).toSorted()).toEqual([
    '/runpod-volume/outputs/alice/image_001.png',
    '/runpod-volume/outputs/alice/subfolder/image_003.png',
  ]);
  const first = found.find((image) => String(image['networkVolumePath']).endsWith('image_001.png'));
  const bytes = await get(`/api/images/${first?.id}/network-volume`);
  expect([bytes.statusCode, bytes.headers['content-type'], bytes.rawPayload.equals(png(5, 5, 1))]).toEqual([
    200,
    'image/png',
    true,
  ]);
  expect((await get(`/api/images/${first?.id}/network-volume`, asUser('bob'))).statusCode).toBe(404);
  expect((await get(`/api/images/${first?.id}/network-volume`, {})).statusCode).toBe(401);
});

test('legacy base64 in a RunPod webhook is still accepted', async () => {
  await post(`/api/webhooks/runpod?secret=${HOOK}`, {
    id: 'old-1',
    status: 'COMPLETED',
    user_id: 'alice',
    output: { message: png(4, 4, 9).toString('base64'), status: 'success' },
  });
  expect(await settled('?jobId=old-1', 1)).toMatchObject([{ sha256: sha(png(4, 4, 9)) }]);
});

test('an image of an older system is found by its old id', async () => {
  const payload = { externalId: 'clx9abc0001', source: { type: 'base64', data: png(3, 3, 5).toString('base64') } };
  const made = await post('/v1/media', payload, asUser('alice'));
  for (const name of ['data', 'network-volume']) {
    const answer = await get(`/api/images/clx9abc0001/${name}`);
    expect([answer.statusCode, answer.rawPayload.equals(png(3, 3, 5))]).toEqual([200, true]);
  }
  expect((await get('/api/images/clx9abc0001/data', asUser('bob'))).statusCode).toBe(404);
  expect((await get(`/api/images/${made.json().id}/data`)).statusCode).toBe(200);
});

test('the second system: chunks saved by the front end, chunks by the handler and the completion are one set of images', async () => {
  const chunk = (name: string, salt: number, more: object = {}) => ({
    filename: name,
    subfolder: '',
    type: 'output',
    data: png(4, 4, salt).toString('base64'),
    fileSize: 100,
    format: 'png',
    ...more,
  });
  await onVolume('outputs/alice/style_1.png', png(4, 4, 51));
  const saved = await post(
    '/api/images/save',
    { jobId: 'style-1', image: chunk('style_1.png', 51, { s3Key: 'outputs/alice/style_1.png' }) },
    asUser('alice'),
  );
  expect([saved.statusCode, saved.json()]).toMatchObject([
    200,
    {
      success: true,
      images: [
        {
          status: 'success',
          storageKey: 'outputs/alice/style_1.png',
          networkVolumePath: '/runpod-volume/outputs/alice/style_1.png',
        },
      ],
    },
  ]);
  const hook = `/api/webhooks/generation/style-1?secret=${HOOK}`;
  await post(hook, { job_id: 'style-1', status: 'IN_PROGRESS', progress: 60, images: [chunk('style_2.png', 52)] });
  await post(hook, {
    job_id: 'style-1',
    status: 'COMPLETED',
    progress: 100,
    network_volume_paths: ['outputs/alice/style_1.png', 'outputs/alice/style_2.png'],
    resultUrls: [
      `${origin.url}/view?filename=style_1.png&subfolder=&type=output`,
      `${origin.url}/view?filename=style_2.png&subfolder=&type=output`,
    ],
    s3Keys: ['outputs/alice/style_1.png', 'outputs/alice/style_2.png'],
    networkVolumePaths: ['/runpod-volume/outputs/alice/style_1.png', '/runpod-volume/outputs/alice/style_2.png'],
    images: [],
  });
  const found = await settled('?jobId=style-1', 2);
  expect(new Set(found.map((image) => image['sha256']))).toEqual(new Set([sha(png(4, 4, 51)), sha(png(4, 4, 52))]));
  expect((await get('/v1/jobs/generation/style-1')).json()).toMatchObject({ status: 'succeeded', progress: 100 });
});

test.each([
  ['the fields at the top', { filename: 'a.png', data: png(2, 2, 61).toString('base64') }],
  ['a list', { images: [{ filename: 'a.png', data: png(2, 2, 62).toString('base64') }] }],
  ['a data URI as the image', { image: `data:image/png;base64,${png(2, 2, 63).toString('base64')}` }],
  ['image data', { jobId: 's-4', imageData: { filename: 'a.png', data: png(2, 2, 64).toString('base64') } }],
])('an image is saved from %s', async (_name, payload) => {
  const saved = await post('/api/images/save', payload, asUser('carol'));
  expect([saved.statusCode, saved.json()]).toMatchObject([
    200,
    { success: true, images: [{ status: 'success', userId: 'carol' }] },
  ]);
});

test("saving refuses a request without an image, and a path into another user's folder", async () => {
  expect((await post('/api/images/save', { jobId: 'x' }, asUser('alice'))).json()).toMatchObject({
    status: 400,
    code: 'invalid_request',
  });
  await onVolume('outputs/bob/secret.png', png(4, 4, 77));
  const saved = await post(
    '/api/images/save',
    { jobId: 'steal', image: { filename: 'secret.png', networkVolumePath: '/runpod-volume/outputs/bob/secret.png' } },
    asUser('alice'),
  );
  expect(saved.json().images).toMatchObject([{ status: 'failed', storageKey: null }]);
});

test("a folder named by a user's bare id is theirs, unless it could be another user's escaped folder", async () => {
  const save = (user: string, key: string) => {
    const payload = { jobId: `bare-${user}`, image: { filename: 'own.png', s3Key: key } };
    return t.app.inject({ method: 'POST', url: '/api/images/save', headers: asUser(user), payload });
  };
  await onVolume('outputs/_41/own.png', png(4, 4, 61));
  await onVolume('outputs/DOE_J/own.png', png(4, 4, 62));
  const taken = await save('_41', 'outputs/_41/own.png');
  expect(taken.json().images?.[0]?.storageKey ?? null).toBeNull();
  expect((await save('DOE_J', 'outputs/DOE_J/own.png')).json().images).toMatchObject([
    { status: 'success', storageKey: 'outputs/DOE_J/own.png' },
  ]);
  expect((await save('A', 'outputs/_41/own.png')).json().images).toMatchObject([
    { status: 'success', storageKey: 'outputs/_41/own.png' },
  ]);
});

test('lists are paged by offset, newest first, and contain only the caller’s items', async () => {
  for (const salt of [1, 2, 3])
    await post(
      '/v1/media',
      { prompt: `page ${salt}`, source: { type: 'base64', data: png(2, 2, salt).toString('base64') } },
      asUser('dave'),
    );
  const prompts = async (query: string) => (await images(query, asUser('dave'))).map((image) => image['prompt']);
  expect(await prompts('')).toEqual(['page 3', 'page 2', 'page 1']);
  expect(await prompts('?limit=1&offset=1')).toEqual(['page 2']);
  expect((await get('/api/images?userId=dave')).statusCode).toBe(403);
  expect((await images('?userId=dave', asAdmin())).length).toBe(3);
});

test('the fourth system: media, info and the whole of a run', async () => {
  const run = await post(
    '/v1/runs',
    {
      inputText: 'Eine Blume auf der Wiese',
      schema: 'dada',
      executionMode: 'eco',
      safetyLevel: 'kids',
      transformedText: 'a flower',
    },
    asUser('alice'),
  );
  const { runId } = run.json();
  for (const [salt, visibility] of [
    [31, 'private'],
    [32, 'public'],
  ] as const)
    await t.app.inject({
      method: 'POST',
      url: `/v1/runs/${runId}/media?model=sd35_large&provider=comfyui&visibility=${visibility}`,
      headers: { ...asUser('alice'), 'content-type': 'image/png' },
      payload: png(8, 6, salt),
    });
  await t.app.inject({
    method: 'POST',
    url: `/v1/runs/${runId}/media`,
    headers: { ...asUser('alice'), 'content-type': 'audio/wav' },
    payload: Buffer.from(wav(8000, new Uint8Array(8000))),
  });
  const served = async (url: string, headers?: Record<string, string>) => (await get(url, headers)).rawPayload;
  expect((await served(`/api/media/image/${runId}`)).equals(png(8, 6, 31))).toBe(true);
  expect((await served(`/api/media/image/${runId}?n=2`)).equals(png(8, 6, 32))).toBe(true);
  expect((await get(`/api/media/audio/${runId}`)).headers['content-type']).toBe('audio/wav');
  expect((await get(`/api/media/video/${runId}`)).statusCode).toBe(404);
  // Without a token only public items are served.
  expect((await served(`/api/media/image/${runId}`, {})).equals(png(8, 6, 32))).toBe(true);
  expect((await get(`/api/media/audio/${runId}`, {})).statusCode).toBe(401);
  expect((await get(`/api/media/audio/${runId}`, asUser('bob'))).statusCode).toBe(404);
  expect((await get(`/api/media/info/${runId}`)).json()).toMatchObject({
    run_id: runId,
    type: 'image',
    count: 3,
    width: 8,
    model: 'sd35_large',
  });
  expect((await get(`/api/media/run/${runId}`)).json()).toMatchObject({
    run_id: runId,
    user_id: 'alice',
    timestamp: expect.stringMatching(/^20/),
    schema: 'dada',
    execution_mode: 'eco',
    safety_level: 'kids',
    input_text: 'Eine Blume auf der Wiese',
    transformed_text: 'a flower',
    outputs: [
      {
        type: 'image',
        filename: 'output_image.png',
        backend: 'comfyui',
        config: 'sd35_large',
        file_size_bytes: png(8, 6, 31).length,
        format: 'png',
        width: 8,
        height: 6,
      },
      { type: 'image', filename: 'output_image_2.png' },
      { type: 'audio', filename: 'output_audio.wav' },
    ],
    items: [{ runId }, { runId }, { runId }],
  });
  for (const route of ['info', 'run']) {
    expect((await get(`/api/media/${route}/${runId}`, asUser('bob'))).statusCode).toBe(404);
    expect((await get(`/api/media/${route}/${runId}`, {})).statusCode).toBe(401);
    expect((await get(`/api/media/${route}/nothing`)).statusCode).toBe(404);
  }
});

test('a run id that is only a label is described by its items', async () => {
  const source = { type: 'base64', data: png(4, 4, 98).toString('base64') };
  await post('/v1/media', { runId: 'label-1', prompt: 'a fox', source }, asUser('alice'));
  const answer = await get('/api/media/run/label-1');
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toMatchObject({
    run_id: 'label-1',
    user_id: 'alice',
    schema: null,
    execution_mode: null,
    input_text: 'a fox',
    transformed_text: null,
    outputs: [{ type: 'image', width: 4 }],
    items: [{ runId: 'label-1' }],
    moreItems: false,
  });
});

test("an item with another user's run id does not become part of that run", async () => {
  const { runId } = (await post('/v1/runs', { inputText: 'mine' }, asUser('alice'))).json();
  await post(
    '/v1/media',
    { runId, visibility: 'public', source: { type: 'base64', data: png(2, 2, 99).toString('base64') } },
    asUser('mallory'),
  );
  expect((await get(`/api/media/image/${runId}`)).statusCode).toBe(404);
  expect((await get(`/api/media/image/${runId}`, {})).statusCode).toBe(401);
  expect((await get(`/api/media/run/${runId}`)).json()).toMatchObject({ outputs: [], items: [] });
});

test('an old id names the caller’s own image; without a token it counts only while all images with it have one owner', async () => {
  const save = (user: string, salt: number, visibility: string) =>
    post(
      '/v1/media',
      { externalId: 'old-7', visibility, source: { type: 'base64', data: png(2, 3, salt).toString('base64') } },
      asUser(user),
    );
  await save('other', 2, 'public');
  const bytes = async (headers: Record<string, string>) => (await get('/api/images/old-7/data', headers)).rawPayload;
  expect((await bytes({})).equals(png(2, 3, 2))).toBe(true);
  await save('owner', 1, 'private');
  expect((await bytes(asUser('owner'))).equals(png(2, 3, 1))).toBe(true);
  expect((await get('/api/images/old-7/data', {})).statusCode).toBe(401);
  await save('third', 3, 'public');
  expect((await bytes(asUser('owner'))).equals(png(2, 3, 1))).toBe(true);
});

test("a number is an item's id before it is an old id", async () => {
  const first = await post(
    '/v1/media',
    { source: { type: 'base64', data: png(2, 4, 1).toString('base64') } },
    asUser('numbers'),
  );
  const { id } = first.json();
  await post(
    '/v1/media',
    { externalId: id, source: { type: 'base64', data: png(2, 4, 2).toString('base64') } },
    asUser('numbers'),
  );
  const answer = await get(`/api/images/${id}/data`, asUser('numbers'));
  expect(answer.rawPayload.equals(png(2, 4, 1))).toBe(true);
});

test("a service's token reads a run by its owner, whoever else uses its id as a label", async () => {
  const { runId } = (await post('/v1/runs', { inputText: 'mine' }, asUser('alice'))).json();
  const source = { type: 'base64', data: png(4, 4, 97).toString('base64') };
  await post(`/v1/runs/${runId}/media`, { source }, asUser('alice'));
  await post('/v1/media', { runId, source: { type: 'base64', data: png(4, 4, 96).toString('base64') } }, asUser('bob'));
  const told = (await get(`/api/media/run/${runId}`, asAdmin())).json();
  expect(told).toMatchObject({ run_id: runId, user_id: 'alice', items: [{ userId: 'alice' }], moreItems: false });
  expect((await get(`/api/media/image/${runId}`, asAdmin())).rawPayload.equals(png(4, 4, 97))).toBe(true);
});
