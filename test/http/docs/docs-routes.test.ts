import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

test('the page is HTML that may load nothing but its own stylesheet', async () => {
  const response = await t.app.inject({ url: '/docs' });
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toBe('text/html; charset=utf-8');
  const style = /<style>([^<]*)<\/style>/.exec(response.body)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  expect(response.headers['content-security-policy']).toBe(
    `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  );
  expect(response.body).toContain('API=http://media.test\n');
  expect((await t.app.inject({ url: '/docs/' })).body).toBe(response.body);
});

test('a browser that has the page is not sent it again', async () => {
  const { headers } = await t.app.inject({ url: '/docs' });
  const etag = String(headers['etag']);
  const again = await t.app.inject({ url: '/docs', headers: { 'if-none-match': etag } });
  expect(again.statusCode).toBe(304);
  expect(again.body).toBe('');
  expect(again.headers['etag']).toBe(etag);
  expect((await t.app.inject({ url: '/docs', headers: { 'if-none-match': '"other"' } })).statusCode).toBe(200);
});

test('the page is compressed for those who take it', async () => {
  const plain = await t.app.inject({ url: '/docs' });
  const packed = await t.app.inject({ url: '/docs', headers: { 'accept-encoding': 'gzip, deflate, br' } });
  expect(packed.headers['content-encoding']).toBe('gzip');
  expect(packed.headers['vary']).toBe('accept-encoding');
  expect(gunzipSync(packed.rawPayload).toString()).toBe(plain.body);
  expect(packed.rawPayload.length).toBeLessThan(plain.rawPayload.length / 5);
});

test('the page is made once; then it takes milliseconds', async () => {
  const times: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const started = performance.now();
    await t.app.inject({ url: '/docs' });
    times.push(performance.now() - started);
  }
  // The fastest: a busy machine makes any single one slow.
  expect(Math.min(...times)).toBeLessThan(20);
});
