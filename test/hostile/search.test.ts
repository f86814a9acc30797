// Case numbers in titles are those of the table in docs/threat-model.md.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged, expectTraces, traces } from '../support/traces.ts';

let t: TestApp;
let salt = 0;
beforeAll(async () => {
  t = await createTestApp();
  for (let index = 0; index < 5; index += 1) await store({ prompt: `fox ${index}`, toolName: 'paint' });
  await store({ prompt: 'bear' }, asUser('bob'));
  await store({ prompt: 'bear' }, asUser('bob'));
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});

const alice = asUser('alice');
const get = (query: Record<string, string>, headers: Record<string, string> = alice, path = '/v1/media') =>
  t.app.inject({ url: `${path}?${new URLSearchParams(query).toString()}`, headers });
const store = (fields: object, headers: Record<string, string> = alice) =>
  t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers,
    payload: { source: { type: 'base64', data: png(1, 1, (salt += 1)).toString('base64') }, ...fields },
  });

test.each(['0', '-1', '1000000000', '201', 'NaN', 'Infinity', '1.5', '', ' ', '١', '1e400', 'null', '1;DROP TABLE x'])(
  'case 53: limit=%j is refused in every listing',
  async (limit) => {
    for (const path of ['/v1/media', '/v1/failures', '/v1/runs', '/v1/jobs', '/v1/tags']) {
      const response = await get({ limit: path === '/v1/tags' && limit === '201' ? '1001' : limit }, alice, path);
      expect(response.json()).toMatchObject({ status: 400, code: 'invalid_request', field: 'limit' });
    }
  },
);

const cursorOf = async (query: Record<string, string> = {}, headers: Record<string, string> = alice) =>
  (await get({ limit: '1', ...query }, headers)).json().nextCursor as string;
const flip = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

test('case 53: a cursor that was cut, changed, forged or made up is refused', async () => {
  const cursor = await cursorOf();
  const [key = '', payload = '', mac = ''] = cursor.split('~');
  const position = Buffer.from(payload, 'base64url').toString();
  const forged = Buffer.from(position.replace(/ \d+$/, ' 999999')).toString('base64url');
  const wrong = [
    cursor.slice(0, -1),
    cursor.slice(0, cursor.length / 2),
    `${cursor}A`,
    `${key}~${forged}~${mac}`,
    `other~${payload}~${mac}`,
    `${key}~${payload}~`,
    `${key}~${payload}`,
    `${cursor}~${mac}`,
    '..',
    '.',
    '~~',
    '~',
    'mkc_',
    "' OR 1=1 --",
    Buffer.from(position).toString('base64url'),
    'x'.repeat(2000),
    ...[0, key.length + 1, key.length + 5, cursor.length - 2].map((at) => flip(cursor, at)),
  ];
  expect((await get({ limit: '1', cursor })).statusCode).toBe(200);
  for (const given of wrong)
    expect((await get({ limit: '1', cursor: given })).json()).toMatchObject({ status: 400, code: 'invalid_cursor' });
});

test('case 53: a cursor is valid only for its own caller, filter, order and listing', async () => {
  const cursor = await cursorOf({ toolName: 'paint' });
  expect((await get({ limit: '2', toolName: 'paint', cursor })).statusCode).toBe(200);
  const misused = await Promise.all([
    get({ cursor }),
    get({ cursor, toolName: 'other' }),
    get({ cursor, toolName: 'paint', q: 'fox' }),
    get({ cursor, toolName: 'paint', tag: 'x' }),
    get({ cursor, toolName: 'paint', sort: 'createdAt:asc' }),
    get({ cursor, toolName: 'paint' }, alice, '/v1/failures'),
    get({ cursor, toolName: 'paint' }, asUser('bob')),
    get({ cursor, toolName: 'paint' }, asAdmin()),
  ]);
  for (const response of misused) expect(response.json()).toMatchObject({ status: 400, code: 'invalid_cursor' });
});

