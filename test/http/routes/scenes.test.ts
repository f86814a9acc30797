// Case numbers in titles are those of the table in docs/threat-model.md.
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { multipart, png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let project: string;
beforeAll(async () => {
  t = await createTestApp({ DATABASE_POOL_MAX: '10' });
});
afterAll(() => t.close());
beforeEach(() => {
  project = randomUUID();
});

const scene = (name = 'scene_1') => `/v1/projects/${project}/scenes/${name}`;
const base64 = (salt: number) => ({ type: 'base64', data: png(2, 2, salt).toString('base64') });
const store = (salt: number, more: object = {}, headers = asUser('a'), name = 'scene_1') =>
  t.app.inject({ method: 'POST', url: scene(name), headers, payload: { source: base64(salt), ...more } });
const get = (url: string, headers = asUser('a')) => t.app.inject({ url, headers });
const rollBack = (version: number, headers = asUser('a')) =>
  t.app.inject({ method: 'PUT', url: `${scene()}/current`, headers, payload: { version } });

test('each stored item is the next version and the current one, in the view and the function, too', async () => {
  for (const version of [1, 2, 3]) {
    const response = await store(version, { prompt: `take ${version}` });
    expect([response.statusCode, response.json().version, response.json().isCurrent]).toEqual([201, version, true]);
  }
  const current = (await get(scene())).json();
  expect(current).toMatchObject({
    version: 3,
    isCurrent: true,
    prompt: 'take 3',
    projectId: project,
    sceneId: 'scene_1',
  });
  expect(current.storageKey).toMatch(new RegExp(`^projects/${project}/scenes/scene_1_\\d+-[0-9a-f]+\\.png$`));
  const versions = (await get(`${scene()}/versions`)).json();
  expect(versions.items.map((item: { version: number; isCurrent: boolean }) => [item.version, item.isCurrent])).toEqual(
    [
      [3, true],
      [2, false],
      [1, false],
    ],
  );
  const view = await sql`SELECT storage_url FROM current_scene_images WHERE project_id = ${project}`.execute(t.deps.db);
  expect(view.rows).toEqual([{ storage_url: current.storageUrl }]);
});

test('bytes and forms are versions, too; the path names the scene', async () => {
  const raw = await t.app.inject({
    method: 'POST',
    url: `${scene()}?prompt=raw`,
    headers: { ...asUser('a'), 'content-type': 'image/png' },
    payload: png(),
  });
  expect(raw.json()).toMatchObject({ version: 1, prompt: 'raw', sceneId: 'scene_1' });
  const form = multipart([
    { name: 'file', filename: 'a.png', type: 'image/png', value: png(1, 1, 2) },
    { name: 'prompt', value: 'form' },
  ]);
  const sent = await t.app.inject({
    method: 'POST',
    url: scene(),
    headers: { ...asUser('a'), ...form.headers },
    payload: form.payload,
  });
  expect(sent.json()).toMatchObject({ version: 2, prompt: 'form', projectId: project });
  expect((await store(3, { projectId: randomUUID(), sceneId: 'other' })).json()).toMatchObject({
    version: 3,
    sceneId: 'scene_1',
    projectId: project,
  });
});

test('the path names the scene: no field before the file, in the query or after the file puts an item into another one', async () => {
  const other = randomUUID();
  const names = [
    { name: 'projectId', value: other },
    { name: 'sceneId', value: 'other' },
  ];
  const file = (salt: number) => ({ name: 'file', filename: 'a.png', type: 'image/png', value: png(1, 1, salt) });
  const send = (query: string, headers: Record<string, string>, payload: Buffer) =>
    t.app.inject({ method: 'POST', url: `${scene()}${query}`, headers: { ...asUser('a'), ...headers }, payload });
  const query = `?projectId=${other}&sceneId=other`;
  const before = multipart([...names, file(31)]);
  const beside = multipart([file(32)]);
  const answers = [
    await send('', before.headers, before.payload),
    await send(query, beside.headers, beside.payload),
    await send(query, { 'content-type': 'image/png' }, png(1, 1, 33)),
    await store(34, { projectId: other, sceneId: 'other' }),
  ];
  for (const [index, answer] of answers.entries()) {
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toMatchObject({ projectId: project, sceneId: 'scene_1', version: index + 1 });
    expect(answer.json().storageKey).toMatch(new RegExp(`^projects/${project}/scenes/scene_1_`));
  }
  for (const late of names) {
    const after = multipart([file(35), late]);
    expect((await send('', after.headers, after.payload)).json()).toMatchObject({
      status: 400,
      code: 'field_after_file',
      field: late.name,
    });
  }
  expect((await get(`/v1/projects/${other}/scenes/other`)).statusCode).toBe(404);
  expect((await get(`${scene()}/versions`)).json().items).toHaveLength(4);
});

test('several scenes at once belong to the project of the path, whatever their items name', async () => {
  const other = randomUUID();
  const url = `/v1/projects/${project}/scenes`;
  const payload = { items: [{ sceneId: 'scene_1', projectId: other, source: base64(36) }] };
  const { results } = (await t.app.inject({ method: 'POST', url, headers: asUser('a'), payload })).json();
  expect(results).toMatchObject([{ status: 201 }]);
  expect((await get(scene())).json()).toMatchObject({ projectId: project, version: 1 });
  expect((await get(`/v1/projects/${other}/scenes/scene_1`)).statusCode).toBe(404);
});

test('case 92: of twenty writers at once each gets its own version, 1 to 20 without gaps, and one is current', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, (_value, index) => store(index)));
  const versions = answers.map((answer) => answer.json().version as number).toSorted((a, b) => a - b);
  expect(versions).toEqual(Array.from({ length: 20 }, (_value, index) => index + 1));
  const { items } = (await get(`${scene()}/versions`)).json();
  expect(items.filter((item: { isCurrent: boolean }) => item.isCurrent)).toHaveLength(1);
});

