import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { sql } from 'kysely';
import { runActionTask } from '../../../src/domain/actions/action-tasks.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

let salt = 0;
async function store(userId: string, fields = ''): Promise<string> {
  const made = await t.app.inject({
    method: 'POST',
    url: `/v1/media?${fields}`,
    headers: { 'content-type': 'image/png', ...asUser(userId) },
    payload: png(2, 2, (salt += 1)),
  });
  return made.json().id;
}
const act = async (payload: object, headers = asUser('ann')) => {
  const answer = await t.app.inject({ method: 'POST', url: '/v1/actions', headers, payload });
  return { status: answer.statusCode, location: answer.headers['location'], body: answer.json() };
};
const ids = async (query: string, user = 'ann') =>
  (await t.app.inject({ url: `/v1/media?${query}`, headers: asUser(user) }))
    .json()
    .items.map((item: { id: string }) => item.id)
    .toSorted();

describe('by ids', () => {
  test('each action does what the single route does, and a second time changes nothing', async () => {
    const [a, b] = [await store('ann', 'tags=old'), await store('ann', 'tags=old')];
    const both = [a, b].toSorted();
    for (let times = 0; times < 2; times += 1) {
      expect((await act({ action: 'tag', ids: both, value: ['new', 'newer'] })).body).toEqual({
        matched: 2,
        done: 2,
        failed: [],
      });
      expect(await ids('tag=new&tag=newer')).toEqual(both);
      expect((await act({ action: 'untag', ids: both, value: 'old' })).body.done).toBe(2);
      expect(await ids('tag=new&notTag=old')).toEqual(both);
      expect((await act({ action: 'visibility', ids: both, value: 'public' })).body.done).toBe(2);
      expect(await ids('tag=new&visibility=public')).toEqual(both);
      expect((await act({ action: 'delete', ids: both })).body.done).toBe(2);
      expect(await ids('tag=new')).toEqual([]);
      expect(await ids('tag=new&deleted=only')).toEqual(both);
      expect((await act({ action: 'restore', ids: both })).body.done).toBe(2);
      expect(await ids('tag=new')).toEqual(both);
    }
    expect((await act({ action: 'purge', ids: both })).body.done).toBe(2);
    expect(await ids('tag=new&deleted=include')).toEqual([]);
  });

  test('one that cannot be changed leaves the others alone, and strangers stay unknown', async () => {
    const [own, other] = [await store('ann'), await store('bob', 'tags=bobs')];
    const { body } = await act({ action: 'tag', ids: [own, other, '999999999'], value: 'x' });
    expect(body).toMatchObject({ matched: 1, done: 1 });
    expect(body.failed.map(({ id, problem }: { id: string; problem: { code: string } }) => [id, problem.code])).toEqual(
      expect.arrayContaining([
        [other, 'not_found'],
        ['999999999', 'not_found'],
      ]),
    );
    expect(await ids('tag=bobs&notTag=x', 'bob')).toEqual([other]);
    expect((await act({ action: 'tag', ids: [own, other], value: 'y' }, asAdmin())).body.done).toBe(2);
  });

  test('a tag too many is told for its item', async () => {
    const full = await store('ann', Array.from({ length: 64 }, (_value, index) => `tags=t${index}`).join('&'));
    const { body } = await act({ action: 'tag', ids: [full], value: 'one-more' });
    expect(body).toMatchObject({ matched: 1, done: 0, failed: [{ id: full, problem: { code: 'invalid_request' } }] });
  });
});

