import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { SourceTypeMark } from '../../../src/media/strip/source-type.ts';
import { stripperFor } from '../../../src/media/strip/strip-metadata.ts';
import { A1111 } from '../../media/generation/made-generations.ts';
import { pngChunk } from '../../media/made-images.ts';
import { exif, exifSegment, jpegOf, pngOf, tEXt } from '../../media/made-texts.ts';
import { type S3Settings, s3Settings } from '../../support/s3/service.ts';
import { SVG_WITH_SCRIPT } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

async function stripOf(bytes: Buffer): Promise<Buffer> {
  const stripper = stripperFor('image/png');
  const open = () => Promise.resolve(Readable.from([bytes]) as AsyncIterable<Uint8Array>);
  const parts: Uint8Array[] = [];
  if (stripper) for await (const part of stripper(open, new SourceTypeMark(true))) parts.push(part);
  return Buffer.concat(parts);
}

let s3: S3Settings;
let local: TestApp;
let remote: TestApp;
beforeAll(async () => {
  s3 = await s3Settings(inject('s3'));
  local = await createTestApp();
  remote = await createTestApp(s3.env);
});
afterAll(async () => {
  await Promise.all([local.close(), remote.close()]);
  s3.client.destroy();
});

const WORDS = Buffer.from('Negative prompt');
const file = Buffer.from(pngOf(tEXt('parameters', A1111)));
/** Its infotext says that a model made it, so that what is sent says so, too. */
const plain = await stripOf(file);

const post = async (t: TestApp, payload: Buffer = file, query = '') => {
  const headers = { ...asUser('a'), 'content-type': 'application/octet-stream' };
  const answer = await t.app.inject({ method: 'POST', url: `/v1/media?${query}`, headers, payload });
  expect(answer.statusCode).toBe(201);
  return answer.json();
};
const get = (t: TestApp, url: string, headers: Record<string, string> = {}) =>
  t.app.inject({ url, headers: { ...asUser('a'), ...headers } });

describe.each([
  ['local', () => local],
  ['s3', () => remote],
])('?strip=metadata, store %s', (_name, app) => {
  test('sends the picture without its texts, and leaves the original unchanged', async () => {
    const { id, sha256 } = await post(app());
    const stripped = await get(app(), `/v1/media/${id}/content?strip=metadata`);
    expect(stripped.statusCode).toBe(200);
    expect(stripped.rawPayload).toEqual(plain);
    expect(stripped.headers).toMatchObject({
      etag: `"${sha256}-stripped-generated"`,
      'accept-ranges': 'none',
      'content-type': 'image/png',
    });
    expect(stripped.headers).not.toHaveProperty('content-length');
    expect((await get(app(), `/v1/media/${id}/content?proxy=1`)).rawPayload).toEqual(file);
  });

  test('sends the whole file for a range request, and 304 if the client has it', async () => {
    const { id, sha256 } = await post(app());
    const url = `/v1/media/${id}/content?strip=metadata`;
    const ranged = await get(app(), url, { range: 'bytes=0-9' });
    expect([ranged.statusCode, ranged.rawPayload]).toEqual([200, plain]);
    expect((await get(app(), url, { 'if-none-match': `"${sha256}-stripped-generated"` })).statusCode).toBe(304);
    expect((await get(app(), url, { 'if-none-match': `"${sha256}"` })).statusCode).toBe(200);
    const head = await app().app.inject({ method: 'HEAD', url, headers: asUser('a') });
    expect([head.statusCode, head.headers.etag, head.body]).toEqual([200, `"${sha256}-stripped-generated"`, '']);
    expect(head.headers).not.toHaveProperty('content-length');
  });

  test('works on signed URLs of this service', async () => {
    const { id } = await post(app());
    const token = app().deps.signer.sign({
      method: 'GET',
      itemId: id,
      variant: 'content',
      download: false,
      expires: Math.floor(Date.now() / 1000) + 60,
    });
    const answer = await app().app.inject({ url: `/v1/signed/${token}?strip=metadata` });
    expect([answer.statusCode, answer.rawPayload]).toEqual([200, plain]);
  });
});

test('works on permanent URLs of public items, too', async () => {
  const { storageKey } = await post(local, file, 'visibility=public');
  const answer = await local.app.inject({ url: `/uploads/${storageKey}?strip=metadata` });
  expect([answer.statusCode, answer.rawPayload]).toEqual([200, plain]);
});

test('keeps the orientation, so that the picture is not rotated', async () => {
  const block = exif({ ImageDescription: WORDS.toString(), Orientation: 8 });
  const { id } = await post(local, Buffer.from(jpegOf(exifSegment(block))));
  const { rawPayload } = await get(local, `/v1/media/${id}/content?strip=metadata`);
  expect(rawPayload.includes(WORDS)).toBe(false);
  expect(rawPayload.includes('Exif\0\0MM\0*')).toBe(true);
});

test.each([
  ['a type that cannot be stripped without loss', SVG_WITH_SCRIPT, 'SVG'],
  ['a file that ends in the middle', Buffer.concat([file.subarray(0, -20)]), 'ends in the middle'],
])('%s is refused rather than sent as it is', async (_name, bytes, words) => {
  const { id } = await post(local, bytes);
  const answer = await get(local, `/v1/media/${id}/content?strip=metadata`);
  expect(answer.json()).toMatchObject({ status: 415, code: 'strip_unsupported', field: 'strip' });
  expect(answer.json().detail.toLowerCase()).toContain(words.toLowerCase());
  expect((await get(local, `/v1/media/${id}/content`)).statusCode).toBe(200);
});

test('damage that is found late aborts the response', async () => {
  const cut = Buffer.concat([file.subarray(0, -12), pngChunk('IDAT', Buffer.alloc(600_000)), WORDS]);
  const { id } = await post(local, cut);
  await expect(get(local, `/v1/media/${id}/content?strip=metadata`)).rejects.toThrow();
});

test('an external item is not redirected to with its metadata', async () => {
  const t = await createTestApp({ EXTERNAL_URL_HOSTS: 'cdn.example.com' });
  try {
    const source = { type: 'external', storageUrl: 'https://cdn.example.com/a.png', storageProvider: 'cdn' };
    const payload = { source: { ...source, mimeType: 'image/png' } };
    const made = await t.app.inject({ method: 'POST', url: '/v1/media', headers: asUser('a'), payload });
    const answer = await get(t, `/v1/media/${made.json().id}/content?strip=metadata`);
    expect([answer.statusCode, answer.json().code]).toEqual([409, 'not_stored']);
  } finally {
    await t.close();
  }
});

test.each(['', 'all', 'METADATA'])('strip=%s is refused: metadata is never sent silently', async (value) => {
  const { id } = await post(local);
  const answer = await get(local, `/v1/media/${id}/content?strip=${value}`);
  expect([answer.statusCode, answer.json().code]).toEqual([400, 'invalid_request']);
  const token = local.deps.signer.sign({
    method: 'GET',
    itemId: id,
    variant: 'content',
    download: false,
    expires: 9e9,
  });
  expect((await get(local, `/v1/signed/${token}?strip=${value}`)).statusCode).toBe(400);
});

test('a path with a repeated query parameter is not served with its metadata', async () => {
  const { id } = await post(local);
  const answer = await get(local, `/v1/media/${id}/content?strip=metadata&strip=metadata`);
  expect(answer.statusCode === 400 || answer.rawPayload.equals(plain)).toBe(true);
});
