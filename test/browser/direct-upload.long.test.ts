import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, type Page, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { mediaTypeByExtension } from '../../src/media/media-type.ts';
import { AUDIO } from '../media/made-audio.ts';
import { IMAGES, png, pngChunk } from '../media/made-images.ts';
import { MODELS } from '../media/made-models.ts';
import { VIDEOS } from '../media/made-video.ts';
import { be32, bytes, utf8 } from '../media/bytes.ts';
import { s3Settings } from '../support/s3/service.ts';
import { type TestApp, createTestApp, token } from '../support/test-app.ts';
import { chromiumPath } from './chromium.ts';

const executablePath = chromiumPath();
if (executablePath === undefined) process.stdout.write('no Chromium on the PATH: tests in a browser are skipped\n');

let browser: Browser;
let page: Page;
let origin: string;
const site = createServer((_request, response) => {
  response.setHeader('content-type', 'text/html');
  response.end(readFileSync(new URL('upload-page.html', import.meta.url)));
});

beforeAll(async () => {
  if (executablePath === undefined) return;
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  page = await browser.newPage();
  await page.goto(origin);
});
afterAll(async () => {
  await browser?.close();
  site.close();
});

/** Starts the service at an address that a browser reaches, with CORS for the page's origin. */
async function serve(env: Record<string, string>): Promise<{ t: TestApp; address: string }> {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const t = await createTestApp({ CORS_ORIGINS: origin, PUBLIC_BASE_URL: address, ...env });
  await t.app.listen({ host: '127.0.0.1', port });
  return { t, address };
}

interface Outcome {
  putUrl: string;
  /** Of begin, send, complete and sign. */
  statuses: number[];
  item: { id: string; sha256: string; bytes: number; width: number };
  shownUrl: string;
  shownWidth: number;
  /** The bytes that the page has sent. */
  sent: number[];
  readFrom: string;
  readBytes: number;
}

/** Calls a function of the page for the service at `address`. */
async function callPage<T>(name: string, address: string): Promise<T> {
  const bearer = token({ sub: 'a', scope: 'media:read media:write' });
  return (
    page
      .evaluate<T>(`${name}(${JSON.stringify({ address, bearer })})`)
      // The stack of an error in the page names the page's own files, which the runner would try to open.
      .catch((error: unknown) => {
        throw new Error(`in the page: ${String(error).split('\n')[0]}`);
      })
  );
}

/** Has the page upload a picture that it draws. */
async function uploadInBrowser(address: string): Promise<Outcome & { sha256: string }> {
  const outcome = await callPage<Outcome>('upload', address);
  return { ...outcome, sha256: createHash('sha256').update(Buffer.from(outcome.sent)).digest('hex') };
}

test.skipIf(executablePath === undefined)(
  'a page of another origin uploads directly to the service for a local store, and shows the picture',
  async () => {
    const { t, address } = await serve({});
    try {
      const { putUrl, statuses, item, shownWidth, sent, readBytes, sha256 } = await uploadInBrowser(address);
      expect(statuses).toEqual([201, 204, 201, 200]);
      expect(putUrl.startsWith(`${address}/v1/uploads/`)).toBe(true);
      expect(item).toMatchObject({ sha256, bytes: sent.length, width: 320 });
      expect([shownWidth, readBytes]).toEqual([320, sent.length]);
    } finally {
      await t.close();
    }
  },
);

test.skipIf(executablePath === undefined)(
  'a page of another origin uploads directly to S3, shows the picture from there, and reads it through the redirect',
  async () => {
    const s3 = await s3Settings(inject('s3'), origin);
    const { t, address } = await serve(s3.env);
    try {
      const { putUrl, statuses, item, shownUrl, shownWidth, sent, readFrom, readBytes, sha256 } =
        await uploadInBrowser(address);
      expect(statuses).toEqual([201, 200, 201, 200]);
      const endpoint = s3.env['S3_ENDPOINT'] ?? 'none';
      for (const url of [putUrl, shownUrl, readFrom]) expect(url.startsWith(endpoint)).toBe(true);
      expect(item).toMatchObject({ sha256, bytes: sent.length, width: 320, storageProvider: 's3' });
      expect([shownWidth, readBytes]).toEqual([320, sent.length]);
    } finally {
      await t.close();
      s3.client.destroy();
    }
  },
);

interface ChosenFile {
  name: string;
  file: Uint8Array;
  /** The type it must be kept under; undefined: it must be refused. */
  mime: string | undefined;
}

