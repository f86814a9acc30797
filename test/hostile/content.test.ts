// Case numbers in titles are those of the table in docs/threat-model.md.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SVG_WITH_SCRIPT, multipart, png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged, expectTraces, traces } from '../support/traces.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});

const alice = asUser('alice');
const SCRIPT = '<script>alert(document.domain)</script>';
const upload = (payload: Buffer, type: string, query = '') =>
  t.app.inject({ method: 'POST', url: `/v1/media${query}`, headers: { 'content-type': type, ...alice }, payload });
const content = (id: string, query = '') => t.app.inject({ url: `/v1/media/${id}/content${query}`, headers: alice });

const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
const gifWithScript = Buffer.concat([gif, Buffer.from(SCRIPT)]);
const gifPolyglot = Buffer.from(`GIF89a/*${'\0'.repeat(20)}*/=1;alert(1)//${SCRIPT}`);
const jpegWithHtml = Buffer.from(`\xff\xd8\xff\xe0<!doctype html><html>${SCRIPT}</html>`, 'latin1');
const withBom = (text: string) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]);
const utf16 = (text: string) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]);
const svgText = SVG_WITH_SCRIPT.toString();
const pngWith = (chunk: string, text: string) => {
  const base = png(1, 1, 9);
  const data = Buffer.from(`${chunk}\0${text}`);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length, 0);
  head.write('tEXt', 4);
  // After IHDR (8 + 25 bytes); readers of text chunks ignore the checksum.
  return Buffer.concat([base.subarray(0, 33), head, data, Buffer.alloc(4), base.subarray(33)]);
};
const zip = Buffer.from(
  '504b0304140000000000000000000000000000000000000000000100000061504b0506000000000000000000000000000000000000',
  'hex',
);

/** Whatever was accepted is served so that no browser runs it. */
async function expectHarmless(id: string): Promise<void> {
  const response = await content(id);
  expect(response.statusCode).toBe(200);
  expect(response.headers['x-content-type-options']).toBe('nosniff');
  const policy = String(response.headers['content-security-policy']);
  expect(policy).toMatch(/(^|; ?)sandbox(;|$)/);
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/script-src|allow-scripts|unsafe-eval/);
  const type = String(response.headers['content-type']);
  expect(type).toMatch(/^(image|audio|video|model)\//);
  expect(type).not.toMatch(/html|xml;|javascript/);
  if (!/^(image\/(?!svg)|audio\/|video\/)/.test(type))
    expect(response.headers['content-disposition']).toMatch(/^attachment/);
}

test.each([
  ['19: a GIF with a script behind it', gifWithScript, 'image/gif'],
  ['19: a script that begins like a GIF', gifPolyglot, 'image/gif'],
  ['20: HTML behind the magic of a JPEG', jpegWithHtml, 'image/jpeg'],
  ['21: an SVG with a script', SVG_WITH_SCRIPT, 'image/svg+xml'],
  ['21: an SVG behind a BOM', withBom(svgText), 'image/svg+xml'],
  ['21: an SVG in UTF-16', utf16(svgText), 'image/svg+xml'],
  ['21: an SVG behind a comment', Buffer.from(`<!-- ${'x'.repeat(2000)} -->${svgText}`), 'image/svg+xml'],
  ['21: an SVG that is called a PNG', SVG_WITH_SCRIPT, 'image/png'],
  ['28: a PNG with a script in its prompt', pngWith('prompt', SCRIPT), 'image/png'],
  ['29: a PNG with a ZIP appended', Buffer.concat([png(), zip]), 'image/png'],
  ['29: a PNG with HTML appended', Buffer.concat([png(), Buffer.from(`<html>${SCRIPT}`)]), 'text/html'],
])('case %s is refused, or served so that nothing in it runs', async (_name, bytes, type) => {
  const before = await traces(t);
  const response = await upload(bytes, type === 'text/html' ? 'image/png' : type);
  if (response.statusCode === 201) await expectHarmless(response.json().id);
  else {
    expect(response.json()).toMatchObject({ status: 415, code: 'unsupported_media' });
    await expectTraces(t, before);
  }
});

test('case 21: an SVG is stored, and is never shown inline, whatever is asked', async () => {
  const { id, storageUrl } = (
    await upload(SVG_WITH_SCRIPT, 'image/svg+xml', '?visibility=public&filename=a.png')
  ).json();
  const path = new URL(storageUrl).pathname;
  const signed = await t.app.inject({
    method: 'POST',
    url: `/v1/media/${id}/url`,
    headers: alice,
    payload: { download: false },
  });
  const urls = [
    `/v1/media/${id}/content`,
    `/v1/media/${id}/content?download=0`,
    path,
    new URL(signed.json().url).pathname,
  ];
  for (const url of urls) {
    const response = await t.app.inject({ url });
    expect(response.headers['content-type']).toBe('image/svg+xml');
    expect(response.headers['content-disposition']).toMatch(/^attachment; filename="?a\.svg"?$/);
    await expectHarmless(id);
  }
});

