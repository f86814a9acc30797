import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { bigPng, png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let provider: Server;
let origin: string;
let requests: number;
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  provider = createServer((request, response) => {
    requests += 1;
    answer(request, response);
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  t = await createTestApp({
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    FETCH_TIMEOUT_SECONDS: '2',
    MAX_UPLOAD_BYTES: '2000000',
  });
});
beforeEach(() => {
  requests = 0;
});
afterAll(async () => {
  await t.close();
  provider.closeAllConnections();
  await new Promise((resolve) => provider.close(resolve));
});

const ingest = (url: string, headers: Record<string, string> = {}) =>
  t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...asUser('url'), ...headers },
    payload: { prompt: 'from a URL', source: { type: 'url', url } },
  });

test('a URL is fetched at once; its name, URL and bytes are kept', async () => {
  const file = png(6, 4);
  answer = (_request, response) => response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(file);
  const response = await ingest(`${origin}/out/fox%20one.png?signature=s3cret`);
  expect(response.statusCode).toBe(201);
  expect(response.json()).toMatchObject({
    width: 6,
    mimeType: 'image/png',
    filename: 'fox one.png',
    originalUrl: `${origin}/out/fox%20one.png?signature=s3cret`,
    status: 'success',
  });
  expect(t.logged()).not.toContain('s3cret');
  const content = await t.app.inject({ url: `/v1/media/${response.json().id}/content`, headers: asUser('url') });
  expect(content.rawPayload.equals(file)).toBe(true);
});

test('a repeated key does not fetch again, although the URL may have expired by then', async () => {
  answer = (_request, response) => response.end(png(1, 1, 7));
  const first = await ingest(`${origin}/a.png`, { 'idempotency-key': 'url-key' });
  answer = (_request, response) => response.writeHead(404).end();
  const again = await ingest(`${origin}/a.png`, { 'idempotency-key': 'url-key' });
  expect(again.statusCode).toBe(201);
  expect(again.json()).toEqual(first.json());
  expect(requests).toBe(1);
  expect((await ingest(`${origin}/b.png`, { 'idempotency-key': 'url-key' })).json()).toMatchObject({
    code: 'idempotency_mismatch',
  });
});

/** Made beforehand: its making would count as a slow answer. */
const BOMB = gzipSync(bigPng(50_000_000));

test.each([
  [
    'a URL that is gone',
    (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(404).end(),
    424,
    'fetch_failed',
  ],
  [
    'a page instead of a picture',
    (_request: IncomingMessage, response: ServerResponse) => void response.end('<!doctype html><html></html>'),
    415,
    'unsupported_media',
  ],
  [
    'a file beyond the limit',
    (_request: IncomingMessage, response: ServerResponse) => void response.end(bigPng(2_000_001)),
    413,
    'too_large',
  ],
  [
    'a gzip bomb',
    (_request: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(200, { 'content-encoding': 'gzip' }).end(BOMB),
    413,
    'too_large',
  ],
  [
    'a body that is cut off',
    (_request: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(200, { 'content-length': 5000 }).write(png(), () => response.destroy()),
    424,
    'fetch_failed',
  ],
  [
    'a server that never ends',
    (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(200).write(png()),
    424,
    'fetch_failed',
  ],
])('%s is refused and nothing is kept', async (_name, how, status, code) => {
  answer = how;
  const before = await t.deps.db.selectFrom('generated_images').select('id').execute();
  expect((await ingest(`${origin}/x.png`)).json()).toMatchObject({ status, code });
  expect(await t.deps.db.selectFrom('generated_images').select('id').execute()).toEqual(before);
  expect(await t.deps.db.selectFrom('storage_intents').selectAll().execute()).toEqual([]);
});

test.each([
  'http://127.0.0.2/',
  'https://169.254.169.254/latest/meta-data/',
  'https://localhost/',
  'https://[::1]/',
  'https://167772161/',
  'file:///etc/passwd',
  'https://user:pw@127.0.0.1/',
])('%s is not fetched', async (url) => {
  expect((await ingest(url)).json()).toMatchObject({ status: 422, code: 'url_not_allowed' });
  expect(requests).toBe(0);
});
