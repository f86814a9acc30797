import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp, token } from '../../support/test-app.ts';

let t: TestApp;
let id: string;
let etag: string;
let modified: number;
const ann = asUser('ann');
const bytes = png(20, 20);
beforeAll(async () => {
  t = await createTestApp({ CORS_ORIGINS: 'https://app.example.com' });
  id = await store('ann');
  const { headers } = await get({});
  etag = String(headers['etag']);
  modified = Date.parse(String(headers['last-modified']));
});
afterAll(() => t.close());

async function store(userId: string, fields = ''): Promise<string> {
  const made = await t.app.inject({
    method: 'POST',
    url: `/v1/media${fields}`,
    headers: { 'content-type': 'image/png', ...asUser(userId) },
    payload: bytes,
  });
  return made.json().id;
}
const get = (headers: Record<string, string>, method: 'GET' | 'HEAD' = 'GET') =>
  t.app.inject({ method, url: `/v1/media/${id}/content`, headers: { ...ann, ...headers } });
const at = (seconds: number) => new Date(modified + seconds * 1000).toUTCString();

describe('conditions on content', () => {
  test.each(['GET', 'HEAD'] as const)('%s: tags win over dates, and conditions over ranges', async (method) => {
    const cases: [Record<string, string>, number][] = [
      [{ 'if-match': etag }, 200],
      [{ 'if-match': '*' }, 200],
      [{ 'if-match': `"other", ${etag}` }, 200],
      [{ 'if-match': '"other"' }, 412],
      [{ 'if-match': `W/${etag}` }, 412],
      [{ 'if-unmodified-since': at(0) }, 200],
      [{ 'if-unmodified-since': at(-1) }, 412],
      [{ 'if-unmodified-since': 'nonsense' }, 200],
      [{ 'if-match': etag, 'if-unmodified-since': at(-1) }, 200],
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': `W/${etag}` }, 304],
      [{ 'if-none-match': '"other"' }, 200],
      [{ 'if-modified-since': at(0) }, 304],
      [{ 'if-modified-since': at(60) }, 304],
      [{ 'if-modified-since': at(-1) }, 200],
      [{ 'if-none-match': '"other"', 'if-modified-since': at(60) }, 200],
      [{ 'if-match': '"other"', 'if-none-match': etag }, 412],
      [{ 'if-match': etag, 'if-none-match': etag }, 304],
    ];
    for (const [headers, status] of cases) {
      const answer = await get(headers, method);
      expect([headers, answer.statusCode]).toEqual([headers, status]);
      if (status === 304) expect(answer.headers).toMatchObject({ etag, 'last-modified': at(0) });
      if (status === 412 && method === 'GET') expect(answer.json()).toMatchObject({ code: 'precondition_failed' });
      if (status === 412) expect(answer.headers['etag']).toBeUndefined();
    }
  });

  test('a range is sent on the right tag or date, else the whole', async () => {
    const range = { range: 'bytes=0-9' };
    for (const [value, status] of [
      [etag, 206],
      [at(0), 206],
      [at(1), 200],
      [`W/${etag}`, 200],
      ['"other"', 200],
      ['nonsense', 200],
    ] as const)
      expect([value, (await get({ ...range, 'if-range': value })).statusCode]).toEqual([value, status]);
    expect((await get({ ...range, 'if-match': '"other"' })).statusCode).toBe(412);
  });

  test('a page of another origin may read what ranges need', async () => {
    const { headers } = await get({ origin: 'https://app.example.com' });
    const exposed = String(headers['access-control-expose-headers']).toLowerCase().split(/,\s*/);
    expect(exposed).toEqual(expect.arrayContaining(['accept-ranges', 'content-range', 'last-modified', 'etag']));
  });
});

