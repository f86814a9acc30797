import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

interface Item {
  id: string;
  userId: string;
  prompt: string;
}

async function find(
  query: string,
  headers = asAdmin(),
  path = '/v1/media',
): Promise<{ items: Item[]; nextCursor: string | null; total?: number }> {
  const response = await t.app.inject({ url: `${path}?${query}`, headers });
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
}

async function store(fields: Record<string, unknown>): Promise<Item> {
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...asAdmin(), 'content-type': 'application/json' },
    payload: { source: { type: 'base64', data: png().toString('base64') }, ...fields },
  });
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
}

test.each([
  ['userId', 'f-user'],
  ['toolName', 'painter'],
  ['model', 'flux-1'],
  ['provider', 'fal'],
  ['jobId', 'job-1'],
  ['runId', 'run-1'],
  ['requestId', 'req-1'],
  ['messageId', 'msg-1'],
  ['externalId', 'ext-1'],
])('the filter %s finds the item and nothing else', async (name, value) => {
  const wanted = await store({ userId: 'filters', [name]: value });
  await store({ userId: 'filters', [name === 'userId' ? 'prompt' : name]: `${value}-other` });
  expect((await find(`${name}=${value}`)).items.map((item) => item.id)).toEqual([wanted.id]);
});

test('status, type, store, project, scene, seed and sampler filter too', async () => {
  const projectId = 'a0000000-0000-4000-8000-000000000001';
  const item = await store({ userId: 'more', projectId, sceneId: 's1', generation: { seed: 42, sampler: 'euler' } });
  const failed = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...asAdmin(), 'content-type': 'application/json' },
    payload: { userId: 'more', status: 'failed', error: 'x' },
  });
  const ids = async (query: string) => (await find(`userId=more&${query}`)).items.map((found) => found.id);
  expect(await ids('status=success')).toEqual([item.id]);
  expect(await ids('status=failed')).toEqual([failed.json().id]);
  expect(await ids('mediaType=image&mimeType=image/png&storageProvider=local')).toEqual([item.id]);
  expect(await ids(`projectId=${projectId}&sceneId=s1`)).toEqual([item.id]);
  expect(await ids('seed=42&sampler=euler')).toEqual([item.id]);
  expect(await ids('seed=43')).toEqual([]);
});

test('tags match all or any, metadata by containment, text by words and phrases', async () => {
  const a = await store({
    userId: 'words',
    tags: ['x', 'y'],
    metadata: { job: { kind: 'a' }, list: [1, 2] },
    prompt: 'a red fox in the snow',
  });
  const b = await store({ userId: 'words', tags: ['y'], metadata: { job: { kind: 'b' } }, prompt: 'a blue whale' });
  const ids = async (query: string) => (await find(`userId=words&${query}`)).items.map((found) => found.id);
  expect(await ids('tag=x&tag=y')).toEqual([a.id]);
  expect(await ids('tag=x&tag=y&tagMode=any')).toEqual([b.id, a.id]);
  expect(await ids(`metadata=${encodeURIComponent('{"job":{"kind":"a"}}')}`)).toEqual([a.id]);
  expect(await ids(`metadata=${encodeURIComponent('{"list":[2]}')}`)).toEqual([a.id]);
  expect(await ids('q=FOX')).toEqual([a.id]);
  expect(await ids(`q=${encodeURIComponent('"fox red"')}`)).toEqual([]);
  expect(await ids('q=fox%20or%20whale')).toEqual([b.id, a.id]);
  expect(await ids('q=-fox%20a')).toEqual([b.id]);
});

test('tags come as `tag`, as `tags` separated by commas, or as both', async () => {
  const a = await store({ userId: 'commas', tags: ['x', 'y', 'z'] });
  const b = await store({ userId: 'commas', tags: ['y'] });
  const c = await store({ userId: 'commas', tags: ['p, q'] });
  const ids = async (query: string) => (await find(`userId=commas&${query}`)).items.map((found) => found.id);
  expect(await ids('tags=x,y')).toEqual([a.id]);
  expect(await ids('tags=x&tags=y')).toEqual([a.id]);
  expect(await ids('tags=y')).toEqual([b.id, a.id]);
  expect(await ids('tag=x&tags=z,%20y,')).toEqual([a.id]);
  expect(await ids('tag=none&tags=x')).toEqual([]);
  expect(await ids('tag=none&tags=x&tagMode=any')).toEqual([a.id]);
  expect(await ids('tags=')).toEqual([c.id, b.id, a.id]);
  expect(await ids(`tag=${encodeURIComponent('p, q')}`)).toEqual([c.id]);
  expect(await ids('tags=p,q')).toEqual([]);
  expect((await find('userId=commas&tags=y', asAdmin(), '/v1/failures')).items).toEqual([]);
});

