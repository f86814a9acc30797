// Case numbers in titles are those of the table in docs/threat-model.md.
import { describe, expect, test } from 'vitest';

import { createInspector } from '../../src/media/inspect/inspect.ts';
import { mediaTypeByExtension } from '../../src/media/media-type.ts';
import { be16, be32, be64, bytes, utf8, zeros } from './bytes.ts';
import { extensionOf, inspectFile } from './judge.ts';
import { id3, mp3, wav } from './made-audio.ts';
import { gif, jpeg, png, pngChunk } from './made-images.ts';
import { binaryStl, OBJ } from './made-models.ts';
import { box, ebml, element, ftyp, movie, oggPage, track } from './made-video.ts';

const NOTHING = { width: null, height: null, durationMs: null, generation: null };
const type = (ext: string) => mediaTypeByExtension(ext)!;

describe('case 23: a header that says 2^31 × 2^31 has no size', () => {
  test('PNG', async () => {
    expect(await extensionOf(png(2 ** 31, 2 ** 31))).toBe('png');
    expect(inspectFile(png(2 ** 31, 2 ** 31), type('png'))).toEqual(NOTHING);
    expect(inspectFile(png(2 ** 31, 1), type('png'))).toEqual(NOTHING);
    expect(inspectFile(png(0, 1), type('png'))).toEqual(NOTHING);
  });

  test('the largest allowed size is accepted', () => {
    const side = 2 ** 31 - 1;
    expect(inspectFile(png(side, side), type('png'))).toMatchObject({ width: side, height: side, durationMs: null });
  });
});

test('case 24: a picture of 50,000 × 50,000 is measured without being decoded', () => {
  expect(inspectFile(png(50_000, 50_000), type('png'))).toMatchObject({ width: 50_000, height: 50_000 });
  expect(inspectFile(jpeg(50_000, 50_000), type('jpg'))).toMatchObject({ width: 50_000, height: 50_000 });
});

test('case 25: 10,000 frames of a GIF or an APNG cost nothing', async () => {
  const frame = gif(30, 20).subarray(19, -1);
  const animated = bytes(gif(30, 20).subarray(0, 19), ...Array.from({ length: 10_000 }, () => frame), 0x3b);
  expect(await extensionOf(animated)).toBe('gif');
  expect(inspectFile(animated, type('gif'))).toMatchObject({ width: 30, height: 20 });
  const chunks = Array.from({ length: 10_000 }, () => pngChunk('fcTL', zeros(26)));
  expect(await extensionOf(png(30, 20, pngChunk('acTL', zeros(8)), ...chunks))).toBe('apng');
});

test('case 26: a progressive JPEG of 80,000 scans costs nothing', async () => {
  const scans = bytes(jpeg(30, 20).subarray(0, -2), ...Array.from({ length: 80_000 }, () => [0xff, 0xda, 0, 2, 1, 2]));
  expect(await extensionOf(scans)).toBe('jpg');
  expect(inspectFile(scans, type('jpg'))).toMatchObject({ width: 30, height: 20 });
});

describe('case 27: truncated files and bad checksums are accepted with what is known', () => {
  test('PNG with a wrong CRC and a damaged chunk', async () => {
    const file = png(30, 20, pngChunk('zTXt', zeros(30)));
    file.fill(0xff, 33, 41);
    expect(await extensionOf(file)).toBe('png');
    expect(inspectFile(file, type('png'))).toMatchObject({ width: 30, height: 20 });
  });

  test('JPEG cut before its frame header', async () => {
    const cut = jpeg(30, 20).subarray(0, 24);
    expect(await extensionOf(cut)).toBe('jpg');
    expect(inspectFile(cut, type('jpg'))).toEqual(NOTHING);
  });

  test('MP4 cut within its movie box', async () => {
    const file = bytes(ftyp('isom'), movie(track('soun'), track('vide', 640, 360)));
    expect(await extensionOf(file.subarray(0, 200))).toBe('mp4');
    expect(inspectFile(file.subarray(0, 200), type('mp4'))).toEqual({ ...NOTHING, durationMs: 2500 });
    expect(inspectFile(file.subarray(0, -1), type('mp4'))).toEqual({
      ...NOTHING,
      width: 640,
      height: 360,
      durationMs: 2500,
    });
  });
});