describe('the tag of a record', () => {
  const record = (method: 'GET' | 'PATCH' | 'DELETE', item: string, headers = {}, payload?: object) =>
    t.app.inject({
      method,
      url: `/v1/media/${item}`,
      headers: { ...ann, ...headers },
      ...(payload && { payload }),
    });
  const tagOf = async (item: string) => String((await record('GET', item)).headers['etag']);

  test('changes with edits, and with nothing else', async () => {
    const item = await store('ann');
    const first = await tagOf(item);
    await t.deps.db.updateTable('generated_images').set({ thumbhash: 'x' }).where('id', '=', item).execute();
    await t.app.inject({ url: `/v1/media/${item}/content`, headers: ann });
    expect(await tagOf(item)).toBe(first);
    const patched = await record('PATCH', item, {}, { prompt: 'a' });
    const second = String(patched.headers['etag']);
    expect(second).not.toBe(first);
    expect(await tagOf(item)).toBe(second);
    await record('DELETE', item);
    const restored = await t.app.inject({ method: 'POST', url: `/v1/media/${item}/restore`, headers: ann });
    const third = String(restored.headers['etag']);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(await tagOf(item)).toBe(third);
    // What changes nothing is no edit.
    await t.app.inject({ method: 'POST', url: `/v1/media/${item}/restore`, headers: ann });
    expect(await tagOf(item)).toBe(third);
  });

  test('of two editors that read the same, one gets 412, and nothing of it is kept', async () => {
    const item = await store('ann');
    const tag = await tagOf(item);
    const answers = await Promise.all(
      ['one', 'two', 'three'].map((prompt) => record('PATCH', item, { 'if-match': tag }, { prompt })),
    );
    expect(answers.map((answer) => answer.statusCode).toSorted((a, b) => a - b)).toEqual([200, 412, 412]);
    const kept = answers.find((answer) => answer.statusCode === 200)?.json().prompt;
    expect((await record('GET', item)).json().prompt).toBe(kept);
  });

  test.each(['PATCH', 'DELETE', 'restore', 'purge'])('%s with an old tag changes nothing', async (what) => {
    const item = await store('ann');
    const old = await tagOf(item);
    await record('PATCH', item, {}, { prompt: 'newer' });
    const send = (tag: string) =>
      what === 'PATCH'
        ? record('PATCH', item, { 'if-match': tag }, { prompt: 'lost' })
        : what === 'restore'
          ? t.app.inject({ method: 'POST', url: `/v1/media/${item}/restore`, headers: { ...ann, 'if-match': tag } })
          : t.app.inject({
              method: 'DELETE',
              url: `/v1/media/${item}${what === 'purge' ? '?purge=true' : ''}`,
              headers: { ...ann, 'if-match': tag },
            });
    expect((await send(old)).json()).toMatchObject({ status: 412, code: 'precondition_failed', field: 'If-Match' });
    expect((await record('GET', item)).json()).toMatchObject({ prompt: 'newer', deletedAt: null });
    expect([200, 204]).toContain((await send(`"x", W/${await tagOf(item)}`)).statusCode);
  });

  test('another version that becomes current changes the tags of both', async () => {
    const scene = '/v1/projects/a1b2c3d4-0000-4000-8000-000000000009/scenes/one';
    const next = async () =>
      (
        await t.app.inject({
          method: 'POST',
          url: scene,
          headers: { 'content-type': 'image/png', ...ann },
          payload: bytes,
        })
      ).json().id as string;
    const first = await next();
    const whileCurrent = await tagOf(first);
    const second = await next();
    expect(await tagOf(first)).not.toBe(whileCurrent);
    const secondCurrent = await tagOf(second);
    await t.app.inject({ method: 'PUT', url: `${scene}/current`, headers: ann, payload: { version: 1 } });
    expect(await tagOf(second)).not.toBe(secondCurrent);
    expect((await record('PATCH', second, { 'if-match': secondCurrent }, { prompt: 'x' })).statusCode).toBe(412);
  });
});

describe('tokens', () => {
  const status = async (authorization: string) =>
    (await t.app.inject({ url: '/v1/media', headers: { authorization } })).statusCode;
  const now = () => Math.floor(Date.now() / 1000);
  const read = { sub: 'ann', scope: 'media:read' };

  test('several spaces behind Bearer are one', async () => {
    expect(await status(`Bearer   ${token(read)}`)).toBe(200);
    expect(await status(`bearer ${token(read)}`)).toBe(200);
    expect(await status(`Bearer ${token(read)} x`)).toBe(401);
  });

  test.each([
    ['exp', -15, 200],
    ['exp', -40, 401],
    ['nbf', 20, 200],
    ['nbf', 90, 401],
    ['iat', 20, 200],
  ])('clocks may be 30 seconds apart: %s of %d seconds', async (claim, seconds, expected) => {
    const claims = { [claim]: now() + seconds };
    expect(await status(`Bearer ${token({ ...read, ...claims })}`)).toBe(expected);
    // A token that was remembered is not remembered for longer.
    expect(await status(`Bearer ${token({ ...read, ...claims })}`)).toBe(expected);
  });

  test.each([
    [{ scope: 'media:read media:write' }, 200],
    [{ scope: ['media:read'] }, 200],
    [{ scp: 'media:read' }, 200],
    [{ scp: ['openid', 'media:read'] }, 200],
    [{ permissions: ['media:read'] }, 200],
    [{ permissions: 'media:read' }, 200],
    [{ scope: 'openid', permissions: ['media:read'] }, 200],
    [{ scope: { 'media:read': true } }, 403],
    [{ scp: 'media:write' }, 403],
    [{ roles: ['media:read'] }, 403],
  ])('scopes in %j', async (claims, expected) => {
    expect(await status(`Bearer ${token({ sub: 'ann', ...claims })}`)).toBe(expected);
  });
});

test('bytes without a type, or with that of tools for S3, are told from themselves, and an empty encoding is none', async () => {
  for (const type of [undefined, 'binary/octet-stream', 'application/octet-stream', ''])
    for (const [url, encoding] of [
      ['/v1/media', ''],
      ['/v1/media/bytes', ''],
      ['/v1/media', ' , '],
      ['/v1/media', 'identity, Identity'],
    ] as const) {
      const headers = { ...ann, ...(type !== undefined && { 'content-type': type }), 'content-encoding': encoding };
      const made = await t.app.inject({ method: 'POST', url, headers, payload: bytes });
      expect([type, url, made.statusCode, made.json().mimeType]).toEqual([type, url, 201, 'image/png']);
    }
  const refused = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...ann, 'content-encoding': 'gzip' },
    payload: bytes,
  });
  expect(refused.statusCode).toBe(415);
});
