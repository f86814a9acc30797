// Case numbers in titles are those of the table in docs/threat-model.md.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { head, sendRaw } from '../support/raw-http.ts';
import { png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged } from '../support/traces.ts';
import { withoutSeconds } from '../support/lasting.ts';

let t: TestApp;
let address: string;
let id: string;
let etag: string;
const file = png(4, 4, 1);
const size = file.length;
const alice = asUser('alice');

beforeAll(async () => {
  t = await createTestApp();
  address = await t.listen();
  const item = await store({});
  id = item.id;
  etag = `"${item.sha256}"`;
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});

async function store(fields: object) {
  const payload = { source: { type: 'base64', data: file.toString('base64') }, ...fields };
  const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers: alice, payload });
  expect(response.statusCode).toBe(201);
  return response.json();
}
const get = (headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
  t.app.inject({ method, url: `/v1/media/${id}/content`, headers: { ...alice, ...headers } });

test.each([
  ['CR and LF', 'a\r\nSet-Cookie: x=1\r\n\r\n<html>.png'],
  ['a quote', 'a"; filename="evil.exe'],
  ['a backslash', 'a\\".png'],
  ['a percent sign', '100%.png'],
  ['an escape', 'a%22%0d%0a.png'],
  ['an extended parameter', "a.png; filename*=UTF-8''evil.exe"],
  ['an override of direction', 'a\u202egnp.exe'],
  ['line separators', 'a\u2028b\u2029c.png'],
  ['other scripts', '画像 ☃ é.png'],
  ['an emoji cut at 200', `${'a'.repeat(199)}\u{1f98a}.png`],
  ['marks of combination', `${'e\u0301'.repeat(120)}.png`],
  ['a path', '../../etc/passwd'],
  ['nothing but dots', '...'],
  ['nothing but a space', ' '],
])('case 81: a file name with %s makes one safe Content-Disposition', async (_name, filename) => {
  const item = await store({ filename });
  const path = `/v1/media/${item.id}/content?download=1`;
  const answer = await sendRaw(address, [head('GET', path, [['Authorization', alice.authorization]])]);
  expect(answer.status).toBe(200);
  const lines = answer.head.split('\r\n');
  const dispositions = lines.filter((line) => /^content-disposition:/i.test(line));
  expect(dispositions).toHaveLength(1);
  // RFC 6266: a quoted ASCII name, and perhaps one in UTF-8; nothing else.
  expect(dispositions[0]).toMatch(
    /^content-disposition: attachment; filename=("[^"\\\r\n]*(\\["\\][^"\\\r\n]*)*"|[A-Za-z0-9%!#$&+.^_`|~-]+)(; filename\*=UTF-8''[A-Za-z0-9%!#$&+.^_`|~-]+)?$/i,
  );
  expect(dispositions[0]).toMatch(/\.png("|;|$)/);
  expect(answer.head).not.toMatch(/^set-cookie/im);
  expect(lines.filter((line) => /^content-type:/i.test(line))).toEqual(['content-type: image/png']);
});

test('case 81: no file name makes delivery fail', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 230 }), async (filename) => {
      fc.pre(filename.isWellFormed() && !filename.includes('\0') && Buffer.byteLength(filename) <= 1000);
      const item = await store({ filename });
      const response = await t.app.inject({ url: `/v1/media/${item.id}/content`, headers: alice });
      expect(response.statusCode).toBe(200);
      expect(response.rawPayload.equals(file)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test('case 82: 2,000 ranges are answered with the whole file', async () => {
  const ranges = Array.from({ length: 2000 }, (_value, index) => `${index % 5}-${(index % 5) + 1}`).join(',');
  for (const range of [`bytes=${ranges}`, 'bytes=0-1,2-3', 'bytes=0-0,-1', `bytes=${'0'.repeat(5000)}-1`]) {
    const response = await get({ range });
    expect(response.statusCode).toBe(200);
    expect(response.rawPayload.equals(file)).toBe(true);
  }
});

test.each([
  'bytes=-99999',
  'bytes=-99999999999999999999999',
  `bytes=-${size}`,
  'bytes=0-',
  `bytes=0-99999999999999999999`,
])('case 83: %s on a shorter file is the whole file as a part', async (range) => {
  const response = await get({ range });
  expect(response.statusCode).toBe(206);
  expect(response.headers['content-range']).toBe(`bytes 0-${size - 1}/${size}`);
  expect(response.headers['content-length']).toBe(String(size));
  expect(response.rawPayload.equals(file)).toBe(true);
});

test.each(['bytes=-0', `bytes=${size}-`, 'bytes=99999999999999999999-', `bytes=${size}-${size + 5}`])(
  'case 84: %s lies beyond the file: 416 with its size',
  async (range) => {
    const response = await get({ range });
    expect(response.json()).toMatchObject({ status: 416, code: 'range_not_satisfiable' });
    expect(response.headers['content-range']).toBe(`bytes */${size}`);
    expect(response.headers).not.toHaveProperty('content-disposition');
  },
);

test.each([
  'bytes=5-1',
  'items=0-1',
  'bytes',
  'bytes=',
  'bytes=-',
  'bytes=a-b',
  'bytes=1',
  'bytes=1-2-3',
  'bytes=--1',
  'bytes=0x1-0x2',
  'bytes=1e1-',
  'bytes= 0 - 1',
  '',
])('case 84: %j is no range and is ignored', async (range) => {
  const response = await get({ range });
  expect(response.statusCode).toBe(200);
  expect(response.rawPayload.equals(file)).toBe(true);
});

test('case 84: any single range gives exactly its bytes', async () => {
  const bound = fc.oneof(fc.nat({ max: size + 20 }), fc.constantFrom(0, size - 1, size, size + 1));
  await fc.assert(
    fc.asyncProperty(bound, bound, async (start, end) => {
      const response = await get({ range: `bytes=${start}-${end}` });
      if (end < start) expect(response.statusCode).toBe(200);
      else if (start >= size) expect(response.statusCode).toBe(416);
      else expect(response.rawPayload.equals(file.subarray(start, end + 1))).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('case 85: a weak, stale, broken or dated If-Range gives the whole file, the right tag the part', async () => {
  const range = { range: 'bytes=0-3' };
  expect((await get({ ...range, 'if-range': etag })).statusCode).toBe(206);
  const stale = [
    `W/${etag}`,
    `"${'0'.repeat(64)}"`,
    etag.slice(1, -1),
    'Sat, 21 Nov 2026 00:00:00 GMT',
    '*',
    '',
    `${etag}, ${etag}`,
  ];
  for (const given of stale) {
    const response = await get({ ...range, 'if-range': given });
    expect(response.statusCode).toBe(200);
    expect(response.rawPayload.equals(file)).toBe(true);
  }
});

test('case 85: If-None-Match answers 304 without a body, and before any range is looked at', async () => {
  for (const given of [etag, `W/${etag}`, '*', `"x", ${etag}`]) {
    const response = await get({ 'if-none-match': given, range: 'bytes=999999-' });
    expect(response.statusCode).toBe(304);
    expect(response.rawPayload).toHaveLength(0);
    expect(response.headers).toMatchObject({
      etag,
      'cache-control': 'private, no-cache',
      vary: expect.stringMatching(/authorization/i),
    });
  }
  for (const given of ['"x"', 'x', etag.slice(1, -1), '', `"${'x,'.repeat(5000)}"`])
    expect((await get({ 'if-none-match': given })).statusCode).toBe(200);
});

test('HEAD has the headers of GET and no body', async () => {
  const volatile = new Set(['date', 'x-request-id', 'connection', 'keep-alive']);
  // How long a signed URL still works falls by the second.
  const lasting = (headers: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(headers)
        .filter(([name]) => !volatile.has(name))
        .map(([name, value]) => [name, withoutSeconds(value)]),
    );
  const key = (await t.app.inject({ url: `/v1/media/${id}`, headers: alice })).json().storageKey;
  const signed = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: alice, payload: {} });
  for (const url of [
    `/v1/media/${id}/content`,
    `/uploads/${key}`,
    new URL(signed.json().url).pathname,
    '/v1/media/999/content',
  ]) {
    const [full, bare] = [
      await t.app.inject({ url, headers: alice }),
      await t.app.inject({ method: 'HEAD', url, headers: alice }),
    ];
    expect(bare.rawPayload).toHaveLength(0);
    expect(bare.statusCode).toBe(full.statusCode);
    expect(lasting(bare.headers)).toEqual(lasting(full.headers));
  }
});

test('HEAD ignores Range, and answers 304 like GET', async () => {
  const part = await get({ range: 'bytes=0-1' }, 'HEAD');
  expect(part.statusCode).toBe(200);
  expect(part.headers['content-length']).toBe(String(size));
  expect((await get({ 'if-none-match': etag }, 'HEAD')).statusCode).toBe(304);
});

test('case 86: no shared cache may keep a private response, and no response sets a cookie', async () => {
  const { storageKey } = (await t.app.inject({ url: `/v1/media/${id}`, headers: alice })).json();
  for (const url of [
    `/v1/media/${id}`,
    `/v1/media/${id}/content`,
    `/uploads/${storageKey}`,
    '/v1/media',
    '/v1/failures',
    '/v1/tags',
    '/v1/stats',
  ]) {
    for (const headers of [alice, asUser('bob'), {}]) {
      const response = await t.app.inject({ url, headers });
      expect(response.headers['cache-control'], url).toMatch(/no-store|private/);
      expect(response.headers).not.toHaveProperty('set-cookie');
      if (response.statusCode === 200 && !String(response.headers['cache-control']).includes('no-store'))
        expect(response.headers['vary']).toMatch(/authorization/i);
    }
  }
});

test('case 86: a signed URL is cached privately and no longer than it is valid', async () => {
  const signed = await t.app.inject({
    method: 'POST',
    url: `/v1/media/${id}/url`,
    headers: alice,
    payload: { expiresIn: 60 },
  });
  const response = await t.app.inject({ url: new URL(signed.json().url).pathname });
  const [, seconds] = /^private, max-age=(\d+)$/.exec(String(response.headers['cache-control'])) ?? [];
  expect(Number(seconds)).toBeLessThanOrEqual(60);
  expect(response.headers['referrer-policy']).toBe('no-referrer');
});

test('case 86: any cache may keep a public item, but not for ever', async () => {
  const item = await store({ visibility: 'public' });
  const response = await t.app.inject({ url: `/v1/media/${item.id}/content` });
  expect(response.headers['cache-control']).toBe('public, max-age=3600');
});