test('a search may name 64 tags in all', async () => {
  const names = (count: number) => Array.from({ length: count }, (_none, n) => `t${n}`).join(',');
  expect((await find(`tag=a&tags=${names(63)}`)).items).toEqual([]);
  const refused = await t.app.inject({ url: `/v1/media?tag=a&tags=${names(64)}`, headers: asAdmin() });
  expect(refused.json()).toMatchObject({ status: 400, code: 'invalid_request', field: 'tags' });
});

test('however the tags of a search are spread over `tag` and `tags`, it finds the same items', async () => {
  const names = ['a', 'b', 'ü', 'two words', '%'];
  await Promise.all(names.map((_name, n) => store({ userId: 'spread', tags: names.slice(n) })));
  const search = async (parts: [name: string, value: string][], tagMode: string) =>
    (await find(new URLSearchParams([['userId', 'spread'], ['tagMode', tagMode], ...parts]).toString())).items.map(
      (item) => item.id,
    );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom('tag', 'tags', 'joined')), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.constantFrom('all', 'any'),
      async (wanted, tagMode) => {
        const joined = wanted.filter(([, how]) => how === 'joined').map(([name]) => name);
        const single = wanted
          .filter(([, how]) => how !== 'joined')
          .map(([name, how]) => [how, name] as [string, string]);
        const spread = joined.length === 0 ? single : [...single, ['tags', joined.join(',')] as [string, string]];
        const plain = wanted.map(([name]) => ['tag', name] as [string, string]);
        expect(await search(spread, tagMode)).toEqual(await search(plain, tagMode));
      },
    ),
    { numRuns: 50 },
  );
});

test.each(['toolName', 'model', 'provider'])('the filter %s ignores case', async (name) => {
  const wanted = await store({ userId: 'cases', [name]: 'Flux ÄRA-1' });
  await store({ userId: 'cases', [name]: 'Flux ÄRA-12' });
  for (const value of ['Flux ÄRA-1', 'flux ära-1', 'FLUX ÄRA-1'])
    expect((await find(`userId=cases&${name}=${encodeURIComponent(value)}`)).items.map(({ id }) => id)).toEqual([
      wanted.id,
    ]);
});

test('the filter sampler ignores case, the filter seed does not', async () => {
  const item = await store({ userId: 'cases-2', generation: { seed: 'A1', sampler: 'DPM++ 2M Karras' } });
  const ids = async (query: string) => (await find(`userId=cases-2&${query}`)).items.map(({ id }) => id);
  expect(await ids(`sampler=${encodeURIComponent('dpm++ 2m KARRAS')}`)).toEqual([item.id]);
  expect(await ids(`sampler=${encodeURIComponent('dpm++ 2m')}`)).toEqual([]);
  expect(await ids('seed=A1')).toEqual([item.id]);
  expect(await ids('seed=a1')).toEqual([]);
});

test('the filter visibility finds public or private items, and no other value is accepted', async () => {
  const open = await store({ userId: 'views', visibility: 'public' });
  const closed = await store({ userId: 'views', visibility: 'private' });
  const ids = async (query: string) => (await find(`userId=views&${query}`)).items.map(({ id }) => id);
  expect(await ids('visibility=public')).toEqual([open.id]);
  expect(await ids('visibility=private')).toEqual([closed.id]);
  const refused = await t.app.inject({ url: '/v1/media?visibility=secret', headers: asAdmin() });
  expect(refused.json()).toMatchObject({ status: 400, field: 'visibility' });
});

