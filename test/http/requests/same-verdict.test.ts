import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AUDIO } from '../../media/made-audio.ts';
import { IMAGES } from '../../media/made-images.ts';
import { MODELS } from '../../media/made-models.ts';
import { VARIANTS } from '../../media/made-variants.ts';
import { VIDEOS } from '../../media/made-video.ts';
import { multipart } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let provider: Server;
let origin: string;
let served: Buffer;
beforeAll(async () => {
  provider = createServer((_request, response) => response.end(served));
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  t = await createTestApp({ FETCH_TRUSTED_HOSTS: '127.0.0.1' });
});
afterAll(async () => {
  await t.close();
  provider.closeAllConnections();
  await new Promise((resolve) => provider.close(resolve));
});

const user = asUser('verdicts');
const post = (url: string, payload: object | Buffer, headers: Record<string, string> = {}) =>
  t.app.inject({ method: 'POST', url, headers: { ...user, ...headers }, payload });
const OCTETS = 'application/octet-stream';

/** Every way in that takes the bytes of one file. */
const TRANSPORTS: Record<string, (file: Buffer, filename: string) => ReturnType<typeof post>> = {
  raw: (file, filename) => post(`/v1/media?filename=${filename}`, file, { 'content-type': OCTETS }),
  multipart: (file, filename) => {
    const form = multipart([{ name: 'file', filename, type: OCTETS, value: file }]);
    return post('/v1/media', form.payload, form.headers);
  },
  base64: (file, filename) =>
    post('/v1/media', { filename, source: { type: 'base64', data: file.toString('base64') } }),
  url: (file, filename) => {
    served = file;
    return post('/v1/media', { source: { type: 'url', url: `${origin}/${filename}` } });
  },
  'direct upload': async (file, filename) => {
    const begun = await post('/v1/uploads', { contentType: OCTETS, bytes: file.length, filename });
    const { id, url } = begun.json();
    const path = url.slice(new URL(url).origin.length);
    const sent = await t.app.inject({ method: 'PUT', url: path, headers: { 'content-type': OCTETS }, payload: file });
    return sent.statusCode === 204 ? post(`/v1/uploads/${id}/complete`, {}) : sent;
  },
};

async function verdicts(file: Buffer, filename: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const send of Object.values(TRANSPORTS)) {
    const answer = await send(file, filename);
    const { code, mimeType, mediaType, width, height, durationMs, generation } = answer.json();
    found.push({ status: answer.statusCode, code, mimeType, mediaType, width, height, durationMs, generation });
  }
  return found;
}

const MADE = [...IMAGES, ...VIDEOS, ...AUDIO, ...MODELS, ...VARIANTS].filter(({ file }) => file.length < 4e6);

test('the type, the size and the duration of a file do not depend on how it arrives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...MADE),
      fc.oneof(
        { arbitrary: fc.constant(1), weight: 3 },
        { arbitrary: fc.double({ min: 0.1, max: 1, noNaN: true }), weight: 1 },
      ),
      fc.uint8Array({ maxLength: 3 }),
      async ({ file, filename }, share, more) => {
        const cut = Buffer.concat([
          file.subarray(0, Math.ceil(file.length * share)),
          share === 1 ? Buffer.alloc(0) : more,
        ]);
        const [first, ...others] = await verdicts(cut, filename ?? 'unnamed');
        for (const other of others) expect(other).toEqual(first);
      },
    ),
    { numRuns: 60 },
  );
});

test.each(VARIANTS.filter(({ file }) => file.length > 64 * 1024).map((made) => [made.name, made] as const))(
  '%s is the same by every way in',
  async (_name, { file, filename, ext, finalExt, width = null, height = null, durationMs = null }) => {
    for (const verdict of await verdicts(Buffer.from(file), filename ?? 'unnamed'))
      expect(verdict).toMatchObject({ status: 201, width, height, durationMs, mimeType: MIMES[finalExt ?? ext] });
  },
);
const MIMES: Record<string, string> = {
  stl: 'model/stl',
  m4a: 'audio/mp4',
  '3ga': 'audio/3gpp',
  mov: 'video/quicktime',
};
