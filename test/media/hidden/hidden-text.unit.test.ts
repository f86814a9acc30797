import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createInspector, withHiddenText, type Inspection } from '../../../src/media/inspect/inspect.ts';
import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { utf8, zeros } from '../bytes.ts';
import { A1111, NOVELAI_COMMENT, SWARMUI } from '../generation/made-generations.ts';
import { exif, tEXt, unicodeComment } from '../made-texts.ts';
import { pngChunk } from '../made-images.ts';
import * as made from './made-hidden.ts';

async function inspected(file: Uint8Array, chunk = 4096): Promise<Inspection> {
  const inspector = createInspector(mediaTypeByExtension('png')!);
  for (let at = 0; at < file.length; at += chunk) inspector.push(file.slice(at, at + chunk));
  const result = inspector.finish();
  if (!result.ok) throw new Error(result.reason);
  return await withHiddenText(result);
}
const generation = async (file: Uint8Array) => (await inspected(file)).generation;
const notes = async (file: Uint8Array) => (await generation(file))?.notes?.join(' ') ?? '';

/** A picture that hides a text, as a PNG. */
function hiding(
  text: string | Uint8Array,
  options: made.Hiding & made.Encoding & { size?: [number, number]; channels?: 3 | 4 } = { place: 'png' },
): Uint8Array {
  const { place, size: [width, height] = [64, 64], channels = place === 'png' ? 4 : 3 } = options;
  const hidden = made.payload(text, options);
  return made.encodePng(made.hide(made.picture(width, height, channels), hidden, place), options);
}

const INFOTEXT = 'a mossy stone\nNegative prompt: people\nSteps: 18, Seed: 5150, Model: m';
const EXPECTED = { source: 'automatic1111', prompt: 'a mossy stone', negativePrompt: 'people', steps: 18, seed: 5150 };

describe('a hidden infotext is read', () => {
  const ways = (['png', 'rgb'] as const).flatMap((place) =>
    [false, true].map((gzipped) => ({ place, gzipped, name: `${place}, ${gzipped ? 'gzipped' : 'plain'}` })),
  );
  test.each(ways)('from $name', async (way) => {
    expect(await inspected(hiding(INFOTEXT, way))).toMatchObject({ width: 64, height: 64, generation: EXPECTED });
  });

  test('from the colours of a picture with alpha', async () => {
    expect(await generation(hiding(INFOTEXT, { place: 'rgb', channels: 4 }))).toMatchObject(EXPECTED);
  });

  test.each([0, 1, 2, 3, 4])('from rows with the filter %i alone', async (filter) => {
    expect(await generation(hiding(INFOTEXT, { place: 'png', filters: [filter] }))).toMatchObject(EXPECTED);
    expect(await generation(hiding(INFOTEXT, { place: 'rgb', filters: [filter] }))).toMatchObject(EXPECTED);
  });

  const bits = made.payload(INFOTEXT, { place: 'png' }).length * 8;
  test.each<[string, [number, number]]>([
    ['one pixel wide', [1, bits]],
    ['one pixel high', [bits, 1]],
    ['two pixels high', [Math.ceil(bits / 2), 2]],
    ['wider than high', [301, 23]],
    ['higher than wide', [17, 400]],
    ['with room to the bit', [bits / 8, 8]],
  ])('from a picture %s', async (_name, size) => {
    expect(await generation(hiding(INFOTEXT, { place: 'png', size }))).toMatchObject(EXPECTED);
    expect(await generation(hiding(INFOTEXT, { place: 'rgb', size }))).toMatchObject(EXPECTED);
  });

  test('from chunks of pixels of any size, in pieces of any size', async () => {
    for (const idat of [1, 100, 1_000_000]) {
      const file = hiding(INFOTEXT, { place: 'png', idat });
      for (const chunk of [7, 5000, file.length])
        expect((await inspected(file, chunk)).generation).toMatchObject(EXPECTED);
    }
  });

  test('from a picture of 20,000 pixels a row, of which few rows come at first', async () => {
    // Noise is not compressed, so that the rows stay long.
    const wide = made.picture(20_000, 30, 3);
    const file = made.encodePng(made.hide(wide, made.payload(INFOTEXT, { place: 'rgb' }), 'rgb'), { filters: [0] });
    expect(await generation(file)).toMatchObject(EXPECTED);
  });

  test('from a large flat picture, whose rows unpack to much', async () => {
    const flat = { width: 1500, height: 2000, channels: 4 as const, pixels: new Uint8Array(1500 * 2000 * 4).fill(255) };
    const file = made.encodePng(made.hide(flat, made.payload(INFOTEXT, { place: 'png' }), 'png'), { filters: [1] });
    expect(file.length).toBeLessThan(60_000);
    expect(await generation(file)).toMatchObject(EXPECTED);
  });
});