describe('by a filter', () => {
  test('takes the parameters of a search as JSON, single values too', async () => {
    const kept = await store('ann', 'tags=batch&toolName=other');
    const wanted = [
      await store('ann', 'tags=batch&toolName=One'),
      await store('ann', 'tags=batch&toolName=one'),
    ].toSorted();
    const filter = { tag: 'batch', toolName: 'ONE', q: null };
    expect((await act({ action: 'tag', filter, value: 'hit', dryRun: true })).body).toEqual({
      matched: 2,
      done: 0,
      failed: [],
    });
    expect(await ids('tag=hit')).toEqual([]);
    expect((await act({ action: 'tag', filter, value: 'hit' })).body).toEqual({ matched: 2, done: 2, failed: [] });
    expect(await ids('tag=hit')).toEqual(wanted);
    expect((await act({ action: 'delete', filter: { tag: ['hit'], notModel: ['x'] } })).body.done).toBe(2);
    expect(await ids('tag=batch')).toEqual([kept]);
    expect((await act({ action: 'restore', filter: { tag: ['hit'] } })).body).toMatchObject({ matched: 2, done: 2 });
  });

  test('reaches the items of the token alone', async () => {
    const bobs = await store('bob', 'tags=shared');
    await store('ann', 'tags=shared');
    expect((await act({ action: 'delete', filter: { tag: ['shared'] } })).body.matched).toBe(1);
    expect(await ids('tag=shared', 'bob')).toEqual([bobs]);
    expect((await act({ action: 'delete', filter: { userId: 'bob' } })).body).toMatchObject({ code: 'user_mismatch' });
  });

  test('metadata comes as an object or as text', async () => {
    const id = await store('ann', `metadata=${encodeURIComponent('{"campaign":"c1"}')}`);
    for (const metadata of [{ campaign: 'c1' }, '{"campaign":"c1"}'])
      expect((await act({ action: 'tag', filter: { metadata }, value: 'm', dryRun: true })).body.matched).toBe(1);
    expect(id).toBeDefined();
    expect((await act({ action: 'tag', filter: { metadata: '[' }, value: 'm' })).body).toMatchObject({
      code: 'invalid_metadata',
    });
  });
});

test.each([
  [{ action: 'tag', value: 'x' }, 'ids'],
  [{ action: 'tag', ids: ['1'], filter: {}, value: 'x' }, 'ids'],
  [{ action: 'tag', ids: ['1'] }, 'value'],
  [{ action: 'tag', ids: ['1'], value: [' '] }, 'value'],
  [{ action: 'visibility', ids: ['1'], value: 'secret' }, 'value'],
  [{ action: 'delete', ids: ['1'], value: 'x' }, 'value'],
  [{ action: 'explode', ids: ['1'] }, 'action'],
  [{ action: 'delete', ids: ['abc'] }, 'ids.0'],
  [{ action: 'delete', ids: Array.from({ length: 1001 }, () => '1') }, 'ids'],
  [{ action: 'delete', filter: { tagz: 'x' } }, 'tagz'],
  [{ action: 'delete', filter: { limit: 3 } }, 'limit'],
])('%j is refused', async (payload, field) => {
  expect((await act(payload)).body).toMatchObject({ status: 400, code: 'invalid_request', field });
});

test('more than 1,000 matches become a task, which tells its progress and survives its worker', async () => {
  await sql`INSERT INTO generated_images (user_id, prompt, storage_url, status, tags)
    SELECT 'cat', 'many', '', 'failed', ARRAY['many'] FROM generate_series(1, 1205)`.execute(t.deps.db);
  const cat = asUser('cat');
  const { status, location, body } = await act({ action: 'tag', filter: { tag: ['many'] }, value: 'done' }, cat);
  expect([status, body.task]).toMatchObject([202, { state: 'queued', action: 'tag', matched: 1205, done: 0 }]);
  expect(location).toBe(`/v1/tasks/${body.task.id}`);
  const read = async (headers = cat) => (await t.app.inject({ url: location, headers })).json();
  expect(await read(asUser('dog'))).toMatchObject({ status: 404 });
  // The first worker is stopped within its turn.
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 300);
  await runActionTask(t.deps, stop.signal, Date.now() + 60_000);
  await vi.waitFor(async () => {
    await runActionTask(t.deps, undefined, Date.now() + 60_000);
    expect(await read()).toMatchObject({ state: 'done', done: 1205, failedCount: 0, failed: [] });
  }, 200_000);
  const total = await t.app.inject({ url: '/v1/media?tag=done&includeTotal=true&limit=1', headers: cat });
  expect(total.json().total).toBe(1205);
  expect((await read()).finishedAt).not.toBeNull();
}, 240_000);