test('case 28: script in EXIF and in text chunks is none of our business here', async () => {
  const script = '<script>alert(1)</script>';
  const exif = bytes([0xff, 0xe1], be16(8 + script.length), 'Exif\0\0', script);
  expect(await extensionOf(jpeg(1, 1, exif))).toBe('jpg');
  expect(await extensionOf(png(1, 1, pngChunk('tEXt', utf8(`prompt\0${script}`))))).toBe('png');
});

describe('boxes and elements with wrong sizes', () => {
  test.each([
    ['of size 0 before the end', bytes(ftyp('isom'), be32(0), 'free', movie(track('vide', 9, 9)))],
    ['smaller than its header', bytes(ftyp('isom'), be32(7), 'free', movie(track('vide', 9, 9)))],
    [
      'of a 64-bit size smaller than its header',
      bytes(ftyp('isom'), be32(1), 'free', be64(15), movie(track('vide', 9, 9))),
    ],
    ['of 2^63 bytes', bytes(ftyp('isom'), be32(1), 'moov', be64(2n ** 63n), zeros(5000))],
    [
      '100,000 in a row',
      bytes(ftyp('isom'), ...Array.from({ length: 100_000 }, () => box('free')), movie(track('vide', 9, 9))),
    ],
    ['a header longer than it may be', bytes(ftyp('isom'), box('moov', be32(4_000_000_000), 'mvhd', zeros(10)))],
  ])('MP4 box %s', async (_name, file) => {
    expect(inspectFile(file, type('mp4'), 65_536)).toEqual(NOTHING);
    expect(await extensionOf(file)).toBe('mp4');
  });

  test('MP4 with 10,000 nested boxes', () => {
    let nested = zeros(0);
    for (let depth = 0; depth < 200; depth++) nested = box('moov', nested);
    expect(inspectFile(bytes(ftyp('isom'), nested), type('mp4'))).toEqual(NOTHING);
    const deep = Array.from({ length: 10_000 }, (_, i) => bytes(be32(8 * (10_000 - i)), 'trak'));
    expect(inspectFile(bytes(ftyp('isom'), be32(80_008), 'moov', ...deep), type('mp4'))).toEqual(NOTHING);
  });

  test('MP4 with a track that is larger than its container', () => {
    const file = bytes(ftyp('isom'), be32(20), 'moov', track('vide', 640, 360), movie(track('vide', 9, 9)));
    expect(inspectFile(file, type('mp4'))).toEqual(NOTHING);
  });

  test('MP4 without a timescale, with an unknown and with an implausible duration', () => {
    const lasting = (scale: number, duration: number) =>
      bytes(ftyp('isom'), box('moov', box('mvhd', zeros(12), be32(scale), be32(duration), zeros(80))));
    expect(inspectFile(lasting(0, 100), type('mp4'))).toEqual(NOTHING);
    expect(inspectFile(lasting(1000, 0xffffffff), type('mp4'))).toEqual(NOTHING);
    const wide = box('mvhd', [1, 0, 0, 0], zeros(16), be32(1), be64(2n ** 62n), zeros(80));
    expect(inspectFile(bytes(ftyp('isom'), box('moov', wide)), type('mp4'))).toEqual(NOTHING);
  });

  test.each([
    ['of 2^56 - 2 bytes', bytes([0x15, 0x49, 0xa9, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], zeros(500))],
    ['of an id that is too long', bytes([0x01, 0, 0, 0, 0, 0, 0, 0, 0x81, 0], zeros(500))],
    ['of zero bits', zeros(500)],
    ['10,000 empty', bytes(...Array.from({ length: 10_000 }, () => [0xec, 0x80]))],
    ['10,000 inside one another', bytes(...Array.from({ length: 10_000 }, () => [0xae, 0xff]))],
    ['a duration of NaN', element([0x44, 0x89], [0x7f, 0xf8, 0, 0, 0, 0, 0, 0])],
    ['a duration of infinity', element([0x44, 0x89], [0x7f, 0xf0, 0, 0, 0, 0, 0, 0])],
    ['a width of 2^63', element([0xb0], be64(2n ** 63n))],
  ])('Matroska element %s', async (_name, part) => {
    const file = bytes(ebml('matroska'), [0x18, 0x53, 0x80, 0x67, 0x01], Array(7).fill(0xff), part);
    expect(inspectFile(file, type('mkv'))).toEqual(NOTHING);
    expect(await extensionOf(file)).toBe('mkv');
  });

  test('an Ogg stream that says it runs at 0 Hz, and 100,000 streams', () => {
    const vorbis = bytes('\x01vorbis', zeros(30));
    expect(inspectFile(bytes(oggPage(1, 2, 0, vorbis), oggPage(1, 4, 99, zeros(9))), type('ogg'))).toEqual(NOTHING);
    const streams = Array.from({ length: 100_000 }, (_, i) => oggPage(i, 2, 0, vorbis));
    expect(inspectFile(bytes(...streams), type('ogg'), 65_536)).toEqual(NOTHING);
  });

  test('a WAV of 0 bytes a second, and a JPEG of nothing but fill bytes', () => {
    const file = wav(0, zeros(100));
    file.fill(0, 28, 32);
    expect(inspectFile(file, type('wav'))).toEqual(NOTHING);
    expect(inspectFile(bytes([0xff, 0xd8], Array(100_000).fill(0xff)), type('jpg'))).toEqual(NOTHING);
  });
});

