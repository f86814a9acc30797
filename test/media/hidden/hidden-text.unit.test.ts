import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createInspector, withHiddenText } from '../../../src/media/inspect/inspect.ts';
import { HiddenTextProbe } from '../../../src/media/hidden/probe.ts';
import { readPixels } from '../../../src/media/hidden/read-pixels.ts';
import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { be32, bytes, utf8 } from '../bytes.ts';
import { pngChunk } from '../made-images.ts';

type Mode = 'alpha' | 'rgb';
interface Picture {
  width: number;
  height: number;
  channels: 3 | 4;
  /** Values of the channels, row by row. */
  pixels: Uint8Array;
}

/** A picture whose pixels are neither plain nor noise. */
function picture(width: number, height: number, channels: 3 | 4): Picture {
  const pixels = Uint8Array.from({ length: width * height * channels }, (_v, at) => (at * 7 + (at >> 3)) & 0xff);
  return { width, height, channels, pixels };
}

function hide({ width, height, channels, pixels }: Picture, mode: Mode, payload: Uint8Array): Picture {
  const hidden = pixels.slice();
  const bits = [...payload].flatMap((byte) => Array.from({ length: 8 }, (_v, at) => (byte >> (7 - at)) & 1));
  for (const [at, bit] of bits.entries()) {
    const pixel = mode === 'alpha' ? at : Math.floor(at / 3);
    const channel = mode === 'alpha' ? 3 : at % 3;
    const place = ((pixel % height) * width + Math.floor(pixel / height)) * channels + channel;
    hidden[place] = ((hidden[place] ?? 0) & 0xfe) | bit;
  }
  return { width, height, channels, pixels: hidden };
}

const payloadOf = (signature: string, body: Uint8Array, bits = body.length * 8) => bytes(signature, be32(bits), body);

function filtered({ width, height, channels, pixels }: Picture, filterOf: (row: number) => number): Uint8Array {
  const stride = width * channels;
  const rows: Uint8Array[] = [];
  for (let row = 0; row < height; row += 1) {
    const filter = filterOf(row);
    const out = new Uint8Array(stride + 1);
    out[0] = filter;
    for (let at = 0; at < stride; at += 1) {
      const value = (y: number, x: number) => (y < 0 || x < 0 ? 0 : (pixels[y * stride + x] ?? 0));
      const [left, up, corner] = [
        value(row, at - channels),
        value(row - 1, at),
        at < channels ? 0 : value(row - 1, at - channels),
      ];
      const near = left + up - corner;
      const [a, b, c] = [left, up, corner].map((each) => Math.abs(near - each)) as [number, number, number];
      const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
      const guess = [0, left, up, (left + up) >> 1, paeth][filter] ?? 0;
      out[at + 1] = (value(row, at) - guess) & 0xff;
    }
    rows.push(out);
  }
  return bytes(...rows);
}

function pngOf(made: Picture, filterOf = (row: number) => row % 5, pieces = 8192): Uint8Array {
  const header = pngChunk(
    'IHDR',
    bytes(be32(made.width), be32(made.height), [8, made.channels === 4 ? 6 : 2, 0, 0, 0]),
  );
  const packed = new Uint8Array(deflateSync(filtered(made, filterOf)));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < packed.length; at += pieces) chunks.push(pngChunk('IDAT', packed.subarray(at, at + pieces)));
  return bytes('\x89PNG\r\n\x1a\n', header, ...chunks, pngChunk('IEND', new Uint8Array(0)));
}

async function generationIn(file: Uint8Array): Promise<unknown> {
  const inspector = createInspector(mediaTypeByExtension('png')!);
  for (let at = 0; at < file.length; at += 5000) inspector.push(file.subarray(at, at + 5000));
  const result = inspector.finish();
  if (!result.ok) throw new Error(result.reason);
  return (await withHiddenText(result)).generation;
}

const INFOTEXT = 'a mossy stone\nNegative prompt: people\nSteps: 18, Seed: 5150, Model: hidden_v1';
const NOVELAI = JSON.stringify({
  Software: 'NovelAI',
  Source: 'NovelAI Diffusion V4 AABBCCDD',
  Comment: JSON.stringify({ prompt: 'a park', uc: 'lowres', sampler: 'k_euler', seed: 17 }),
});