test('a scene is rolled back, and numbering goes on', async () => {
  for (const version of [1, 2, 3]) await store(version);
  expect((await rollBack(1)).json()).toMatchObject({ version: 1, isCurrent: true });
  expect((await get(scene())).json().version).toBe(1);
  expect((await store(9)).json().version).toBe(4);
  expect((await get(scene())).json().version).toBe(4);
  expect((await rollBack(7)).json()).toMatchObject({ status: 404, field: 'version' });
});

test('a deleted version cannot be rolled back to, and the highest remaining one becomes current', async () => {
  for (const version of [1, 2]) await store(version);
  const { id } = (await get(scene())).json();
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}`, headers: asUser('a') });
  expect((await get(scene())).json().version).toBe(1);
  expect((await rollBack(2)).statusCode).toBe(404);
  expect((await get(`${scene()}/versions`)).json().items).toHaveLength(1);
});

test('a failed version that is restored does not become current', async () => {
  const { id } = (await store(1)).json();
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}`, headers: asUser('a') });
  // As when its bytes were never available.
  await sql`UPDATE generated_images SET status = 'failed', error = 'gone' WHERE id = ${id}::bigint`.execute(t.deps.db);
  const restored = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/restore`, headers: asUser('a') });
  expect([restored.statusCode, restored.json().version, restored.json().isCurrent]).toEqual([200, 1, false]);
  expect((await get(scene())).statusCode).toBe(404);
  expect((await store(2)).json()).toMatchObject({ version: 2, isCurrent: true });
});

test('a scene belongs to the first user who stored into it: a stranger neither sees it nor stores into it', async () => {
  await store(1);
  for (const url of [scene(), `${scene()}/versions`]) expect((await get(url, asUser('b'))).statusCode).toBe(404);
  expect((await store(2, {}, asUser('b'))).json()).toMatchObject({ status: 404, field: 'sceneId' });
  expect((await rollBack(1, asUser('b'))).statusCode).toBe(404);
  expect((await store(2, { userId: 'a' }, asAdmin())).json()).toMatchObject({ version: 2, userId: 'a' });
  expect((await get(scene('none'))).statusCode).toBe(404);
});

test('versions are paged', async () => {
  for (let count = 0; count < 5; count += 1) await store(count);
  const first = (await get(`${scene()}/versions?limit=2`)).json();
  const second = (await get(`${scene()}/versions?limit=2&cursor=${encodeURIComponent(first.nextCursor)}`)).json();
  expect([...first.items, ...second.items].map((item: { version: number }) => item.version)).toEqual([5, 4, 3, 2]);
});

test('several scenes at once: each item on its own', async () => {
  const payload = {
    items: [
      { sceneId: 'scene_1', source: base64(1) },
      { sceneId: 'scene_2', source: base64(2) },
      { sceneId: 'scene_1', source: { type: 'base64', data: '!' } },
    ],
  };
  const url = `/v1/projects/${project}/scenes`;
  const { results } = (await t.app.inject({ method: 'POST', url, headers: asUser('a'), payload })).json();
  expect(results.map((result: { status: number }) => result.status)).toEqual([201, 201, 400]);
  expect((await get(scene('scene_2'))).json().version).toBe(1);
});