describe('the structure of a format without a signature is checked at the end', () => {
  test('STL: the length', () => {
    const stl = type('stl');
    expect(inspectFile(binaryStl(2000), stl)).toEqual(NOTHING);
    expect(inspectFile(bytes(binaryStl(2000), 0), stl)).toContain('triangles');
    expect(inspectFile(binaryStl(2000).subarray(0, -1), stl)).toContain('triangles');
    expect(inspectFile(bytes('short'), stl)).toContain('triangles');
    const solid = binaryStl(2000);
    solid.set(bytes('solid '.padEnd(80)));
    expect(inspectFile(solid, stl)).toEqual(NOTHING);
    expect(inspectFile(bytes('solid a\nfacet normal 0 0 1\n'.padEnd(5000), zeros(9)), stl)).toContain('binary');
  });

  test('OBJ: the file is text to its end', () => {
    expect(inspectFile(utf8(OBJ), type('obj'))).toEqual(NOTHING);
    expect(inspectFile(bytes(OBJ.repeat(1000), 0, OBJ), type('obj'))).toContain('binary');
  });

  test('glTF: the JSON is complete', () => {
    const head = '{"asset":{"version":"2.0"},"buffers":["';
    expect(inspectFile(utf8(`${head}"]}`), type('gltf'))).toEqual(NOTHING);
    expect(inspectFile(utf8(head), type('gltf'))).toContain('glTF');
    expect(inspectFile(utf8(`${head}"]} x`), type('gltf'))).toContain('glTF');
    const long = head + 'A'.repeat(5_000_000);
    expect(inspectFile(utf8(`${long}"]} \n`), type('gltf'), 65_536)).toEqual(NOTHING);
    expect(inspectFile(utf8(long), type('gltf'), 65_536)).toContain('glTF');
    const deep = `${head}"],"x":${'['.repeat(1_000_000)}`;
    expect(inspectFile(utf8(deep), type('gltf'), 65_536)).toContain('glTF');
  });

  test('MP3 and FLAC after a tag that is too long for sniffing', () => {
    const tag = id3(5_000_000);
    expect(inspectFile(bytes(tag, mp3(3)), type('mp3'), 65_536)).toMatchObject({ durationMs: 78 });
    expect(inspectFile(bytes(tag, '<html>'.repeat(100)), type('mp3'), 65_536)).toContain('ID3');
    expect(inspectFile(bytes(tag, mp3(3)), type('flac'), 65_536)).toContain('ID3');
    expect(inspectFile(tag.subarray(0, 4_500_000), type('mp3'), 65_536)).toContain('ID3');
  });
});

test('inspecting 200 MB takes only a few MB of memory', () => {
  const start = bytes(ftyp('isom'), be32(1), 'mdat', be64(2 ** 40));
  const chunk = zeros(1024 * 1024);
  for (const ext of ['mp4', 'heic', 'mp3', 'svg', 'gltf', 'obj', 'tif', 'mpg', 'ts', 'tga', 'exr', '3mf', 'usda']) {
    const inspector = createInspector(type(ext));
    const before = process.memoryUsage().arrayBuffers;
    inspector.push(start);
    for (let i = 0; i < 200; i++) inspector.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    inspector.finish();
  }
});