describe('what is hidden may be', () => {
  test("NovelAI's texts as one object", async () => {
    const texts = {
      Comment: JSON.stringify(NOVELAI_COMMENT),
      Software: 'NovelAI',
      Source: 'NovelAI Diffusion V4 37442FCA',
    };
    const file = hiding(JSON.stringify(texts), { place: 'png', gzipped: true, size: [128, 128] });
    expect(await generation(file)).toMatchObject({ source: 'novelai', seed: 1330847652, modelHash: '37442FCA' });
  });

  test('settings as JSON', async () => {
    const file = hiding(JSON.stringify(SWARMUI), { place: 'rgb', gzipped: true });
    expect(await generation(file)).toMatchObject({ source: 'swarmui', seed: 1246518281 });
  });

  test('a graph, of which the route for workflows knows nothing', async () => {
    const graph = { '3': { class_type: 'KSampler', inputs: { seed: 8, steps: 4 } } };
    const found = await generation(hiding(JSON.stringify({ prompt: graph }), { place: 'png', gzipped: true }));
    expect(found).toMatchObject({ source: 'comfyui', seed: 8 });
    expect(found).not.toHaveProperty('hasWorkflow');
  });

  test('a text that is not UTF-8', async () => {
    const latin1 = Buffer.from('un bâton\nSteps: 3, Seed: 4', 'latin1');
    expect(await generation(hiding(latin1))).toMatchObject({ prompt: 'un bâton', seed: 4 });
  });
});

describe('what the file says openly goes first', () => {
  const open = [
    ['a text after the pixels', { after: [tEXt('parameters', A1111)] }],
    ['EXIF', { before: [pngChunk('eXIf', exif({ UserComment: unicodeComment(A1111) }))] }],
    ['a text before the pixels', { before: [tEXt('parameters', A1111)] }],
  ] as const;
  test.each(open)('%s', async (_name, where) => {
    expect(await generation(hiding(INFOTEXT, { place: 'png', ...where } as never))).toMatchObject({ seed: 2870305590 });
    const broken = hiding('garbage', { place: 'png', bits: 2 ** 31, ...where } as never);
    expect(await generation(broken)).toMatchObject({ source: 'automatic1111', seed: 2870305590 });
  });

  test('None is not what it says', async () => {
    expect(await generation(hiding(INFOTEXT, { place: 'png', before: [tEXt('parameters', 'None')] }))).toMatchObject(
      EXPECTED,
    );
  });

  test('a manifest and notes stay beside the hidden text', async () => {
    const before = [pngChunk('caBX', zeros(10)), pngChunk('zTXt', utf8('parameters\0\0garbage'))];
    const found = await generation(hiding(INFOTEXT, { place: 'rgb', before }));
    expect(found).toMatchObject({ ...EXPECTED, c2pa: true, notes: [expect.stringContaining('decompressed')] });
  });
});