test('rows with one timestamp neither repeat nor vanish between pages, in both directions', async () => {
  const made = await Promise.all(Array.from({ length: 23 }, () => store({ userId: 'ties' })));
  await sql`UPDATE generated_images SET created_at = '2026-01-01T00:00:00.123456Z' WHERE user_id = 'ties'`.execute(
    t.deps.db,
  );
  for (const sort of ['createdAt:desc', 'createdAt:asc']) {
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Awaited<ReturnType<typeof find>> = await find(
        `userId=ties&limit=5&sort=${sort}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      seen.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
    }
    const expected = made.map((item) => Number(item.id)).toSorted((a, b) => (sort === 'createdAt:asc' ? a - b : b - a));
    expect(seen.map(Number)).toEqual(expected);
  }
});

test('items with times beyond RFC 3339, as an older system may have left, neither repeat nor end a listing', async () => {
  const times = ['-infinity', '0044-03-15 12:00:00+00 BC', '2026-01-01', '2026-01-02', 'infinity', 'infinity'];
  const made: string[] = [];
  for (const time of times) {
    const { id } = await store({ userId: 'endless' });
    await sql`UPDATE generated_images SET created_at = ${time} WHERE id = ${id}`.execute(t.deps.db);
    made.push(id);
  }
  for (const sort of ['createdAt:asc', 'createdAt:desc']) {
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null && seen.length < 10;) {
      const page: Awaited<ReturnType<typeof find>> = await find(
        `userId=endless&limit=1&sort=${sort}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      seen.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(sort === 'createdAt:asc' ? made : made.toReversed());
  }
});

test('paging continues in place although items are stored in between', async () => {
  const made = [];
  for (let n = 0; n < 6; n += 1) made.push(await store({ userId: 'moving' }));
  const first = await find('userId=moving&limit=3');
  await store({ userId: 'moving' });
  const second = await find(`userId=moving&limit=3&cursor=${encodeURIComponent(first.nextCursor ?? '')}`);
  expect([...first.items, ...second.items].map((item) => item.id)).toEqual(made.toReversed().map((item) => item.id));
  expect(second.nextCursor).toBeNull();
});

test('the total is counted only on request, under the same filters', async () => {
  await store({ userId: 'total' });
  await store({ userId: 'total' });
  expect(await find('userId=total&limit=1')).not.toHaveProperty('total');
  expect((await find('userId=total&limit=1&includeTotal=true')).total).toBe(2);
});

test('times limit the search, and invalid times are refused', async () => {
  const item = await store({ userId: 'times' });
  await sql`UPDATE generated_images SET created_at = '2026-02-02T10:00:00Z' WHERE id = ${item.id}`.execute(t.deps.db);
  const ids = async (query: string) => (await find(`userId=times&${query}`)).items.length;
  expect(await ids('createdAfter=2026-02-02T09:59:59Z&createdBefore=2026-02-02T12:00:01%2B01:59')).toBe(1);
  expect(await ids('createdAfter=2026-02-02T10:00:00Z')).toBe(0);
  const refused = await t.app.inject({ url: '/v1/media?createdAfter=yesterday', headers: asAdmin() });
  expect(refused.json()).toMatchObject({ status: 400, field: 'createdAfter' });
});

test('failures are items that are neither successes nor pending', async () => {
  await store({ userId: 'fails' });
  await t.deps.db
    .insertInto('generated_images')
    .values([
      { user_id: 'fails', prompt: 'p', storage_url: '', status: 'pending' },
      { user_id: 'fails', prompt: 'q', storage_url: '', status: 'timeout' },
    ] as never)
    .execute();
  const page = await find('userId=fails', asAdmin(), '/v1/failures');
  expect(page.items.map((item) => item.prompt)).toEqual(['q']);
});

test('tags are counted and their prefix is literal', async () => {
  await store({ userId: 'tags', tags: ['50%', '50 percent', 'a_b', 'axb'] });
  await store({ userId: 'tags', tags: ['50%'] });
  const list = async (prefix: string) =>
    (
      await t.app.inject({ url: `/v1/tags?userId=tags&prefix=${encodeURIComponent(prefix)}`, headers: asAdmin() })
    ).json().tags;
  expect(await list('50%')).toEqual([{ tag: '50%', count: 2 }]);
  expect(await list('a_')).toEqual([{ tag: 'a_b', count: 1 }]);
});

test("stats return a user's totals and the part outside of the database", async () => {
  await store({ userId: 'stats', model: 'm1' });
  await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...asAdmin(), 'content-type': 'application/json' },
    payload: { userId: 'stats', status: 'failed', error: 'x' },
  });
  const response = await t.app.inject({ url: '/v1/stats', headers: asUser('stats') });
  expect(response.json()).toMatchObject({
    total: 2,
    uniqueUsers: 1,
    succeeded: 1,
    failed: 1,
    averageBytes: png().length,
    outsideDatabaseRatio: 1,
    atRisk: 0,
    byModel: [{ name: 'm1', count: 1 }],
  });
});

test("a user finds only its own items, and may not request others'", async () => {
  await store({ userId: 'mine' });
  await store({ userId: 'theirs' });
  expect((await find('', asUser('mine'))).items.every((item) => item.userId === 'mine')).toBe(true);
  const refused = await t.app.inject({ url: '/v1/media?userId=theirs', headers: asUser('mine') });
  expect(refused.json()).toMatchObject({ status: 403, code: 'user_mismatch' });
});

test.each([
  ['NUL', 'a%00b'],
  ['bytes that are not UTF-8', '%F0%9F'],
])('a tag with %s is refused in a search', async (_name, tag) => {
  for (const name of ['tag', 'tags']) {
    const answer = await t.app.inject({ url: `/v1/media?${name}=${tag}`, headers: asAdmin() });
    expect([answer.statusCode, answer.json().code]).toEqual([400, 'invalid_text']);
  }
});
