import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const alice = asUser('alice');
const store = async (query = '', headers: Record<string, string> = {}, salt = 0) =>
  (
    await t.app.inject({
      method: 'POST',
      url: `/v1/media?${query}`,
      headers: { 'content-type': 'image/png', ...alice, ...headers },
      payload: png(1, 1, salt),
    })
  ).json();
const patch = (id: string, payload: object) =>
  t.app.inject({ method: 'PATCH', url: `/v1/media/${id}`, headers: alice, payload });

test('two concurrent changes leave both findable', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { id } = await store();
    await Promise.all([patch(id, { prompt: `heron${round}` }), patch(id, { tags: [`marsh${round}`] })]);
    for (const word of [`heron${round}`, `marsh${round}`]) {
      const found = (await t.app.inject({ url: `/v1/media?q=${word}`, headers: alice })).json().items;
      expect(found.map((item: { id: string }) => item.id)).toEqual([id]);
    }
  }
});

test('a changed item is found by its new words, and by those that were not changed', async () => {
  const words = { prompt: 'heron', model: 'fluxpro', toolName: 'paintbox', filename: 'zebrafish.png', tags: 'marsh' };
  const { id } = await store(new URLSearchParams(words).toString(), {}, 9);
  const found = async (word: string) => {
    const { items } = (await t.app.inject({ url: `/v1/media?q=${word}`, headers: alice })).json();
    return items.map((item: { id: string }) => item.id).includes(id) as boolean;
  };
  for (const word of Object.values(words)) expect([word, await found(word)]).toEqual([word, true]);
  await patch(id, { tags: ['reeds'] });
  for (const word of ['heron', 'fluxpro', 'paintbox', 'zebrafish.png', 'reeds'])
    expect([word, await found(word)]).toEqual([word, true]);
  await patch(id, { prompt: 'bittern' });
  for (const word of ['bittern', 'fluxpro', 'paintbox', 'zebrafish.png', 'reeds'])
    expect([word, await found(word)]).toEqual([word, true]);
  expect([await found('marsh'), await found('heron')]).toEqual([false, false]);
});

test('deleting or purging the current version of a scene makes the previous one current; restoring into an empty scene too', async () => {
  const projectId = 'b0000000-0000-4000-8000-000000000001';
  const scene = `projectId=${projectId}&sceneId=s`;
  const [first, second, third] = [await store(scene), await store(scene), await store(scene)];
  const current = async () => {
    const { rows } = await sql<{
      url: string | null;
    }>`SELECT get_scene_image_url(${projectId}::uuid, 's') AS url`.execute(t.deps.db);
    return rows[0]?.url ?? null;
  };
  const remove = (id: string, purge: boolean) =>
    t.app.inject({ method: 'DELETE', url: `/v1/media/${id}?purge=${purge}`, headers: alice });
  expect(await current()).toBe(third.storageUrl);
  await remove(third.id, true);
  expect(await current()).toBe(second.storageUrl);
  await remove(second.id, false);
  expect(await current()).toBe(first.storageUrl);
  await remove(first.id, false);
  expect(await current()).toBeNull();
  const restored = await t.app.inject({ method: 'POST', url: `/v1/media/${first.id}/restore`, headers: alice });
  expect(restored.json()).toMatchObject({ isCurrent: true, deletedAt: null });
  expect(await current()).toBe(first.storageUrl);
});

test('a purge removes kept responses about the item, so that the same upload is stored again', async () => {
  const first = await store('', { 'idempotency-key': 'purged' }, 5);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${first.id}?purge=true`, headers: alice });
  const { rows } = await sql`SELECT 1 FROM idempotency_keys WHERE response IS NOT NULL`.execute(t.deps.db);
  expect(rows).toEqual([]);
  const again = await store('', { 'idempotency-key': 'purged' }, 5);
  expect(again.id).not.toBe(first.id);
  expect((await t.app.inject({ url: `/v1/media/${again.id}`, headers: alice })).statusCode).toBe(200);
});

test('an object with an unfinished upload or purge of ours cannot be adopted', async () => {
  const item = await store();
  await sql`INSERT INTO storage_intents (store, key, leased_until) VALUES ('local', 'theirs/being-removed.png', now())`.execute(
    t.deps.db,
  );
  for (const key of [item.storageKey, 'theirs/being-removed.png']) {
    const adopted = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: asAdmin(),
      payload: { userId: 'alice', source: { type: 'object', store: 'local', key } },
    });
    expect(adopted.json()).toMatchObject({ status: 409, code: 'object_taken' });
  }
});

const long = 'x'.repeat(250_000);
test.each([
  ['texts', { user_id: 'texts', prompt: long, storage_url: '' }],
  // On disk these take a hundredth of that.
  ['objects', { user_id: 'objects', prompt: '', metadata: JSON.stringify({ long }), storage_url: '' }],
])('a page of items with large %s ends early, and the rest follow on further pages', async (userId, row) => {
  await t.deps.db
    .insertInto('generated_images')
    .values(Array.from({ length: 80 }, () => row))
    .execute();
  const seen: string[] = [];
  const sizes: number[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = (
      await t.app.inject({
        url: `/v1/media?userId=${userId}&limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
        headers: asAdmin(),
      })
    ).json() as { items: { id: string }[]; nextCursor: string | null };
    seen.push(...page.items.map((item) => item.id));
    sizes.push(page.items.length);
    cursor = page.nextCursor;
  }
  expect(new Set(seen).size).toBe(80);
  expect(sizes).toEqual([33, 33, 14]);
});

test('a sequence that lags behind is our failure and not reported as a taken object', async () => {
  const own = await createTestApp();
  try {
    await sql`INSERT INTO generated_images (id, user_id, prompt, storage_url) VALUES (1, 'x', '', '')`.execute(
      own.deps.db,
    );
    const answer = await own.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { 'content-type': 'image/png', ...alice },
      payload: png(),
    });
    expect(answer.statusCode).toBe(500);
  } finally {
    await own.close();
  }
});
