import { randomUUID } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp({});
});
afterAll(() => t.close());

interface Item {
  id: string;
  [name: string]: unknown;
}

const project = randomUUID();
const scene = `/v1/projects/${project}/scenes/one`;
const store = async (salt: number): Promise<Item> => {
  const payload = { source: { type: 'base64', data: png(2, 2, salt).toString('base64') } };
  return (await t.app.inject({ method: 'POST', url: scene, headers: asUser('lister'), payload })).json();
};
const list = async (): Promise<Item[]> =>
  (await t.app.inject({ url: '/v1/media?limit=50', headers: asUser('lister') })).json().items;
const alone = async ({ id }: Item): Promise<Item> => {
  const { locations: _locations, ...item } = (
    await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('lister') })
  ).json();
  return item;
};
const change = (request: { method: 'PATCH' | 'PUT' | 'DELETE'; url: string; payload?: object }) =>
  t.app.inject({ ...request, headers: asUser('lister') });
const inDatabase = (statement: RawBuilder<unknown>) => statement.execute(t.deps.db);

test('a cached listing shows each change at once, as the item itself does', async () => {
  const items: Item[] = [];
  for (const salt of [1, 2, 3]) items.push(await store(salt));
  const [first, second, third] = items as [Item, Item, Item];
  const changes: (() => Promise<unknown>)[] = [
    async () => {},
    () => change({ method: 'PATCH', url: `/v1/media/${first.id}`, payload: { tags: ['new'], prompt: 'Ümläut “€”' } }),
    () => change({ method: 'PATCH', url: `/v1/media/${first.id}`, payload: { visibility: 'public' } }),
    () => change({ method: 'PUT', url: `${scene}/current`, payload: { version: 1 } }),
    () => inDatabase(sql`UPDATE media_locations SET key = key || '.moved' WHERE media_id = ${second.id}`),
    () => inDatabase(sql`DELETE FROM media_locations WHERE media_id = ${second.id}`),
    () => inDatabase(sql`UPDATE generated_images SET error = 'by hand' WHERE id = ${third.id}`),
  ];
  let shown = '';
  for (const [index, step] of changes.entries()) {
    await step();
    const listed = await list();
    expect(listed).toEqual([await alone(third), await alone(second), await alone(first)]);
    expect(await list()).toEqual(listed);
    expect(JSON.stringify(listed), `change ${index} is seen`).not.toBe(shown);
    shown = JSON.stringify(listed);
  }
  await change({ method: 'DELETE', url: `/v1/media/${first.id}` });
  expect((await list()).map(({ id }) => id)).toEqual([third.id, second.id]);
});

test('a page of cached and new items keeps its order', async () => {
  const before = await list();
  const added = [await store(11), await store(12)];
  const page = await t.app.inject({ url: '/v1/media?sort=createdAt:asc&limit=2', headers: asUser('lister') });
  const next = await t.app.inject({
    url: `/v1/media?sort=createdAt:asc&limit=2&cursor=${page.json().nextCursor}`,
    headers: asUser('lister'),
  });
  const ids = [...page.json().items, ...next.json().items].map((item: Item) => item.id);
  expect(ids).toEqual([...before.map(({ id }) => id).toReversed(), ...added.map(({ id }) => id)]);
  expect(next.json()).toMatchObject({ nextCursor: null });
  expect(page.headers['content-type']).toBe('application/json; charset=utf-8');
});
