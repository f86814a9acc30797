import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { TEST_KEYS, startS3Server } from '../../support/s3/server.ts';
import { type S3Settings, s3Settings } from '../../support/s3/service.ts';
import { SVG_WITH_SCRIPT, bigPng, png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp, token } from '../../support/test-app.ts';
import { expectNoSecretsLogged } from '../../support/traces.ts';

let s3: S3Settings;
let t: TestApp;
beforeAll(async () => {
  s3 = await s3Settings(inject('s3'));
  t = await createTestApp(s3.env);
});
afterAll(async () => {
  expectNoSecretsLogged(t, [s3.env['S3_SECRET_ACCESS_KEY'] ?? '', 'X-Amz-Signature=']);
  await t.close();
  s3.client.destroy();
});

const bytes = bigPng(300_000, 5);
const post = async (payload: Buffer, query = '', app = t) => {
  const headers = { ...asUser('a'), 'content-type': 'image/png' };
  return (await app.app.inject({ method: 'POST', url: `/v1/media?filename=fox.png${query}`, headers, payload })).json();
};
const get = (url: string, headers: Record<string, string> = asUser('a')) => t.app.inject({ url, headers });

test('content is redirected to a presigned URL at the store, which returns type, name and ranges as the service would', async () => {
  const { id, storageProvider, storageUrl } = await post(bytes);
  expect([storageProvider, storageUrl]).toEqual(['s3', `http://media.test/v1/media/${id}/content`]);
  const redirect = await get(`/v1/media/${id}/content`);
  expect([redirect.statusCode, redirect.headers['x-storage-provider']]).toEqual([302, 's3']);
  expect(redirect.headers['cache-control']).toBe('private, no-cache');
  const location = redirect.headers.location ?? '';
  expect(location.startsWith(s3.env['S3_ENDPOINT'] ?? 'none')).toBe(true);
  const whole = await fetch(location);
  expect(whole.headers.get('content-type')).toBe('image/png');
  expect(whole.headers.get('content-disposition')).toBe('inline; filename=fox.png');
  expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true);
  const part = await fetch(location, { headers: { range: 'bytes=100-199' } });
  expect(part.status).toBe(206);
  expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(100, 200))).toBe(true);
  const etag = redirect.headers.etag ?? '';
  expect((await get(`/v1/media/${id}/content`, { ...asUser('a'), 'if-none-match': etag })).statusCode).toBe(304);
});

test('?download=1 offers the file as an attachment, and a type that a browser could execute is never shown', async () => {
  const { id } = await post(bytes);
  const disposition = async (url: string) => {
    const { location = '' } = (await get(url)).headers;
    return (await fetch(location)).headers.get('content-disposition');
  };
  expect(await disposition(`/v1/media/${id}/content?download=1`)).toBe('attachment; filename=fox.png');
  const svg = await post(SVG_WITH_SCRIPT);
  expect(await disposition(`/v1/media/${svg.id}/content`)).toMatch(/^attachment/);
});

