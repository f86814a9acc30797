import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Worker, startWorker } from '../../../src/workers/worker.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';
import { until } from '../../support/until.ts';

const HOOK = 'secret-of-the-address';
let t: TestApp;
let worker: Worker;
beforeAll(async () => {
  t = await createTestApp({ LOCAL_MOUNT_ALIASES: '/runpod-volume', WEBHOOK_SECRET_RUNPOD: HOOK });
  worker = startWorker(t.deps, { connectionString: t.connectionString, concurrency: 2 });
});
afterAll(async () => {
  await worker.stop();
  await t.close();
});

const get = async (url: string) => (await t.app.inject({ url, headers: asUser('alice') })).json();
const tell = async (jobId: string, payload: object) =>
  (
    await t.app.inject({
      method: 'POST',
      url: `/api/webhooks/generation/${jobId}?secret=${HOOK}`,
      payload: { job_id: jobId, user_id: 'alice', ...payload },
    })
  ).json();
const save = async (payload: object) =>
  (await t.app.inject({ method: 'POST', url: '/api/images/save', headers: asUser('alice'), payload })).json();
const piece = (name: string, salt: number, more: object = {}) => ({
  filename: name,
  subfolder: '',
  type: 'output',
  data: png(4, 4, salt).toString('base64'),
  fileSize: png(4, 4, salt).length,
  format: 'png',
  ...more,
});
const settled = (jobId: string, count: number) =>
  until(async () => {
    const { images } = await get(`/api/images?jobId=${jobId}`);
    return images.length === count && images.every((image: { status: string }) => image.status === 'success') && images;
  });
const job = async (jobId: string) => {
  const { status, progress } = await get(`/v1/jobs/generation/${jobId}`);
  return { status, progress };
};

test.each(['IMAGE_READY', 'IMAGE_CHUNK'])(
  'pieces that come as %s are stored at once, and the job runs until its completion',
  async (status) => {
    const id = `pieces-${status}`;
    const first = await tell(id, { status, progress: 97.5, imageCount: 1, totalImages: 2, image: piece('a.png', 1) });
    expect(first).toMatchObject({ state: 'accepted', items: [expect.anything()] });
    expect(await job(id)).toEqual({ status: 'running', progress: 98 });
    await tell(id, { status, progress: 100, imageCount: 2, totalImages: 2, image: piece('b.png', 2) });
    expect(await job(id)).toEqual({ status: 'running', progress: 100 });
    const pieces = await settled(id, 2);
    await tell(id, { status: 'COMPLETED', progress: 100, images: [piece('a.png', 1), piece('b.png', 2)] });
    expect(await job(id)).toEqual({ status: 'succeeded', progress: 100 });
    // A piece that was under way is no step back.
    await tell(id, { status, progress: 97.5, late: true, image: piece('b.png', 2) });
    expect(await job(id)).toEqual({ status: 'succeeded', progress: 100 });
    expect((await settled(id, 2)).map((image: { id: string }) => image.id)).toEqual(
      pieces.map((image: { id: string }) => image.id),
    );
  },
);

test('a piece on the volume is that file, whichever of its names the completion uses', async () => {
  await mkdir(path.join(t.volume, 'outputs/alice'), { recursive: true });
  await writeFile(path.join(t.volume, 'outputs/alice/v.png'), png(4, 4, 30));
  await tell('volume', {
    status: 'IMAGE_READY',
    image: { filename: 'v.png', type: 'output', aws_s3_key: 'outputs/alice/v.png', file_size: 9 },
  });
  await tell('volume', { status: 'DELIVERY_COMPLETE', network_volume_paths: ['/runpod-volume/outputs/alice/v.png'] });
  expect(await settled('volume', 1)).toMatchObject([{ storageKey: 'outputs/alice/v.png' }]);
  expect(await job('volume')).toMatchObject({ status: 'succeeded' });
});

test('the answer to a saved image holds it as image, with the names that front ends read', async () => {
  const saved = await save({ jobId: 'saved', ...piece('a.png', 1) });
  const { id } = saved.images[0];
  expect(saved).toMatchObject({
    success: true,
    image: {
      id,
      filename: 'a.png',
      url: `http://media.test/v1/media/${id}/content`,
      dataUrl: `http://media.test/api/images/${id}/data`,
      fileSize: png(4, 4, 1).length,
      format: 'png',
    },
  });
  expect(saved.image).toEqual(saved.images[0]);
  expect((await save({ jobId: 'saved', image: piece('a.png', 1) })).image.id).toBe(id);
  expect(await job('saved')).toMatchObject({ status: 'running' });
  const several = await save({ images: [piece('b.png', 2), piece('c.png', 3)] });
  expect(several.image.filename).toBe('b.png');
  expect(several.images).toHaveLength(2);
});

test('a saved piece, its webhook and the completion are one image', async () => {
  const { image } = await save({ jobId: 'one', status: 'IMAGE_READY', ...piece('a.png', 9) });
  await tell('one', { status: 'IMAGE_READY', image: piece('a.png', 9) });
  expect(await job('one')).toMatchObject({ status: 'running' });
  await tell('one', { status: 'COMPLETED', allImages: [piece('a.png', 9)] });
  expect(await settled('one', 1)).toMatchObject([{ id: image.id }]);
  expect(await job('one')).toMatchObject({ status: 'succeeded' });
});