interface ChosenOutcome {
  name: string;
  /** What the browser makes of the file. */
  type: string;
  statuses: number[];
  item: { mimeType?: string; bytes?: number; sha256?: string; code?: string };
}

/** Has somebody choose files on their disk, which the page uploads. */
async function chooseInBrowser(address: string, files: readonly ChosenFile[]): Promise<ChosenOutcome[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-chosen-'));
  try {
    const paths = files.map(({ name }) => path.join(folder, name));
    for (const [index, { file }] of files.entries()) await writeFile(paths[index]!, file);
    await page.setInputFiles('input', paths);
    return await callPage<ChosenOutcome[]>('uploadChosen', address);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const made = [...IMAGES, ...AUDIO, ...VIDEOS, ...MODELS];
const fileOf = (name: string): Uint8Array => made.find((each) => each.name === name)!.file;
const movingPng = png(30, 20, pngChunk('acTL', bytes(be32(2), be32(0))));

/** Files whose ending tells less than their bytes. */
const MISNAMED: readonly ChosenFile[] = [
  { name: 'moving.png', file: movingPng, mime: 'image/apng' },
  { name: 'still.apng', file: fileOf('PNG'), mime: 'image/png' },
  { name: 'sound.webm', file: fileOf('WebM with sound alone'), mime: 'audio/webm' },
  { name: 'matroska.webm', file: fileOf('MKV'), mime: 'video/matroska' },
  { name: 'apple.mp4', file: fileOf('MOV'), mime: 'video/quicktime' },
  { name: 'sound.mp4', file: fileOf('MP4 with sound alone'), mime: 'audio/mp4' },
  { name: 'plain.mov', file: fileOf('MP4'), mime: 'video/mp4' },
  { name: 'phone.mp4', file: fileOf('3GP'), mime: 'video/3gpp' },
  { name: 'film.ogg', file: fileOf('Ogg video'), mime: 'video/ogg' },
  { name: 'camera.heic', file: fileOf('HEIF'), mime: 'image/heif' },
  { name: 'moving', file: movingPng, mime: 'image/apng' },
  { name: 'scene', file: fileOf('GLB'), mime: 'model/gltf-binary' },
  { name: 'SHOUTED.GLB', file: fileOf('GLB'), mime: 'model/gltf-binary' },
];

const NO_MEDIA: readonly ChosenFile[] = [
  'notes.txt',
  'page.html',
  'program',
  'archive.zip',
  'picture.png',
  'shape.glb',
].map((name) => ({ name, file: utf8(`MZ <html> ${name} is no media at all`), mime: undefined }));

const CHOSEN: readonly ChosenFile[] = [
  ...[...new Map(made.map((each) => [each.ext, each])).values()].map(({ file, ext }) => ({
    name: `a.${ext}`,
    file,
    mime: mediaTypeByExtension(ext)!.mime,
  })),
  ...MISNAMED,
  ...NO_MEDIA,
];

test.skipIf(executablePath === undefined).each(['local', 's3'])(
  'a page uploads files of every type as the browser sees them, and only media is kept: %s',
  { timeout: 120_000 },
  async (kind) => {
    const s3 = kind === 's3' ? await s3Settings(inject('s3'), origin) : undefined;
    const { t, address } = await serve(s3?.env ?? {});
    try {
      const outcomes = await chooseInBrowser(address, CHOSEN);
      expect(outcomes.map(({ name, type, item }) => [name, type, item.mimeType ?? item.code])).toEqual(
        CHOSEN.map(({ name, mime }, index) => [name, outcomes[index]!.type, mime ?? 'unsupported_media']),
      );
      for (const [index, { file, mime }] of CHOSEN.entries()) {
        if (mime === undefined) continue;
        const sha256 = createHash('sha256').update(file).digest('hex');
        expect(outcomes[index]!.item).toMatchObject({ bytes: file.length, sha256, storageProvider: kind });
      }
      // What a browser knows least of is among them.
      const typeOf = (wanted: string) => outcomes.find(({ name }) => name === wanted)?.type;
      expect(['scene', 'moving'].map(typeOf)).toEqual(['', '']);
      expect(['moving.png', 'sound.webm', 'apple.mp4'].map(typeOf)).toEqual(['image/png', 'video/webm', 'video/mp4']);
    } finally {
      await t.close();
      s3?.client.destroy();
    }
  },
);
