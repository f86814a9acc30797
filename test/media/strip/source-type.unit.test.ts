import { describe, expect, test } from 'vitest';
import { createInspector } from '../../../src/media/inspect/inspect.ts';
import { mediaTypeByMime } from '../../../src/media/media-type.ts';
import { presentationOf } from '../../../src/media/exif.ts';
import { SourceTypeMark } from '../../../src/media/strip/source-type.ts';
import { stripperFor } from '../../../src/media/strip/strip-metadata.ts';
import { be16, be32, bytes, utf8, zeros } from '../bytes.ts';
import { gif, pngChunk, riffChunk, webp } from '../made-images.ts';
import * as t from '../made-texts.ts';

const SECRET = 'SECRET-WORDS';
const TERM = 'http://cv.iptc.org/newscodes/digitalsourcetype/';

async function strip(file: Uint8Array, mime: string, generated: boolean): Promise<Uint8Array> {
  const open = async () =>
    (async function* () {
      for (let at = 0; at < file.length; at += 7) yield file.slice(at, at + 7);
    })();
  const parts: Uint8Array[] = [];
  for await (const part of stripperFor(mime)!(open, new SourceTypeMark(generated))) parts.push(part.slice());
  return bytes(...parts);
}

/** What the file says in its XMP, as our own reader of files finds it. */
function termIn(file: Uint8Array, mime: string): string | undefined {
  const type = mediaTypeByMime(mime);
  if (!type) throw new Error(mime);
  const inspector = createInspector(type);
  inspector.push(file);
  const result = inspector.finish();
  expect(result).toMatchObject({ ok: true });
  const text = Buffer.from(file).toString('latin1');
  const found = [...text.matchAll(/Iptc4xmpExt:DigitalSourceType="([^"]+)"/g)].map(([, term = '']) => term);
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0]?.replace(TERM, '');
}

