import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bigPng } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

/** What a search may ask of an item, as the test has stored it. */
interface Known {
  id: string;
  createdAt: string;
  /** Null: nobody said. */
  generatedAt: string | null;
  bytes: number | null;
  sha256: string | null;
  deleted: boolean;
  model: string | null;
  toolName: string | null;
  tags: string[];
}

let t: TestApp;
const known: Known[] = [];

const TAGS = ['a', 'b', 'ü'];
const MODELS = ['black-forest-labs/flux-schnell', 'SDXL', null];
const TOOLS = ['Painter', 'upscaler', null];
/** Of an older system, too, whose times RFC 3339 cannot tell. */
const RECORDED = [
  '-infinity',
  '2026-01-01 00:00:00.123456+00',
  '2026-01-01 00:00:00.123457+00',
  '2026-03-01 00:00:00+00',
];
const GENERATED = [null, '2025-12-31T00:00:00.5Z', '2026-01-01T00:00:00.123456Z', '2026-02-01T00:00:00Z'];

/** The `n`th choice of a list; `step` numbers pass before the next one. */
const nth = <T>(list: readonly T[], n: number, step = 1): T => list[Math.floor(n / step) % list.length]!;

async function store(n: number): Promise<void> {
  const file = bigPng(300 + 100 * (n % 3), n % 6);
  const [model, toolName, generatedAt] = [nth(MODELS, n), nth(TOOLS, n, 3), nth(GENERATED, n, 2)];
  const tags = TAGS.filter((_tag, bit) => (n >> bit) & 1);
  const fields = { userId: 'a', model, toolName, generatedAt, tags, prompt: `a fox, number ${n}` };
  const answer = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: asAdmin(),
    payload:
      n % 5 === 4
        ? { ...fields, status: 'failed', error: 'out of memory' }
        : { ...fields, source: { type: 'base64', data: file.toString('base64') } },
  });
  expect(answer.statusCode, answer.body).toBe(201);
  const { id } = answer.json();
  const createdAt = nth(RECORDED, n, 7);
  await sql`UPDATE generated_images SET created_at = ${createdAt} WHERE id = ${id}`.execute(t.deps.db);
  const deleted = n % 4 === 1;
  if (deleted)
    expect((await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}`, headers: asUser('a') })).statusCode).toBe(
      204,
    );
  const stored = n % 5 !== 4;
  known.push({
    id,
    createdAt,
    generatedAt,
    bytes: stored ? file.length : null,
    sha256: stored ? createHash('sha256').update(file).digest('hex') : null,
    deleted,
    model,
    toolName,
    tags,
  });
}

beforeAll(async () => {
  t = await createTestApp();
  for (let n = 0; n < 56; n += 1) await store(n);
  // Somebody else's, which nobody is to see.
  await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...asUser('b'), 'content-type': 'image/png' },
    payload: bigPng(300, 1),
  });
});
afterAll(() => t.close());

const time = (text: string): number => (text === '-infinity' ? -Infinity : Date.parse(text));
/** Parts of a second that JavaScript's times do not have. */
const digits = (text: string): number => Number(`0.${/\.(\d+)/.exec(text)?.[1] ?? '0'}`);
const compareTimes = (a: string, b: string): number => {
  const [first, second] = [time(a), time(b)];
  return first === second ? digits(a) - digits(b) : first < second ? -1 : 1;
};
const COMPARE: Readonly<Record<string, (a: Known, b: Known) => number>> = {
  createdAt: (a, b) => compareTimes(a.createdAt, b.createdAt),
  generatedAt: (a, b) => compareTimes(a.generatedAt ?? a.createdAt, b.generatedAt ?? b.createdAt),
  bytes: (a, b) => (a.bytes ?? 0) - (b.bytes ?? 0),
};

interface Asked {
  by: 'createdAt' | 'generatedAt' | 'bytes';
  order: 'asc' | 'desc';
  limit: number;
  path: '/v1/media' | '/v1/failures';
  deleted?: 'only' | 'include' | undefined;
  tag?: string | undefined;
  notTag: string[];
  notModel: string[];
  notToolName: string[];
  sha256?: string | undefined;
  q?: string | undefined;
}

/** What must be found, in order. */
function expected({ by, order, path, deleted, tag, notTag, notModel, notToolName, sha256, q }: Asked): string[] {
  const lower = (names: string[]) => names.map((name) => name.toLowerCase());
  const up = order === 'asc' ? 1 : -1;
  return known
    .filter((item) => deleted === 'include' || item.deleted === (deleted === 'only'))
    .filter((item) => path === '/v1/media' || item.bytes === null)
    .filter((item) => tag === undefined || item.tags.includes(tag))
    .filter((item) => !notTag.some((each) => item.tags.includes(each)))
    .filter((item) => !lower(notModel).includes((item.model ?? '').toLowerCase()))
    .filter((item) => !lower(notToolName).includes((item.toolName ?? '').toLowerCase()))
    .filter((item) => sha256 === undefined || item.sha256 === sha256.toLowerCase())
    .filter(() => q === undefined || q === 'fox')
    .toSorted((a, b) => up * (COMPARE[by]!(a, b) || Number(a.id) - Number(b.id)))
    .map((item) => item.id);
}

function queryOf({ by, order, limit, path: _path, ...conditions }: Asked): URLSearchParams {
  const query = new URLSearchParams({ sort: `${by}:${order}`, limit: String(limit) });
  for (const [name, value] of Object.entries(conditions))
    for (const each of [value].flat()) if (each !== undefined) query.append(name, each);
  return query;
}

/** All pages of a listing. */
async function page(asked: Asked, headers = asUser('a')): Promise<{ ids: string[]; total: number }> {
  const ids: string[] = [];
  const query = queryOf(asked);
  query.set('includeTotal', 'true');
  for (;;) {
    const answer = await t.app.inject({ url: `${asked.path}?${query.toString()}`, headers });
    expect(answer.statusCode, answer.body).toBe(200);
    const { items, nextCursor, total } = answer.json();
    expect(items.length).toBeLessThanOrEqual(asked.limit);
    ids.push(...items.map((item: Known) => item.id));
    if (nextCursor === null) return { ids, total };
    expect(items.length).toBeGreaterThan(0);
    expect(ids.length).toBeLessThan(1000);
    query.set('cursor', nextCursor);
  }
}

/** No conditions. */
const ANY = { path: '/v1/media' as const, notTag: [], notModel: [], notToolName: [] };

test.each(['createdAt', 'generatedAt', 'bytes'] as const)(
  'pages sorted by %s, rising or falling, show each item exactly once, deleted or not, with ties and missing values',
  async (by) => {
    for (const order of ['asc', 'desc'] as const)
      for (const deleted of [undefined, 'only', 'include'] as const)
        for (const limit of [1, 5, 200]) {
          const asked = { ...ANY, by, order, deleted, limit };
          const ids = expected(asked);
          expect([asked, await page(asked)]).toEqual([asked, { ids, total: ids.length }]);
        }
  },
);

test('conditions of every kind, combined in any way with an order, find what they say', async () => {
  const some = (...values: string[]) => fc.subarray(values, { maxLength: 2 });
  const hashes = known.flatMap(({ sha256 }) => sha256 ?? []);
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        by: fc.constantFrom('createdAt' as const, 'generatedAt' as const, 'bytes' as const),
        order: fc.constantFrom('asc' as const, 'desc' as const),
        limit: fc.constantFrom(1, 3, 7, 50),
        path: fc.constantFrom('/v1/media' as const, '/v1/media' as const, '/v1/failures' as const),
        deleted: fc.constantFrom(undefined, 'only' as const, 'include' as const),
        tag: maybe(fc.constantFrom(...TAGS)),
        notTag: some(...TAGS, 'none has it'),
        notModel: some('sdxl', 'Black-Forest-Labs/FLUX-schnell', 'another'),
        notToolName: some('PAINTER', 'Upscaler', 'another'),
        sha256: maybe(fc.constantFrom(...hashes, hashes[0]!.toUpperCase(), 'f'.repeat(64))),
        q: maybe(fc.constantFrom('fox', 'whale')),
      }),
      async (asked) => {
        const ids = expected(asked);
        expect(await page(asked)).toEqual({ ids, total: ids.length });
      },
    ),
    { numRuns: 60 },
  );
});

test('an item that is stored, deleted or restored between pages moves no other one', async () => {
  for (const by of ['generatedAt', 'bytes'] as const) {
    const asked = { ...ANY, by, order: 'asc' as const, limit: 4 };
    const all = expected(asked);
    const query = queryOf(asked);
    const first = (await t.app.inject({ url: `/v1/media?${query.toString()}`, headers: asUser('a') })).json();
    const [gone = ''] = all;
    const act = (method: 'DELETE' | 'POST', url: string) => t.app.inject({ method, url, headers: asUser('a') });
    expect((await act('DELETE', `/v1/media/${gone}`)).statusCode).toBe(204);
    query.set('cursor', first.nextCursor);
    const second = (await t.app.inject({ url: `/v1/media?${query.toString()}`, headers: asUser('a') })).json();
    expect(second.items.map((item: Known) => item.id)).toEqual(all.slice(4, 8));
    expect((await act('POST', `/v1/media/${gone}/restore`)).statusCode).toBe(200);
  }
});

test('a cursor of one order, or of one view of deleted items, is refused in another', async () => {
  const queries = [
    'sort=bytes:asc',
    'sort=bytes:desc',
    'sort=generatedAt:asc',
    'sort=createdAt:asc',
    'sort=bytes:asc&deleted=include',
    'sort=bytes:asc&notTag=x',
    'sort=bytes:asc&notModel=x',
    'sort=bytes:asc&notToolName=x',
  ];
  for (const one of queries) {
    const { nextCursor } = (await t.app.inject({ url: `/v1/media?limit=1&${one}`, headers: asUser('a') })).json();
    for (const other of queries) {
      const url = `/v1/media?limit=1&${other}&cursor=${encodeURIComponent(nextCursor)}`;
      const answer = await t.app.inject({ url, headers: asUser('a') });
      expect([one, other, answer.statusCode]).toEqual([one, other, one === other ? 200 : 400]);
      if (one !== other) expect(answer.json().code).toBe('invalid_cursor');
    }
  }
});

test('deleted items that a search finds say so, and belong to the one who asks', async () => {
  const { items } = (await t.app.inject({ url: '/v1/media?deleted=only&limit=200', headers: asUser('a') })).json();
  expect(items).toHaveLength(known.filter(({ deleted }) => deleted).length);
  for (const item of items) expect([item.userId, typeof item.deletedAt]).toEqual(['a', 'string']);
  const others = await t.app.inject({ url: '/v1/media?deleted=include', headers: asUser('b') });
  expect(others.json().items.map((item: { userId: string }) => item.userId)).toEqual(['b']);
});

test.each(['sort=bytes', 'sort=size:asc', 'sort=bytes:up', 'deleted=yes', 'deleted=', 'sha256=abc', 'sha256='])(
  '%s is refused with the name of the parameter',
  async (query) => {
    const answer = await t.app.inject({ url: `/v1/media?${query}`, headers: asUser('a') });
    expect(answer.json()).toMatchObject({ status: 400, field: query.split('=')[0] });
  },
);
