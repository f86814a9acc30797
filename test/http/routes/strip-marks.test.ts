import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gif } from '../../media/made-images.ts';
import { exif, exifSegment, iTXt, jpegOf, pngOf, webpOf } from '../../media/made-texts.ts';
import { hasProgram } from '../../support/has-program.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

const run = promisify(execFile);
const exiftool = hasProgram('exiftool', '-ver');

let t: TestApp;
let folder: string;
beforeAll(async () => {
  t = await createTestApp();
  folder = await mkdtemp(path.join(tmpdir(), 'marks-'));
});
afterAll(async () => {
  await t.close();
  await rm(folder, { recursive: true, force: true });
});

/** What exiftool says of the file that `?strip=metadata` sends. */
async function stripped(file: Uint8Array, query = ''): Promise<Record<string, unknown>> {
  const headers = { ...asUser('a'), 'content-type': 'application/octet-stream' };
  const payload = Buffer.from(file);
  const posted = await t.app.inject({ method: 'POST', url: `/v1/media?${query}`, headers, payload });
  expect(posted.statusCode).toBe(201);
  const url = `/v1/media/${posted.json().id}/content?strip=metadata`;
  const sent = await t.app.inject({ url, headers: asUser('a') });
  expect(sent.statusCode).toBe(200);
  const place = path.join(folder, `${posted.json().id}.bin`);
  await writeFile(place, sent.rawPayload);
  const { stdout } = await run('exiftool', ['-j', '-n', '-G1', place]);
  const [found] = JSON.parse(stdout) as Record<string, unknown>[];
  return { ...found, etag: sent.headers.etag };
}

const TERM = 'http://cv.iptc.org/newscodes/digitalsourcetype/';
const KEY = 'XMP-iptcExt:DigitalSourceType';

test.runIf(exiftool).each([
  ['image/png', pngOf()],
  ['image/jpeg', jpegOf()],
  ['image/webp', webpOf(0)],
  ['image/gif', gif(30, 20)],
])('a stripped %s of a model says so to other programs, with the same size', async (type, file) => {
  for (const query of ['model=flux', 'provider=fal', 'toolName=generate_image'])
    expect(await stripped(file, query)).toMatchObject({
      [KEY]: `${TERM}trainedAlgorithmicMedia`,
      'File:MIMEType': type,
    });
  expect(await stripped(file)).not.toHaveProperty(KEY);
});

test.runIf(exiftool)('what the file itself says stays', async () => {
  const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><Iptc4xmpExt:DigitalSourceType>${TERM}compositeWithTrainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType></rdf:Description></rdf:RDF></x:xmpmeta>`;
  const found = await stripped(pngOf(iTXt('XML:com.adobe.xmp', xmp)), 'model=flux');
  expect(found).toMatchObject({ [KEY]: `${TERM}compositeWithTrainedAlgorithmicMedia` });
});

test.runIf(exiftool)('the orientation stays, and the description goes', async () => {
  const file = jpegOf(exifSegment(exif({ ImageDescription: 'a secret', Orientation: 6 })));
  const found = await stripped(file);
  expect(found).toMatchObject({ 'IFD0:Orientation': 6 });
  expect(JSON.stringify(found)).not.toContain('a secret');
});

test('the validator of a stripped file tells whether it says that a model made it', async () => {
  const headers = { ...asUser('a'), 'content-type': 'application/octet-stream' };
  for (const [query, end] of [
    ['', 'stripped'],
    ['?model=flux', 'stripped-generated'],
  ] as const) {
    const payload = Buffer.from(pngOf());
    const posted = await t.app.inject({ method: 'POST', url: `/v1/media${query}`, headers, payload });
    const { id, sha256 } = posted.json();
    const url = `/v1/media/${id}/content?strip=metadata`;
    const sent = await t.app.inject({ method: 'HEAD', url, headers: asUser('a') });
    expect(sent.headers.etag).toBe(`"${sha256}-${end}"`);
  }
});