test('?proxy=1, HEAD and DELIVERY=proxy are answered by the service itself', async () => {
  const { id } = await post(bytes);
  const proxied = await get(`/v1/media/${id}/content?proxy=1`, { ...asUser('a'), range: 'bytes=5-9' });
  expect([proxied.statusCode, proxied.rawPayload]).toEqual([206, bytes.subarray(5, 10)]);
  expect(proxied.headers['x-storage-provider']).toBe('s3');
  const head = await t.app.inject({ method: 'HEAD', url: `/v1/media/${id}/content`, headers: asUser('a') });
  expect([head.statusCode, head.headers['content-length']]).toEqual([200, '300000']);
  const other = await createTestApp({ ...s3.env, DELIVERY: 'proxy' });
  try {
    const item = await post(bytes, '', other);
    const served = await other.app.inject({ url: `/v1/media/${item.id}/content`, headers: asUser('a') });
    expect([served.statusCode, served.rawPayload.equals(bytes)]).toEqual([200, true]);
    const signed = await other.app.inject({ method: 'POST', url: `/v1/media/${item.id}/url`, headers: asUser('a') });
    expect(signed.json().url).toMatch(/^http:\/\/media\.test\/v1\/signed\//);
  } finally {
    await other.close();
  }
});

test('signed URLs are presigned ones, for one item and for many, for at most seven days', async () => {
  const [one, two] = [await post(bytes), await post(png(3, 3))];
  const sign = (id: string, payload: object) =>
    t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: asUser('a'), payload });
  const signed = (await sign(one.id, { expiresIn: 60, download: true })).json();
  expect(new URL(signed.url).searchParams.get('X-Amz-Expires')).toBe('60');
  expect(Date.parse(signed.expiresAt) - Date.now()).toBeLessThan(61_000);
  const fetched = await fetch(signed.url);
  expect(fetched.headers.get('content-disposition')).toMatch(/^attachment/);
  expect(Buffer.from(await fetched.arrayBuffer()).equals(bytes)).toBe(true);
  expect((await sign(one.id, { expiresIn: 604_801 })).statusCode).toBe(400);
  const batch = await t.app.inject({
    method: 'POST',
    url: '/v1/signed-urls',
    headers: asUser('a'),
    payload: { ids: [two.id, '999999', one.id] },
  });
  const { results } = batch.json();
  expect(results.map((result: { status: number }) => result.status)).toEqual([200, 404, 200]);
  expect((await (await fetch(results[0].url)).arrayBuffer()).byteLength).toBe(png(3, 3).length);
});

test('a redirect from a signed URL leads to a URL that expires no later than the signed URL', async () => {
  const { id } = await post(bytes);
  // Such a URL was signed before the item moved to S3, or while signing failed.
  const signed = (seconds: number) => {
    const expires = Math.floor(Date.now() / 1000) + seconds;
    return t.deps.signer.sign({ method: 'GET', itemId: id, variant: 'content', download: false, expires });
  };
  const redirected = async (url: string, headers: Record<string, string> = {}) => {
    const response = await get(url, headers);
    expect([response.statusCode, response.headers['cache-control']]).toEqual([302, 'private, no-cache']);
    const { searchParams } = new URL(response.headers.location ?? '');
    return {
      seconds: Number(searchParams.get('X-Amz-Expires')),
      cacheControl: searchParams.get('response-cache-control') ?? '',
      location: response.headers.location ?? '',
    };
  };
  const short = await redirected(`/v1/signed/${signed(40)}`);
  expect(short.seconds).toBeGreaterThan(30);
  expect(short.seconds).toBeLessThanOrEqual(40);
  // Cached copies expire with it, too.
  const maxAge = Number(/^private, max-age=(\d+)$/.exec(short.cacheControl)?.[1]);
  expect(maxAge).toBeGreaterThan(30);
  expect(maxAge).toBeLessThanOrEqual(40);
  expect(Buffer.from(await (await fetch(short.location)).arrayBuffer()).equals(bytes)).toBe(true);
  // A signed URL that outlives presigned URLs is redirected for their maximum lifetime.
  const long = await redirected(`/v1/signed/${signed(86_400)}`);
  expect([long.seconds, long.cacheControl]).toEqual([t.deps.urlTtlSeconds, 'private, max-age=3600']);
  expect((await redirected(`/v1/media/${id}/content`, asUser('a'))).seconds).toBe(t.deps.urlTtlSeconds);
  expect((await get(`/v1/signed/${signed(-1)}`, {})).json()).toMatchObject({ status: 403, code: 'signature_expired' });
});

test('a presigned URL has the requested lifetime, and caches keep a copy for an hour at most', async () => {
  const { id } = await post(bytes);
  const ask = async (payload: object) => {
    const answer = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: asUser('a'), payload });
    const { searchParams } = new URL(answer.json<{ url: string }>().url);
    const seconds = (Date.parse(answer.json().expiresAt) - Date.now()) / 1000;
    return { searchParams, seconds };
  };
  const brief = await ask({ expiresIn: 90 });
  expect(brief.searchParams.get('X-Amz-Expires')).toBe('90');
  expect(brief.searchParams.get('response-cache-control')).toBe('private, max-age=90');
  expect(brief.seconds).toBeGreaterThan(60);
  const usual = await ask({});
  expect(usual.searchParams.get('X-Amz-Expires')).toBe(String(t.deps.urlTtlSeconds));
  expect(usual.seconds).toBeLessThanOrEqual(t.deps.urlTtlSeconds);
  const days = await ask({ expiresIn: 200_000 });
  expect(days.searchParams.get('response-cache-control')).toBe('private, max-age=3600');
  expect(days.seconds).toBeGreaterThan(199_000);
});

