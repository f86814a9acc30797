import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Origin, startOrigin } from '../../support/origin.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let origin: Origin;
const alice = asUser('alice');
beforeAll(async () => {
  origin = await startOrigin();
  t = await createTestApp({
    EXTERNAL_URL_HOSTS: 'cdn.example.com',
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    WEBHOOK_SECRET_RUNPOD: 'hook',
  });
});
afterAll(async () => {
  await t.close();
  origin.close();
});

const store = async (payload: object): Promise<string> =>
  (await t.app.inject({ method: 'POST', url: '/v1/media', headers: alice, payload })).json<{ id: string }>().id;
const elsewhere = (host: string) =>
  store({ source: { type: 'external', storageUrl: `https://${host}/a.png`, storageProvider: 'cdn' } });
/** An item whose bytes no worker has fetched yet. */
async function waiting(output: object): Promise<string> {
  const payload = { id: randomUUID(), status: 'COMPLETED', user_id: 'alice', output };
  const answer = await t.app.inject({ method: 'POST', url: '/v1/webhooks/runpod?secret=hook', payload });
  return answer.json<{ items: string[] }>().items[0] ?? '';
}
const data = png(4, 4, 3).toString('base64');

const ITEMS: Record<string, () => Promise<string>> = {
  stored: () => store({ source: { type: 'base64', data } }),
  'at its provider': () => waiting({ images: [{ image: `${origin.url}/ok/a.png` }] }),
  'in a webhook': () => waiting({ images: [{ filename: 'a.png', data }] }),
  'on an allowed host': () => elsewhere('cdn.example.com'),
  'on another host': () => elsewhere('other.example.com'),
  failed: () => store({ status: 'failed', error: 'out of memory' }),
};

test.each([
  ['stored', 200],
  ['at its provider', 200],
  ['on an allowed host', 302],
])('a signed URL delivers an item that is %s', async (place, status) => {
  const id = await ITEMS[place]?.();
  const signed = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: alice });
  expect(signed.statusCode).toBe(200);
  const { pathname } = new URL(signed.json<{ url: string }>().url);
  const delivered = await t.app.inject(pathname);
  expect(delivered.statusCode).toBe(status);
  if (status === 200) expect(delivered.headers['content-type']).toBe('image/png');
});

test.each([
  ['in a webhook', 'content_pending'],
  ['on another host', 'not_stored'],
  ['failed', 'not_stored'],
])('no URL is signed for an item that is %s', async (place, code) => {
  const id = await ITEMS[place]?.();
  const one = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: alice });
  expect([one.statusCode, one.json()]).toMatchObject([409, { code }]);
  const [stored] = [await ITEMS['stored']?.()];
  const many = await t.app.inject({
    method: 'POST',
    url: '/v1/signed-urls',
    headers: alice,
    payload: { ids: [id, stored] },
  });
  expect(many.json().results).toMatchObject([
    { id, status: 409 },
    { id: stored, status: 200 },
  ]);
});
