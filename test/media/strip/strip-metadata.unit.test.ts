import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { presentationOf } from '../../../src/media/exif.ts';
import { MalformedFile } from '../../../src/media/strip/byte-source.ts';
import { SourceTypeMark } from '../../../src/media/strip/source-type.ts';
import { stripperFor } from '../../../src/media/strip/strip-metadata.ts';
import { be16, be32, bytes, le16, le24, le32, utf8, zeros } from '../bytes.ts';
import { A1111, DRAW_THINGS_XMP } from '../generation/made-generations.ts';
import { gif, png, pngChunk, riffChunk, webp } from '../made-images.ts';
import * as t from '../made-texts.ts';

async function strip(file: Uint8Array, mime: string, chunk = 1_000_000, generated = false): Promise<Uint8Array> {
  const stripper = stripperFor(mime);
  if (!stripper) throw new Error('no stripper');
  const open = async () =>
    (async function* () {
      for (let at = 0; at < file.length; at += chunk) yield file.slice(at, at + chunk);
    })();
  const parts: Uint8Array[] = [];
  for await (const part of stripper(open, new SourceTypeMark(generated))) parts.push(part.slice());
  return bytes(...parts);
}

const SECRET = 'SECRET-WORDS';
const turned = (orientation: number) => t.exif({ ImageDescription: SECRET, Orientation: orientation });
/** A colour profile of this size, which says so. */
const profile = (size: number, said = size) => bytes(be32(said), zeros(32), 'acsp', zeros(size - 40).fill(7));
const iccPiece = (number: number, count: number, data: Uint8Array) =>
  t.segment(0xe2, 'ICC_PROFILE\0', Uint8Array.of(number, count), data);
const icc = iccPiece(1, 1, profile(200));
const inTwo = (...more: string[]) =>
  t.jpegOf(iccPiece(1, 2, profile(300).subarray(0, 150)), iccPiece(2, 2, bytes(profile(300).subarray(150), ...more)));
const jpegOfOwn = (jfif: Uint8Array, ...segments: Uint8Array[]) => {
  const whole = t.jpegOf(...segments);
  return bytes(whole.subarray(0, 2), jfif, whole.subarray(20));
};
const jfif = (...more: string[]) => t.segment(0xe0, 'JFIF\0', Uint8Array.of(1, 1, 0, 0, 1, 0, 1, 0, 0), ...more);
const crc = (type: string, data: Uint8Array) => {
  const chunk = pngChunk(type, data);
  new DataView(chunk.buffer).setUint32(chunk.length - 4, crc32(chunk.subarray(4, -4)));
  return chunk;
};
const iccp = (name: string, data: Uint8Array, ...more: string[]) =>
  crc('iCCP', bytes(name, [0, 0], deflateSync(data), ...more));
const adobe = t.segment(0xee, 'Adobe', zeros(7));

const jpegWithin = (...inScan: Uint8Array[]) => {
  const whole = t.jpegOf();
  return bytes(whole.subarray(0, -2), ...inScan, whole.subarray(-2));
};
const scan = bytes([0xff, 0xda], be16(2), [1, 2, 0xff, 0, 3, 0xff, 0xd0, 4]);
const frame = bytes(zeros(16), riffChunk('VP8L', zeros(9)));
const animated = (...within: Uint8Array[]) =>
  webp(
    'VP8X',
    bytes(0x02, zeros(3), le24(29), le24(19)),
    riffChunk('ANIM', zeros(6)),
    riffChunk('ANMF', bytes(frame, ...within)),
  );
const gifOf = (...blocks: Uint8Array[]) => {
  const whole = gif(30, 20);
  return bytes(whole.subarray(0, 19), ...blocks, whole.subarray(19));
};
const loops = bytes(0x21, 0xff, 11, 'NETSCAPE2.0', 3, 1, le16(0), 0);