test.each<[string, Mode, 3 | 4, string]>([
  ['alpha', 'alpha', 4, 'stealth_pnginfo'],
  ['alpha, gzipped', 'alpha', 4, 'stealth_pngcomp'],
  ['colours', 'rgb', 3, 'stealth_rgbinfo'],
  ['colours, gzipped', 'rgb', 3, 'stealth_rgbcomp'],
  ['colours beside alpha', 'rgb', 4, 'stealth_rgbinfo'],
])(
  'a text in the lowest bits of %s is read, from pictures of any shape and filter',
  async (_where, mode, channels, signature) => {
    for (const [text, expected] of [
      [
        INFOTEXT,
        {
          source: 'automatic1111',
          prompt: 'a mossy stone',
          negativePrompt: 'people',
          seed: 5150,
          steps: 18,
          model: 'hidden_v1',
        },
      ],
      [
        NOVELAI,
        { source: 'novelai', prompt: 'a park', negativePrompt: 'lowres', seed: 17, model: 'NovelAI Diffusion V4' },
      ],
    ] as const) {
      const body = signature.endsWith('comp') ? new Uint8Array(gzipSync(text)) : utf8(text);
      for (const [width, height] of [
        [64, 64],
        [3000, 1],
        [1, 3000],
        [300, 20],
      ] as const) {
        const made = hide(picture(width, height, channels), mode, payloadOf(signature, body));
        expect(await generationIn(pngOf(made))).toMatchObject(expected);
      }
    }
  },
);

test('any text that has room is read back', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom<Mode>('alpha', 'rgb'),
      fc.array(fc.nat(4), { minLength: 1, maxLength: 5 }),
      (text, height, mode, filters) => {
        const payload = payloadOf(mode === 'alpha' ? 'stealth_pnginfo' : 'stealth_rgbinfo', utf8(text));
        const width = Math.ceil((payload.length * 8) / (mode === 'alpha' ? 1 : 3) / height);
        const made = hide(picture(width, height, 4), mode, payload);
        const compressed = deflateSync(filtered(made, (row) => filters[row % filters.length] ?? 0));
        expect(readPixels({ width, height, channels: 4, compressed })).toBe(text);
      },
    ),
    { numRuns: 60 },
  );
});

test('a picture that hides nothing is ruled out by its first rows', () => {
  for (const channels of [3, 4] as const) {
    const made = picture(64, 64, channels);
    const probe = new HiddenTextProbe(made);
    probe.push(deflateSync(filtered(made, () => 0)));
    expect(probe.finish()).toBeUndefined();
  }
});

test.each<[string, Uint8Array]>([
  ['a length beyond the picture', payloadOf('stealth_pnginfo', utf8('x'), 2 ** 31)],
  ['a signature alone', utf8('stealth_pnginfo')],
  ['a signature of another kind', payloadOf('stealth_pngxxxx', utf8(INFOTEXT))],
  ['text that is not gzipped', payloadOf('stealth_pngcomp', utf8(INFOTEXT))],
  [
    'text that unpacks to too much',
    payloadOf('stealth_pngcomp', new Uint8Array(gzipSync(Buffer.alloc(3_000_000, 'a')))),
  ],
  [
    'bytes that are no text',
    payloadOf(
      'stealth_pnginfo',
      Uint8Array.from({ length: 40 }, (_v, at) => 0x80 + at),
    ),
  ],
])('%s is no way of making it', async (_what, payload) => {
  const found = await generationIn(pngOf(hide(picture(300, 120, 4), 'alpha', payload)));
  expect((found as { prompt?: string } | null)?.prompt ?? '').not.toContain('mossy');
});

test('pixels that break off, or are none, leave a note at most', async () => {
  const file = pngOf(hide(picture(200, 200, 4), 'alpha', payloadOf('stealth_pnginfo', utf8(INFOTEXT))), undefined, 100);
  expect(await generationIn(file.subarray(0, file.length / 2))).toMatchObject({
    source: 'unknown',
    notes: [expect.stringMatching(/hidden/)],
  });
  const nothing = bytes(
    file.subarray(0, 33),
    pngChunk('IDAT', utf8('stealth_pnginfo no zlib')),
    pngChunk('IEND', new Uint8Array(0)),
  );
  expect(await generationIn(nothing)).toBeNull();
});

test('many such pictures at once are all answered, those beyond the limit with a note', async () => {
  const file = pngOf(hide(picture(64, 64, 4), 'alpha', payloadOf('stealth_pnginfo', utf8(INFOTEXT))));
  const found = (await Promise.all(Array.from({ length: 20 }, () => generationIn(file)))) as {
    prompt?: string;
    notes?: string[];
  }[];
  const read = found.filter(({ prompt }) => prompt === 'a mossy stone');
  expect(read.length).toBeGreaterThanOrEqual(8);
  for (const each of found) if (!read.includes(each)) expect(each.notes?.join()).toContain('at once');
  expect(await generationIn(file)).toMatchObject({ prompt: 'a mossy stone' });
});