test('content whose copy is marked corrupt is verified on its way through the service, not redirected', async () => {
  const { id } = await post(bytes);
  const mark = (state: 'corrupt' | 'stored') =>
    t.deps.db.updateTable('media_locations').set({ state }).where('media_id', '=', id).execute();
  await mark('corrupt');
  // Read and verified on its way through the service.
  const checked = await get(`/v1/media/${id}/content`);
  expect([checked.statusCode, checked.rawPayload.equals(bytes)]).toEqual([200, true]);
  expect((await get(`/v1/media/${id}/content`)).statusCode).toBe(302);
});

test('no reader is redirected to a store that is known to be down', async () => {
  const server = await startS3Server();
  const place = { kind: 'strict', endpoint: server.endpoint, ...TEST_KEYS, region: 'us-east-1' } as const;
  const own = await s3Settings({ ...place, bucket: undefined });
  const app = await createTestApp(own.env);
  try {
    const { id } = await post(bytes, '', app);
    const read = () => app.app.inject({ url: `/v1/media/${id}/content`, headers: asUser('a') });
    await server.close();
    // The outage is not known yet.
    expect((await read()).statusCode).toBe(302);
    await expect(app.deps.stores.get('s3').healthy()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await read()).json()).toMatchObject({ status: 503, code: 'store_unavailable' });
    const signed = await app.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: asUser('a') });
    expect(signed.json().url).toMatch(/^http:\/\/media\.test\/v1\/signed\//);
  } finally {
    await app.close();
    own.client.destroy();
  }
});