test('case 53: a signed URL’s token is no cursor, and a cursor no signed URL', async () => {
  const [item] = (await get({ limit: '1' })).json().items;
  const signed = await t.app.inject({ method: 'POST', url: `/v1/media/${item.id}/url`, headers: alice, payload: {} });
  const token = signed.json().url.split('/').at(-1);
  expect((await get({ cursor: token })).json()).toMatchObject({ status: 400, code: 'invalid_cursor' });
  const response = await t.app.inject({ url: `/v1/signed/${await cursorOf()}` });
  expect(response.json()).toMatchObject({ status: 403, code: 'signature_invalid' });
});

test.each([
  'limit=1&limit=2',
  'cursor=a&cursor=b',
  'sort=createdAt:asc&sort=createdAt:desc',
  'userId=alice&userId=bob',
  'q=a&q=b',
])('case 54: %s is refused', async (query) => {
  const response = await t.app.inject({ url: `/v1/media?${query}`, headers: alice });
  expect(response.json()).toMatchObject({ status: 400 });
  const upload = await t.app.inject({
    method: 'POST',
    url: `/v1/media?prompt=a&prompt=b`,
    headers: { 'content-type': 'image/png', ...alice },
    payload: png(),
  });
  expect(upload.json()).toMatchObject({ status: 400, code: 'invalid_request' });
});

test.each([
  'fox & !bear',
  'fox:*',
  '((((',
  ')',
  '"unbalanced',
  "'",
  "''''",
  '\\',
  ':',
  '!',
  '|',
  '<->',
  '<9999999>',
  '-',
  '"" or or -',
  '*',
  '%',
  '_',
  'a'.repeat(500),
  '🦊'.repeat(250),
  '\u202e',
  'or',
  'fox\n\t"',
])('case 55: q=%j is a search and never an error', async (q) => {
  const response = await get({ q, includeTotal: 'true' });
  expect(response.statusCode).toBe(200);
  for (const item of response.json().items) expect(item.userId).toBe('alice');
});

test('case 55: operators are words: q=fox:* finds no more than q=fox', async () => {
  const total = async (q: string) => (await get({ q, includeTotal: 'true' })).json().total;
  expect(await total('fo:*')).toBe(0);
  expect(await total('fox')).toBe(5);
});

const DATES = [
  'infinity',
  '-infinity',
  'now',
  'today',
  'epoch',
  '290000-01-01T00:00:00Z',
  '+290000-01-01T00:00:00Z',
  '-000001-01-01T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-01-01T24:00:01Z',
  '2026-01-01T00:00:00',
  '2026-01-01T00:00:00+25:00',
  '2026-01-01',
  '2026-01-01T00:00:00Z; DROP TABLE x',
  '1767225600',
  '',
];
test.each(DATES)('case 56: the time %j is refused in a search, an upload and a change', async (time) => {
  const before = await traces(t);
  const [item] = (await get({ limit: '1' })).json().items;
  const responses = [
    await get({ createdAfter: time }),
    await get({ createdBefore: time }),
    await store({ generatedAt: time }),
    await store({ expiresAt: time }),
    await t.app.inject({ method: 'PATCH', url: `/v1/media/${item.id}`, headers: alice, payload: { expiresAt: time } }),
  ];
  for (const response of responses) expect(response.json()).toMatchObject({ status: 400, code: 'invalid_request' });
  await expectTraces(t, before);
});

test.each([
  ['0001-01-01T00:00:00+14:00', 'before the first year'],
  ['9999-12-31T23:59:59-14:00', 'after the last year'],
  ['9999-12-31T23:59:59.9999999Z', 'rounded up into the year 10000'],
])('case 56: %s, %s, is refused or answered as a time', async (time) => {
  const before = await traces(t);
  const response = await store({ expiresAt: time });
  expect(response.json()).toMatchObject({ status: 400, code: 'invalid_request', field: 'expiresAt' });
  await expectTraces(t, before);
  expect((await get({ createdBefore: time })).statusCode).toBe(400);
});

test('case 56: the first and the last possible second are kept exactly', async () => {
  for (const time of ['0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.000Z'])
    expect((await store({ expiresAt: time })).json().expiresAt).toBe(time);
});