const xmpOf = (term: string) =>
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description dc:creator="${SECRET}">${term}</rdf:Description></rdf:RDF></x:xmpmeta>`;
const element = (term: string) => xmpOf(`<Iptc4xmpExt:DigitalSourceType>${term}</Iptc4xmpExt:DigitalSourceType>`);
const jumbf = (term: string) => bytes('JP', [0, 1, 0, 0, 0, 1], be32(200), 'jumb', 'jumdc2pa', SECRET, term, zeros(9));
const gifXmp = (xmp: string) =>
  bytes(
    [0x21, 0xff, 11],
    'XMP DataXMP',
    xmp,
    [1],
    Uint8Array.from({ length: 256 }, (_v, at) => 255 - at),
    0,
  );

const FORMATS: readonly {
  mime: string;
  plain: Uint8Array;
  xmp: (xmp: string) => Uint8Array;
  manifest?: (term: string) => Uint8Array;
}[] = [
  {
    mime: 'image/png',
    plain: t.pngOf(),
    xmp: (xmp) => t.pngOf(t.iTXt('XML:com.adobe.xmp', xmp)),
    manifest: (term) => t.pngOf(pngChunk('caBX', jumbf(term))),
  },
  {
    mime: 'image/jpeg',
    plain: t.jpegOf(),
    xmp: (xmp) => t.jpegOf(t.xmpSegment(xmp)),
    manifest: (term) => t.jpegOf(t.segment(0xeb, jumbf(term))),
  },
  {
    mime: 'image/webp',
    plain: t.webpOf(0),
    xmp: (xmp) => t.webpOf(0x04, riffChunk('XMP ', utf8(xmp))),
    manifest: (term) => t.webpOf(0, riffChunk('C2PA', jumbf(term))),
  },
  { mime: 'image/gif', plain: gif(30, 20), xmp: (xmp) => bytes(gif(30, 20).subarray(0, -1), gifXmp(xmp), 0x3b) },
];

describe.each(FORMATS)('$mime', ({ mime, plain, xmp }) => {
  test('says that a model made it when its record does', async () => {
    expect(termIn(await strip(plain, mime, true), mime)).toBe('trainedAlgorithmicMedia');
    expect(termIn(await strip(plain, mime, false), mime)).toBeUndefined();
  });

  test.each([
    ['an attribute', xmpOf('').replace('dc:', `Iptc4xmpExt:DigitalSourceType="${TERM}algorithmicMedia" dc:`)],
    ['an element', element(`${TERM}algorithmicMedia`)],
    ['a term without its address', element('algorithmicMedia')],
    ['a resource', xmpOf(`<Iptc4xmpExt:DigitalSourceType rdf:resource="${TERM}algorithmicMedia"/>`)],
  ])('keeps the digital source type that stands in its XMP as %s, and nothing else of it', async (_how, packet) => {
    for (const generated of [false, true]) {
      const stripped = await strip(xmp(packet), mime, generated);
      expect(termIn(stripped, mime)).toBe('algorithmicMedia');
      expect(Buffer.from(stripped).includes(SECRET)).toBe(false);
    }
  });

  test('keeps no text that only pretends to be a digital source type', async () => {
    const stripped = await strip(xmp(element(`${TERM}${SECRET}`)), mime, false);
    expect(termIn(stripped, mime)).toBeUndefined();
    expect(Buffer.from(stripped).includes(SECRET)).toBe(false);
  });

  test('stripped twice, stays the same', async () => {
    const once = await strip(plain, mime, true);
    expect(await strip(once, mime, false)).toEqual(once);
  });
});

test.each(FORMATS.filter(({ manifest }) => manifest))(
  '$mime says what its manifest said, without the manifest',
  async ({ mime, manifest }) => {
    for (const [said, kept] of [
      ['', 'trainedAlgorithmicMedia'],
      [`${TERM}digitalCapture`, 'digitalCapture'],
      [`${TERM}digitalCapture ${TERM}compositeWithTrainedAlgorithmicMedia`, 'compositeWithTrainedAlgorithmicMedia'],
    ] as const) {
      const stripped = await strip(manifest!(said), mime, false);
      expect(termIn(stripped, mime)).toBe(kept);
      expect(Buffer.from(stripped).includes(SECRET)).toBe(false);
    }
  },
);

test('a simple WebP becomes an extended one of the same size to hold the mark', async () => {
  const vp8l = bytes(0x2f, [29, 0xc0, 0x04, 0x10], zeros(20));
  const stripped = await strip(webp('VP8L', vp8l), 'image/webp', true);
  expect(Buffer.from(stripped.subarray(12, 16)).toString()).toBe('VP8X');
  // XMP and alpha; 30 × 20 pixels.
  expect([...stripped.subarray(20, 30)]).toEqual([0x14, 0, 0, 0, 29, 0, 0, 19, 0, 0]);
  expect(new DataView(stripped.buffer, stripped.byteOffset).getUint32(4, true)).toBe(stripped.length - 8);
});

const resolution = bytes(
  'MM\0*',
  be32(8),
  be16(4),
  [0x01, 0x0e, 0, 2],
  be32(12),
  be32(62),
  [0x01, 0x1a, 0, 5],
  be32(1),
  be32(74),
  [0x01, 0x1b, 0, 5],
  be32(1),
  be32(82),
  [0x01, 0x28, 0, 3],
  be32(1),
  be16(3),
  zeros(2),
  be32(0),
  SECRET,
  be32(118),
  be32(1),
  be32(236),
  be32(2),
);

test.each([
  ['image/png', t.pngOf(pngChunk('eXIf', resolution))],
  ['image/jpeg', t.jpegOf(t.exifSegment(resolution))],
  ['image/webp', t.webpOf(0x08, riffChunk('EXIF', resolution))],
])('the resolution that stands in the EXIF of %s stays', async (mime, file) => {
  const stripped = await strip(file, mime, false);
  const at = Buffer.from(stripped).indexOf('MM\0*');
  expect(presentationOf(stripped.subarray(at))).toEqual({ across: [118, 1], down: [236, 2], unit: 3 });
  expect(Buffer.from(stripped).includes(SECRET)).toBe(false);
});
