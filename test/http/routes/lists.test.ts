import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

interface Listed {
  items: ({ userId: string; status: string } & Record<string, unknown>)[];
  nextCursor: string | null;
}

async function list(path: string, headers = asAdmin()): Promise<Listed> {
  const response = await t.app.inject({ url: path, headers });
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
}

async function begin(userId: string, more: object = {}): Promise<string> {
  const payload = { inputText: `text of ${userId}`, ...more };
  const response = await t.app.inject({ method: 'POST', url: '/v1/runs', headers: asUser(userId), payload });
  return response.json().runId;
}

const register = (userId: string, jobId: string, provider = 'runpod') =>
  t.app.inject({
    method: 'PUT',
    url: `/v1/jobs/${provider}/${encodeURIComponent(jobId)}`,
    headers: asUser(userId),
    payload: { prompt: 'not shown' },
  });

/** All pages of a list, one after the other. */
async function pages(path: string, limit: number): Promise<Listed['items']> {
  const items: Listed['items'] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Listed = await list(
      `${path}&limit=${limit}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}

test('runs are listed newest first, as reading one returns it, without its items', async () => {
  const first = await begin('r-1', { transformedText: 'other text', metadata: { a: 1 } });
  const second = await begin('r-1');
  const { items, nextCursor } = await list('/v1/runs?userId=r-1');
  expect(items.map(({ runId }) => runId)).toEqual([second, first]);
  expect(nextCursor).toBeNull();
  const read = await list(`/v1/runs/${first}`);
  const { items: media, moreItems: _more, ...run } = read as Listed & { moreItems: boolean };
  expect(media).toEqual([]);
  expect(items[1]).toEqual(run);
});

test('runs are filtered by status', async () => {
  const open = await begin('r-2');
  const closed = await begin('r-2');
  await t.app.inject({ method: 'POST', url: `/v1/runs/${closed}/complete`, headers: asUser('r-2'), payload: {} });
  const ids = async (query: string) => (await list(`/v1/runs?userId=r-2&${query}`)).items.map(({ runId }) => runId);
  expect(await ids('')).toEqual([closed, open]);
  expect(await ids('status=open')).toEqual([open]);
  expect(await ids('status=completed')).toEqual([closed]);
  const refused = await t.app.inject({ url: '/v1/runs?status=done', headers: asAdmin() });
  expect(refused.json()).toMatchObject({ status: 400, code: 'invalid_request', field: 'status' });
});

test('jobs are listed newest first, as reading one returns it', async () => {
  await register('j-1', 'first');
  await register('j-1', 'second one', 'fal');
  const { items, nextCursor } = await list('/v1/jobs?userId=j-1');
  expect(items.map(({ provider, jobId }) => [provider, jobId])).toEqual([
    ['fal', 'second one'],
    ['runpod', 'first'],
  ]);
  expect(nextCursor).toBeNull();
  expect(items[1]).toEqual(await list('/v1/jobs/runpod/first'));
});

test('jobs are filtered by provider and status', async () => {
  await register('j-2', 'one');
  await register('j-2', 'two');
  await register('j-2', 'one', 'fal');
  await sql`UPDATE generation_jobs SET status = 'failed', error = 'no memory' WHERE user_id = 'j-2' AND job_id = 'two'`.execute(
    t.deps.db,
  );
  const names = async (query: string) =>
    (await list(`/v1/jobs?userId=j-2&${query}`)).items.map(
      ({ provider, jobId }) => `${String(provider)}/${String(jobId)}`,
    );
  expect(await names('provider=fal')).toEqual(['fal/one']);
  expect(await names('status=failed')).toEqual(['runpod/two']);
  expect(await names('status=queued')).toEqual(['fal/one', 'runpod/one']);
  expect(await names('provider=fal&status=failed')).toEqual([]);
  const refused = await t.app.inject({ url: '/v1/jobs?status=success', headers: asAdmin() });
  expect(refused.json()).toMatchObject({ status: 400, code: 'invalid_request', field: 'status' });
});

test.each(['/v1/runs', '/v1/jobs'])(
  'a user sees only its own in %s, a service those of all users or of one',
  async (path) => {
    for (const user of ['own', 'other']) {
      await begin(user);
      await register(user, `job of ${user}`);
    }
    const owners = async (query: string, headers = asAdmin()) =>
      new Set((await list(`${path}?limit=200&${query}`, headers)).items.map(({ userId }) => userId));
    expect(await owners('', asUser('own'))).toEqual(new Set(['own']));
    expect(await owners('userId=own', asUser('own'))).toEqual(new Set(['own']));
    expect([...(await owners(''))]).toEqual(expect.arrayContaining(['own', 'other']));
    expect(await owners('userId=other')).toEqual(new Set(['other']));
    const refused = await t.app.inject({ url: `${path}?userId=other`, headers: asUser('own') });
    expect(refused.json()).toMatchObject({ status: 403, code: 'user_mismatch', field: 'userId' });
  },
);

test.each([
  ['/v1/runs', 'status=open'],
  ['/v1/jobs', 'status=queued'],
])('a cursor of %s works only with the same filters, caller and list', async (path, filter) => {
  for (let n = 0; n < 2; n += 1) {
    await begin('c-1');
    await register('c-1', `job ${n}`);
  }
  const { nextCursor } = await list(`${path}?userId=c-1&limit=1&${filter}`);
  const cursor = encodeURIComponent(nextCursor ?? '');
  expect((await list(`${path}?userId=c-1&limit=5&${filter}&cursor=${cursor}`)).items).toHaveLength(1);
  const other = path === '/v1/runs' ? '/v1/jobs?status=queued' : '/v1/runs?status=open';
  for (const [url, headers] of [
    [`${path}?userId=c-1&cursor=${cursor}`, asAdmin()],
    [`${path}?userId=c-2&${filter}&cursor=${cursor}`, asAdmin()],
    [`${path}?userId=c-1&${filter}&cursor=${cursor}`, asUser('c-1')],
    [`${other}&userId=c-1&cursor=${cursor}`, asAdmin()],
    [`/v1/media?userId=c-1&cursor=${cursor}`, asAdmin()],
    [`${path}?userId=c-1&${filter}&cursor=${cursor.slice(0, -1)}`, asAdmin()],
    [`${path}?userId=c-1&${filter}&cursor=x`, asAdmin()],
  ] as const) {
    const response = await t.app.inject({ url, headers });
    expect(response.json(), url).toMatchObject({ status: 400, code: 'invalid_cursor', field: 'cursor' });
  }
});

test('pages of runs and jobs neither repeat nor leave out any, whatever their ids, and with one time for several', async () => {
  const ids = fc.uniqueArray(
    fc.oneof(
      fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }).filter((id) => !id.includes('\0')),
      fc.constantFrom('a b', ' ', '_', 'A', 'a', '🦊'.repeat(100)),
    ),
    { minLength: 1, maxLength: 12 },
  );
  let user = 0;
  await fc.assert(
    fc.asyncProperty(ids, fc.integer({ min: 1, max: 5 }), async (names, limit) => {
      const userId = `paged-${(user += 1)}`;
      const providers = ['fal', 'runpod'];
      for (const [n, id] of names.entries()) {
        const at = sql<string>`'2026-03-01 10:00:00.123456+00'::timestamptz + ${sql.lit(n % 3)} * interval '1 microsecond'`;
        await sql`INSERT INTO runs (id, user_id, input_text, store, created_at) VALUES (${`${userId} ${id}`}, ${userId}, '', 'local', ${at})`.execute(
          t.deps.db,
        );
        await sql`INSERT INTO generation_jobs (provider, job_id, user_id, created_at) VALUES (${providers[n % 2]}, ${`${userId} ${id}`}, ${userId}, ${at})`.execute(
          t.deps.db,
        );
      }
      for (const [path, name] of [
        ['/v1/runs', 'runId'],
        ['/v1/jobs', 'jobId'],
      ] as const) {
        const found = await pages(`${path}?userId=${userId}`, limit);
        expect(found.map((item) => String(item[name])).toSorted()).toEqual(
          names.map((id) => `${userId} ${id}`).toSorted(),
        );
        const times = found.map(({ createdAt }) => String(createdAt));
        expect(times).toEqual(times.toSorted().toReversed());
      }
    }),
    { numRuns: 25 },
  );
});

test('a page of large runs or jobs ends before 8 MiB, and the next one goes on', async () => {
  const text = 'x'.repeat(250_000);
  await sql`INSERT INTO runs (id, user_id, input_text, transformed_text, store)
    SELECT 'large-' || n, 'large', ${text}, ${text}, 'local' FROM generate_series(1, 40) AS n`.execute(t.deps.db);
  await sql`INSERT INTO generation_jobs (provider, job_id, user_id, error, timings)
    SELECT 'fal', 'large-' || n, 'large', ${text}, jsonb_build_object('log', ${text}::text) FROM generate_series(1, 40) AS n`.execute(
    t.deps.db,
  );
  for (const path of ['/v1/runs', '/v1/jobs']) {
    const first = await t.app.inject({ url: `${path}?userId=large&limit=200`, headers: asAdmin() });
    expect(first.rawPayload.length).toBeLessThan(8.1 * 1024 * 1024);
    expect(first.json().items.length).toBeGreaterThan(10);
    expect(await pages(`${path}?userId=large`, 200)).toHaveLength(40);
  }
});