/** With metadata, and how it has to look without. */
const files: readonly (readonly [name: string, mime: string, file: Uint8Array, expected: Uint8Array])[] = [
  [
    'PNG',
    'image/png',
    bytes(
      t.pngOf(
        t.tEXt('parameters', SECRET),
        t.zTXt('a', SECRET),
        t.iTXt('b', SECRET),
        pngChunk('eXIf', turned(1)),
        pngChunk('tIME', zeros(7)),
        pngChunk('zzZz', utf8(SECRET)),
        pngChunk('gAMA', zeros(4)),
      ),
      SECRET,
    ),
    t.pngOf(pngChunk('gAMA', zeros(4))),
  ],
  [
    'APNG',
    'image/apng',
    png(30, 20, pngChunk('acTL', zeros(8)), t.tEXt('a', SECRET)),
    png(30, 20, pngChunk('acTL', zeros(8))),
  ],
  [
    'JPEG',
    'image/jpeg',
    bytes(
      t.jpegOf(
        t.exifSegment(turned(1)),
        t.xmpSegment(SECRET),
        icc,
        t.segment(0xe2, 'MPF\0', SECRET),
        t.segment(0xed, 'Photoshop 3.0\0', SECRET),
        t.segment(0xeb, 'JP', SECRET),
        t.segment(0xfe, SECRET),
        t.segment(0xe0, 'JFXX\0', SECRET),
        adobe,
      ),
      SECRET,
    ),
    t.jpegOf(icc, adobe),
  ],
  [
    'JPEG with words between its scans',
    'image/jpeg',
    jpegWithin(scan, t.segment(0xfe, SECRET), scan, bytes(0xff, t.segment(0xe1, SECRET)), scan),
    jpegWithin(scan, scan, scan),
  ],
  [
    'WebP',
    'image/webp',
    bytes(
      t.webpOf(0x0c, riffChunk('EXIF', turned(1)), riffChunk('XMP ', utf8(SECRET)), riffChunk('C2PA', utf8(SECRET))),
      SECRET,
    ),
    t.webpOf(0),
  ],
  [
    'JPEG with words behind the headers that it keeps',
    'image/jpeg',
    jpegOfOwn(
      jfif(SECRET),
      t.segment(0xe0, 'JFIF\0', SECRET),
      t.segment(0xee, 'Adobe', zeros(7), SECRET),
      t.segment(0xee, 'Adobe', SECRET),
      t.segment(0xe2, 'ICC_PROFILE\0', SECRET),
      iccPiece(1, 1, utf8(SECRET.repeat(20))),
      iccPiece(2, 2, profile(200)),
      iccPiece(1, 1, bytes(profile(200), SECRET)),
      iccPiece(2, 1, bytes(SECRET)),
      t.segment(0xc8, SECRET),
      t.segment(0xdd, zeros(2), SECRET),
      t.segment(0xdb, zeros(65), SECRET),
      t.segment(0xc4, Uint8Array.of(0, 1), zeros(15), zeros(1), SECRET),
    ),
    jpegOfOwn(
      jfif(),
      adobe,
      icc,
      t.segment(0xdd, zeros(2)),
      t.segment(0xdb, zeros(65)),
      t.segment(0xc4, Uint8Array.of(0, 1), zeros(15), zeros(1)),
    ),
  ],
  ['JPEG with a colour profile in two pieces', 'image/jpeg', bytes(inTwo(SECRET), SECRET), inTwo()],
  [
    'PNG with words in chunks that it keeps',
    'image/png',
    bytes(
      t.pngOf(
        iccp(SECRET, bytes(profile(200), SECRET), SECRET),
        iccp('twice', profile(200)),
        pngChunk('gAMA', zeros(4)),
        pngChunk('gAMA', utf8('SECR')),
        pngChunk('pHYs', utf8(SECRET)),
        pngChunk('sPLT', bytes(SECRET, [0, 8])),
      ),
      SECRET,
    ),
    t.pngOf(iccp('icc', profile(200)), pngChunk('gAMA', zeros(4))),
  ],
  [
    'PNG with a colour profile that is none',
    'image/png',
    bytes(t.pngOf(iccp('icc', utf8(SECRET.repeat(20)))), SECRET),
    t.pngOf(),
  ],
  [
    'WebP with words in chunks that it keeps',
    'image/webp',
    bytes(
      t.webpOf(
        0x20,
        riffChunk('ICCP', bytes(profile(201), SECRET)),
        riffChunk('ICCP', utf8(SECRET)),
        riffChunk('VP8 ', utf8(SECRET)),
        riffChunk('ANIM', utf8(SECRET)),
        riffChunk('ANMF', bytes(zeros(16), riffChunk('VP8L', utf8(SECRET)))),
      ),
      SECRET,
    ),
    t.webpOf(0x20, riffChunk('ICCP', profile(201))),
  ],
  [
    'WebP with a colour profile that is none',
    'image/webp',
    bytes(t.webpOf(0x20, riffChunk('ICCP', utf8(SECRET.repeat(20)))), SECRET),
    t.webpOf(0),
  ],
  [
    'WebP, animated, with a picture that nobody sees',
    'image/webp',
    bytes(animated(riffChunk('VP8 ', utf8(SECRET))), SECRET),
    animated(),
  ],
  [
    'GIF with words in blocks that it keeps',
    'image/gif',
    bytes(
      gifOf(
        bytes(0x21, 0xff, 11, 'NETSCAPE2.0', 3, 1, le16(0), 12, SECRET, 0),
        bytes(0x21, 0xff, 11, 'NETSCAPE2.0', 3, 1, 'SE', 0),
        bytes(0x21, 0xff, 23, 'NETSCAPE2.0', SECRET, 3, 1, le16(0), 0),
        bytes(0x21, 0xf9, 4, zeros(4), 12, SECRET, 0),
        bytes(0x21, 0xf9, 0),
      ),
      SECRET,
    ),
    gifOf(loops, bytes(0x21, 0xf9, 4, zeros(4), 0)),
  ],
  ['WebP, animated', 'image/webp', animated(riffChunk('JUNK', utf8(`${SECRET}!`))), animated()],
  [
    'GIF',
    'image/gif',
    bytes(gifOf(loops, bytes(0x21, 0xfe, 12, SECRET, 0), bytes(0x21, 0xff, 11, 'XMP DataXMP', 12, SECRET, 0)), SECRET),
    gifOf(loops),
  ],
];

