import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const post = async (url: string, payload: object, headers = asAdmin()) =>
  (await t.app.inject({ method: 'POST', url, headers, payload })).json();
const item = (sceneId: string, salt: number, more: object = {}) => ({
  sceneId,
  source: { type: 'base64', data: png(3, 3, salt).toString('base64') },
  ...more,
});
const owners = (answer: { results: { status: number; item?: { userId: string } }[] }) =>
  answer.results.map(({ status, item: made }) => made?.userId ?? status);

test('many scenes are stored for one owner, who is named once', async () => {
  const project = '6f1c7f0e-0000-4000-8000-000000000003';
  const url = `/v1/projects/${project}/scenes`;
  const items = [item('scene_1', 1), item('scene_2', 2), item('scene_1', 3)];
  const made = await post(url, { userId: 'director', items });
  expect(owners(made)).toEqual(['director', 'director', 'director']);
  const current = await t.app.inject({ url: `${url}/scene_1`, headers: asUser('director') });
  expect(current.json()).toMatchObject({ version: 2, userId: 'director' });
});

test('an item of a batch may name another owner, and without any owner it fails alone', async () => {
  const bare = { source: { type: 'base64', data: png().toString('base64') } };
  const items = [bare, { ...bare, userId: 'own' }, { ...bare, userId: null }];
  expect(owners(await post('/v1/batches', { userId: 'all', items }))).toEqual(['all', 'own', 'all']);
  expect(owners(await post('/v1/batches', { items }))).toEqual([400, 'own', 400]);
  expect(owners(await post('/v1/batches', { userId: null, items }))).toEqual([400, 'own', 400]);
});

test('a user cannot store a batch for somebody else', async () => {
  const items = [{ source: { type: 'base64', data: png().toString('base64') } }];
  expect(owners(await post('/v1/batches', { userId: 'alice', items }, asUser('mallory')))).toEqual([403]);
  expect(owners(await post('/v1/batches', { userId: 'alice', items }, asUser('alice')))).toEqual(['alice']);
  expect(await post('/v1/batches', { userId: 7, items })).toMatchObject({ status: 400, field: 'userId' });
});