describe('a hidden text that is wrong is noted', () => {
  const long = 'x'.repeat(400);
  test.each([
    ['is longer than the picture', hiding(INFOTEXT, { place: 'png', bits: 64 * 64 }), 'ends in the middle'],
    ['is longer than its colours', hiding(INFOTEXT, { place: 'rgb', bits: 64 * 64 * 3 }), 'ends in the middle'],
    ['did not fit', hiding(long, { place: 'png', size: [40, 40] }), 'ends in the middle'],
    ['is said to have 512 MB', hiding(INFOTEXT, { place: 'png', bits: 2 ** 32 - 1 }), 'too long'],
    ['is cut with its pixels', hiding(INFOTEXT, { place: 'png', size: [300, 300], cut: 60_000 }), 'could not be read'],
    ['is not gzipped', hiding(utf8(INFOTEXT), { place: 'png', gzipped: true }), 'could not be read'],
    [
      'is a bomb',
      hiding(gzipSync(zeros(8_000_000)), { place: 'rgb', gzipped: true, size: [256, 256] }),
      'could not be read',
    ],
    [
      'is a bomb cut short',
      hiding(gzipSync(utf8(long)).subarray(0, 20), { place: 'png', gzipped: true }),
      'could not be read',
    ],
  ])('which %s', async (_name, file, note) => {
    expect(await generation(file)).toMatchObject({ source: 'unknown' });
    expect(await notes(file)).toContain(note);
  });

  test('which has more pixels than are kept', async () => {
    const noise = made.picture(1600, 1300, 4);
    const file = made.encodePng(made.hide(noise, made.payload(INFOTEXT, { place: 'png' }), 'png'), { filters: [0] });
    expect(await notes(file)).toContain('too many');
  });

  test('which unpacks to much, within little memory', async () => {
    // The first column has the signature, and no text can follow it.
    const start = made.hide(made.picture(8, 30_000, 4), made.payload('', { place: 'png', bits: 800 }), 'png');
    const rows = made.filteredRows({ ...start, height: 300 }, [0]);
    const tall = deflateSync(Buffer.concat([rows, Buffer.alloc(120_000_000)]));
    const file = made.pngWith({ width: 8, height: 2 ** 31 - 1, channels: 4 }, tall);
    const before = process.memoryUsage.rss();
    await inspected(file);
    expect(process.memoryUsage.rss() - before).toBeLessThan(90_000_000);
  });
});

describe('a picture that hides nothing', () => {
  const opaque = made.picture(200, 200, 4);
  const clear = { ...opaque, pixels: new Uint8Array(opaque.pixels.length) };
  test.each([
    ['is opaque', made.encodePng(opaque)],
    ['has no alpha', made.encodePng(made.picture(200, 200, 3))],
    ['is transparent', made.encodePng(clear)],
    ['is transparent and one pixel high', made.encodePng({ ...clear, width: 40_000, height: 1 })],
    ['has broken pixels', made.pngWith(opaque, zeros(500))],
    ['has broken pixels in one row', made.pngWith({ ...opaque, height: 1 }, zeros(500))],
    ['is cut', made.encodePng(clear, { cut: 20 })],
    ['has no pixels', made.pngWith(opaque, zeros(0))],
    ['has another signature', made.encodePng(made.hide(opaque, utf8('stealth_pngnone and so on'), 'png'))],
    ['is too small for a signature', made.encodePng(made.hide(made.picture(5, 5, 4), utf8('stealth_'), 'png'))],
  ])('has no notes when it %s', async (_name, file) => {
    expect(await inspected(file)).toMatchObject({ generation: null });
  });

  test('keeps what else it says', async () => {
    const file = made.pngWith(opaque, zeros(500), { after: [tEXt('Comment', 'by hand')] });
    expect(await generation(file)).toBeNull();
  });
});

test('40 pictures at once are all read', { timeout: 60_000 }, async () => {
  const files = Array.from({ length: 40 }, (_value, index) =>
    hiding(`stone ${index}\nSteps: 5, Seed: ${index}`, { place: index % 2 ? 'png' : 'rgb', gzipped: index % 3 === 0 }),
  );
  const found = await Promise.all(files.map(generation));
  expect(found.map((each) => each?.seed)).toEqual(files.map((_file, index) => index));
});

test('more compressed pixels than may wait stay unread, with a note', { timeout: 60_000 }, async () => {
  const hidden = made.hide(made.picture(64, 64, 4), made.payload(INFOTEXT, { place: 'png' }), 'png');
  const compressed = Buffer.concat([deflateSync(made.filteredRows(hidden, [0])), zeros(6_000_000)]);
  const file = made.pngWith(hidden, compressed, { idat: 1_000_000 });
  const row = { width: 9, height: 1, channels: 4 } as const;
  const perhaps = made.pngWith(row, Buffer.concat([deflateSync(zeros(37)), zeros(2_000_000)]), { idat: 1_000_000 });
  const found = await Promise.all([...Array.from({ length: 12 }, () => file), perhaps].map(generation));
  expect(found.filter((each) => each?.seed === 5150)).toHaveLength(11);
  expect(found.at(11)?.notes?.join(' ')).toContain('too many pictures');
  // That one only seems to hide something.
  expect(found.at(12)).toBeNull();
  expect(await generation(file)).toMatchObject(EXPECTED);
});