describe.each(files)('%s', (_name, mime, file, expected) => {
  test('loses its metadata and nothing else, in chunks of any size', async () => {
    expect(bytes(file).includes(83)).toBe(true);
    for (const chunk of [1_000_000, 13, 1]) expect(await strip(file, mime, chunk)).toEqual(expected);
    expect(await strip(expected, mime)).toEqual(expected);
  });

  test('truncated anywhere, throws, and the output until then is a prefix of the whole', async () => {
    for (let length = 0; length < file.length - SECRET.length; length++) {
      const parts: Uint8Array[] = [];
      const open = async () =>
        (async function* () {
          yield file.subarray(0, length);
        })();
      const stripped = (async () => {
        for await (const part of stripperFor(mime)!(open, new SourceTypeMark(false))) parts.push(part);
      })();
      const whole = await stripped.then(
        () => true,
        (error: unknown) => {
          expect(error).toBeInstanceOf(MalformedFile);
          return false;
        },
      );
      const got = bytes(...parts);
      expect(got).toEqual(expected.subarray(0, got.length));
      if (whole) expect(got).toEqual(expected);
    }
  });
});

test.each([
  ['image/png', t.pngOf(pngChunk('eXIf', turned(6)))],
  ['image/jpeg', t.jpegOf(t.exifSegment(turned(6)))],
  ['image/webp', t.webpOf(0x08, riffChunk('EXIF', turned(6)))],
])('of the metadata of %s only the orientation stays', async (mime, file) => {
  const stripped = Buffer.from(await strip(file, mime));
  expect(stripped.includes(SECRET)).toBe(false);
  const at = stripped.indexOf('MM\0*');
  expect(presentationOf(stripped.subarray(at)).orientation).toBe(6);
  expect(await strip(stripped, mime)).toEqual(new Uint8Array(stripped));
  if (mime === 'image/webp') expect(stripped.readUInt32LE(4)).toBe(stripped.length - 8);
});

test('a type that cannot be stripped has no stripper', () => {
  for (const mime of ['image/tiff', 'image/svg+xml', 'video/mp4', 'constructor', ''])
    expect(stripperFor(mime)).toBeUndefined();
});

test.each([
  ['a chunk longer than the file', 'image/webp', bytes('RIFF', le32(100), 'WEBP', 'VP8L', le32(1000), zeros(100))],
  ['a header of the wrong size', 'image/webp', bytes('RIFF', le32(30), 'WEBP', 'VP8X', le32(12), zeros(20))],
  ['no picture', 'image/webp', bytes('RIFF', le32(4), 'WEBP')],
  ['a chunk whose name is none', 'image/png', bytes(t.pngOf().subarray(0, 33), zeros(40))],
  ['words in a palette', 'image/png', t.pngOf(pngChunk('PLTE', utf8(SECRET.repeat(70))))],
  ['words behind a restart', 'image/jpeg', t.jpegOf(t.segment(0xd3, SECRET))],
])('%s is refused as malformed', async (_name, mime, file) => {
  await expect(strip(file, mime)).rejects.toBeInstanceOf(MalformedFile);
});

test('any bytes are processed without a hang, and no metadata gets through', async () => {
  const words = [A1111, DRAW_THINGS_XMP, SECRET];
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(t.tEXt('a', A1111), t.exifSegment(turned(3)), riffChunk('EXIF', turned(3)), t.xmpSegment(SECRET)),
  );
  const starts = files.map(([, mime, file]) => [mime, file] as const);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...starts),
      fc.nat(400),
      fc.array(part, { maxLength: 4 }),
      async ([mime, file], at, parts) => {
        const broken = bytes(file.subarray(0, at), ...parts, file.subarray(at));
        const stripped = await strip(broken, mime, 50).catch((error: unknown) => {
          expect(error).toBeInstanceOf(MalformedFile);
          return zeros(0);
        });
        expect(stripped.length).toBeLessThanOrEqual(broken.length + 64);
        // Inserted into the picture's own data they are no metadata, so only what stood in the file's own chunks is looked for.
        if (parts.length === 0) for (const word of words) expect(Buffer.from(stripped).includes(word)).toBe(false);
      },
    ),
    { numRuns: 500 },
  );
});