test('case 57: a tag of 9 KB is refused, one of 64 characters of four bytes is kept and found', async () => {
  const before = await traces(t);
  expect((await store({ tags: ['x'.repeat(9000)] })).statusCode).toBe(400);
  expect((await store({ tags: ['x'.repeat(65)] })).statusCode).toBe(400);
  expect((await store({ tags: Array.from({ length: 65 }, (_value, index) => `t${index}`) })).statusCode).toBe(400);
  expect((await get({ tag: 'x'.repeat(9000) })).statusCode).toBe(400);
  await expectTraces(t, before);
  const longest = '🦊'.repeat(64);
  expect(
    (
      await store({
        tags: Array.from({ length: 64 }, (_value, index) =>
          [...longest]
            .with(0, String(index % 10))
            .with(1, String((index / 10) | 0))
            .join(''),
        ),
      })
    ).statusCode,
  ).toBe(201);
  expect((await store({ tags: [longest] })).json().tags).toEqual([longest]);
  expect((await get({ tag: longest })).json().items).toHaveLength(1);
});

test.each([
  '{x}',
  'NULL',
  'null',
  '"',
  "'",
  '\\',
  '\\"',
  'a,b',
  '{',
  '}',
  '{}',
  '{"a","b"}',
  '$1',
  '::text',
  '--',
  ';',
])('case 58: the tag %j is kept and found as it is', async (tag) => {
  const item = (await store({ tags: [tag, `${tag}!`] })).json();
  expect(item.tags).toEqual([tag, `${tag}!`]);
  const found = (await get({ tag })).json().items;
  expect(found.map((entry: { id: string }) => entry.id)).toEqual([item.id]);
  const any = await t.app.inject({
    url: `/v1/media?tagMode=any&tag=${encodeURIComponent(tag)}&tag=nothing`,
    headers: alice,
  });
  expect(any.json().items).toHaveLength(1);
});

test('case 59: %, _ and \\ in a prefix of tags match literally', async () => {
  const carol = asUser('carol');
  await store({ tags: ['a%b', 'a_b', 'a\\b', 'axb', 'a', '100%'] }, carol);
  const tags = async (prefix: string) =>
    (await get({ prefix }, carol, '/v1/tags')).json().tags.map((entry: { tag: string }) => entry.tag);
  expect(await tags('a%')).toEqual(['a%b']);
  expect(await tags('a_')).toEqual(['a_b']);
  expect(await tags('a\\')).toEqual(['a\\b']);
  expect(await tags('%')).toEqual([]);
  expect(await tags('_')).toEqual([]);
  expect(await tags('\\')).toEqual([]);
  expect((await tags('a')).toSorted()).toEqual(['a', 'a%b', 'a\\b', 'a_b', 'axb']);
});

test.each([
  ['metadata', '{"a":"\u0000"}'],
  ['metadata', '{"a":"\\u0000"}'],
  ['metadata', '{"a":1e400}'],
  ['metadata', '[1]'],
  ['metadata', '"text"'],
  ['metadata', 'null'],
  ['metadata', '{'],
  ['projectId', 'not-a-uuid'],
  ['mediaType', 'text'],
  ['tagMode', 'none'],
  ['sort', 'createdAt:desc; DROP TABLE x'],
  ['includeTotal', 'maybe'],
  ['offset', '1'],
])('cases 49 to 58: a search with %s=%j is refused', async (name, value) => {
  expect((await get({ [name]: value })).statusCode).toBe(400);
});

test('case 11: a tag is one tag in either normal form, and found in both', async () => {
  const dora = asUser('dora');
  const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301'];
  const item = (await store({ tags: [decomposed, ` ${composed} `] }, dora)).json();
  expect(item.tags).toEqual([composed]);
  for (const tag of [composed, decomposed, ` ${composed}`]) {
    expect((await get({ tag }, dora)).json().items).toHaveLength(1);
    expect((await get({ tag, tagMode: 'any' }, dora)).json().items).toHaveLength(1);
  }
  for (const prefix of ['caf\u00e9', 'cafe\u0301'])
    expect((await get({ prefix }, dora, '/v1/tags')).json().tags).toEqual([{ tag: composed, count: 1 }]);
});