test('the token is checked before a redirect', async () => {
  const { id } = await post(bytes);
  expect((await get(`/v1/media/${id}/content`, asUser('b'))).statusCode).toBe(404);
  expect((await get(`/v1/media/${id}/content`, {})).statusCode).toBe(401);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}`, headers: asUser('a') });
  expect((await get(`/v1/media/${id}/content`)).statusCode).toBe(404);
  const shown = await post(bytes, '&visibility=public');
  const open = await get(`/v1/media/${shown.id}/content`, {});
  expect([open.statusCode, open.headers['cache-control']]).toEqual([302, 'public, max-age=30']);
});

test('S3_PUBLIC_ENDPOINT is what clients see; a store that cannot presign is proxied', async () => {
  const seen = await createTestApp({ ...s3.env, S3_PUBLIC_ENDPOINT: 'https://media.example.com' });
  const passed = await createTestApp({ ...s3.env, S3_PRESIGN: 'false' });
  try {
    const item = await post(bytes, '', seen);
    const redirect = await seen.app.inject({ url: `/v1/media/${item.id}/content`, headers: asUser('a') });
    expect(redirect.headers.location).toMatch(/^https:\/\/media\.example\.com\//);
    const other = await post(bytes, '', passed);
    const served = await passed.app.inject({ url: `/v1/media/${other.id}/content`, headers: asUser('a') });
    expect([served.statusCode, served.rawPayload.equals(bytes)]).toEqual([200, true]);
    const signed = await passed.app.inject({ method: 'POST', url: `/v1/media/${other.id}/url`, headers: asUser('a') });
    const path = new URL(signed.json().url).pathname;
    expect((await passed.app.inject(path)).rawPayload.equals(bytes)).toBe(true);
    const upload = await passed.app.inject({
      method: 'POST',
      url: '/v1/uploads',
      headers: asUser('a'),
      payload: { contentType: 'image/png', bytes: 10 },
    });
    expect(upload.json().url).toMatch(/^http:\/\/media\.test\/v1\/uploads\//);
  } finally {
    await seen.close();
    await passed.close();
  }
});

test('a direct upload goes to the store with the headers of the response, and only with them', async () => {
  const begin = async (payload: object) =>
    (await t.app.inject({ method: 'POST', url: '/v1/uploads', headers: asUser('a'), payload })).json();
  const complete = (id: string) =>
    t.app.inject({ method: 'POST', url: `/v1/uploads/${id}/complete`, headers: asUser('a') });
  const put = (url: string, headers: Record<string, string>, body: Buffer) =>
    fetch(url, { method: 'PUT', headers, body: new Uint8Array(body) });
  const upload = await begin({ contentType: 'image/png', bytes: bytes.length, prompt: 'a fox' });
  expect(upload.url.startsWith(s3.env['S3_ENDPOINT'])).toBe(true);
  expect((await complete(upload.id)).json()).toMatchObject({ status: 409, code: 'upload_incomplete' });
  expect((await put(upload.url, { ...upload.headers, 'content-type': 'text/html' }, bytes)).status).toBe(403);
  expect((await put(upload.url, upload.headers, bytes.subarray(1))).status).toBe(403);
  expect((await put(upload.url, upload.headers, bytes)).status).toBe(200);
  const item = (await complete(upload.id)).json();
  expect(item).toMatchObject({ storageProvider: 's3', bytes: bytes.length, prompt: 'a fox', width: 2 });
  // The URL is still valid, but the bytes it stored must not be replaced.
  expect((await put(upload.url, upload.headers, Buffer.alloc(bytes.length))).status).toBe(412);
  expect((await get(`/v1/media/${item.id}/content?proxy=1`)).rawPayload.equals(bytes)).toBe(true);

  const wrong = await begin({ contentType: 'image/png', bytes: 5000 });
  await put(wrong.url, wrong.headers, Buffer.alloc(5000, 'x'));
  const row = await t.deps.db.selectFrom('uploads').select('key').where('id', '=', wrong.id).executeTakeFirstOrThrow();
  const stat = () => s3.client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: s3.prefix + row.key }));
  expect((await stat()).ContentLength).toBe(5000);
  expect((await complete(wrong.id)).json()).toMatchObject({ status: 415, code: 'unsupported_media' });
  await expect(stat()).rejects.toMatchObject({ name: 'NotFound' });
});

test('items move from the volume to S3, and /uploads/ URLs lead to their new location', async () => {
  const local = await t.app.inject({
    method: 'POST',
    url: '/v1/media?store=local',
    headers: { ...asUser('a'), 'content-type': 'image/png' },
    payload: bytes,
  });
  const { id, storageUrl } = local.json();
  const { transferItems } = await import('../../../src/domain/copies/transfer.ts');
  const options = {
    filter: {},
    keep: false,
    concurrency: 2,
    signal: new AbortController().signal,
    onProgress: () => {},
  };
  expect(await transferItems(t.deps, { from: 'local', to: 's3', ...options })).toMatchObject({ copied: 1, failed: [] });
  const moved = await get(new URL(storageUrl).pathname);
  expect([moved.statusCode, moved.headers['x-storage-provider']]).toEqual([302, 's3']);
  const fetched = await fetch(moved.headers.location ?? '');
  expect(fetched.headers.get('content-type')).toBe('image/png');
  expect(Buffer.from(await fetched.arrayBuffer()).equals(bytes)).toBe(true);
  const record = (await t.app.inject({ url: `/v1/media/${id}`, headers: asAdmin() })).json();
  expect(record).toMatchObject({ storageProvider: 's3', locations: [{ store: 's3', state: 'stored' }] });
});

test('two S3 stores hold different items, and readiness checks the primary one', async () => {
  const archive = await s3Settings(inject('s3'));
  const env = Object.fromEntries(
    Object.entries(archive.env)
      .filter(([name]) => name.startsWith('S3_'))
      .map(([name, value]) => [name.replace('S3_', 'ARCHIVE_'), value]),
  );
  const both = await createTestApp({ ...s3.env, ...env, STORES: 'archive:s3' });
  try {
    const headers = { authorization: `Bearer ${token({ sub: 'a', scope: 'media:read media:write' })}` };
    const stored = await post(bytes, '&store=archive', both);
    expect(stored.storageProvider).toBe('archive');
    const location = (await both.app.inject({ url: `/v1/media/${stored.id}/content`, headers })).headers.location ?? '';
    expect(location).toContain(archive.bucket);
    expect((await both.app.inject('/health/ready')).json().checks).toContainEqual({ name: 'store:s3', ok: true });
  } finally {
    await both.close();
    archive.client.destroy();
  }
});