const glb = (() => {
  const json = Buffer.from('{"asset":{"version":"2.0"}}  ');
  const padded = Buffer.concat([json, Buffer.alloc((4 - (json.length % 4)) % 4, 0x20)]);
  const head = Buffer.alloc(20);
  head.write('glTF', 0);
  head.writeUInt32LE(2, 4);
  head.writeUInt32LE(20 + padded.length, 8);
  head.writeUInt32LE(padded.length, 12);
  head.write('JSON', 16);
  return Buffer.concat([head, padded]);
})();
test.each([
  ['GLB', glb, 'model/gltf-binary', 'a.glb'],
  ['glTF', Buffer.from('{"asset":{"version":"2.0"}}'), 'model/gltf+json', 'a.gltf'],
  [
    'STL',
    Buffer.from(
      'solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid a\n',
    ),
    'model/stl',
    'a.stl',
  ],
])('a 3D model (%s) is never shown inline', async (_name, bytes, type, filename) => {
  const stored = await upload(bytes, type, `?filename=${filename}`);
  expect(stored.statusCode).toBe(201);
  const response = await content(stored.json().id);
  expect(response.headers['content-type']).toBe(type);
  expect(response.headers['content-disposition']).toMatch(/^attachment/);
  await expectHarmless(stored.json().id);
});

test.each([
  ['a ZIP', zip],
  ['HTML', Buffer.from(`<!doctype html>${SCRIPT}`)],
  ['HTML behind white space', Buffer.from(`${' \n'.repeat(3000)}<html>${SCRIPT}`)],
  ['JavaScript', Buffer.from('alert(1)')],
  ['an SVG inside of HTML', Buffer.from(`<html><svg xmlns="http://www.w3.org/2000/svg">${SCRIPT}</svg></html>`)],
  ['XML', Buffer.from('<?xml version="1.0"?><x/>')],
  ['a PDF', Buffer.from('%PDF-1.7\n%âãÏÓ\n1 0 obj<<>>endobj')],
  ['an ELF', Buffer.from('7f454c4602010100000000000000000002003e00', 'hex')],
])('case 22: %s is refused under any declared type', async (_name, bytes) => {
  const before = await traces(t);
  for (const type of [
    'image/png',
    'image/svg+xml',
    'application/octet-stream',
    'model/obj',
    'audio/mpeg',
    'video/mp4',
  ]) {
    const response = await upload(bytes, type, '?filename=x.png');
    expect(response.json()).toMatchObject({ status: 415, code: 'unsupported_media' });
  }
  await expectTraces(t, before);
});

test('case 22: the bytes determine the type in the record, the key, the header and the name', async () => {
  for (const declared of ['text/html', 'image/svg+xml', 'application/javascript', 'video/mp4']) {
    const form = multipart([{ name: 'file', value: png(1, 1, 77), filename: 'evil.html', type: declared }]);
    const response = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { ...form.headers, ...alice },
      payload: form.payload,
    });
    const item = response.json();
    expect(item).toMatchObject({ mimeType: 'image/png', mediaType: 'image' });
    expect(item.storageKey).toMatch(/\.png$/);
    const served = await content(item.id);
    expect(served.headers['content-type']).toBe('image/png');
    // What is no extension of a media type belongs to the name; the last one is that of the bytes.
    expect(served.headers['content-disposition']).toMatch(/^inline; filename=evil(\.\w+)?\.png$/);
  }
});

test('case 28: a script in a prompt, a tag or the metadata comes back as JSON and as nothing else', async () => {
  const headers = { 'content-type': 'application/json', ...alice };
  const payload = {
    prompt: SCRIPT,
    tags: [SCRIPT],
    metadata: { [SCRIPT]: SCRIPT },
    source: { type: 'base64', data: png(1, 1, 5).toString('base64') },
  };
  const made = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload });
  for (const url of [
    `/v1/media/${made.json().id}`,
    '/v1/media',
    '/v1/tags',
    `/v1/media/${encodeURIComponent(SCRIPT)}`,
    `/${SCRIPT}`,
  ]) {
    const response = await t.app.inject({ url, headers: { accept: 'text/html', ...alice } });
    expect(response.headers['content-type']).toMatch(/^application\/(problem\+)?json/);
    expect(response.headers['x-content-type-options']).toBe('nosniff');
    expect(response.headers['content-security-policy']).toContain("default-src 'none'");
  }
});

test.each([
  'Host',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'Forwarded',
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-Forwarded-Prefix',
])('case 80: the header %s affects neither URLs nor routing', async (name) => {
  const evil = { [name.toLowerCase()]: name === 'Forwarded' ? 'host=evil.example;proto=https' : 'evil.example' };
  const headers = { ...evil, ...alice };
  const made = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { 'content-type': 'image/png', ...headers },
    payload: png(1, 1, 6),
  });
  const { id } = made.json();
  const signed = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers, payload: {} });
  const list = await t.app.inject({ url: '/v1/media', headers });
  const api = await t.app.inject({ url: '/openapi.json', headers });
  for (const response of [made, signed, list, api]) {
    expect(response.body).not.toContain('evil.example');
    expect(JSON.stringify(response.headers)).not.toContain('evil.example');
  }
  expect(made.json().url).toBe(`http://media.test/v1/media/${id}/content`);
  expect(made.json().storageUrl).toMatch(/^http:\/\/media\.test\/uploads\//);
  expect(signed.json().url).toMatch(/^http:\/\/media\.test\/v1\/signed\//);
});

test.each(['text/html', 'image/png\r\nSet-Cookie: x=1', 'application/javascript', '', 'image/x-png'])(
  'case 22: the type %j of an older system’s row is never served',
  async (mime) => {
    const { id } = (await upload(png(1, 1, 8), 'image/png')).json();
    await t.deps.db.updateTable('generated_images').set({ mime_type: mime }).where('id', '=', id).execute();
    const response = await content(id);
    expect(response.statusCode).toBe(200);
    const known = mime === 'image/x-png';
    expect(response.headers['content-type']).toBe(known ? 'image/png' : 'application/octet-stream');
    expect(response.headers['content-disposition']).toMatch(known ? /^inline/ : /^attachment/);
  },
);
