import { hasText, latin1, u32be, u64be, u8 } from '../byte-order.ts';
import { decodeUtf8OrLatin1 } from '../embedded-texts.ts';
import { addExifTexts } from '../exif.ts';
import { MAX_ELEMENTS, type Findings, type FormatParser } from '../parsing/findings.ts';
import { skip, take, takeUpTo } from '../pull-reader.ts';

const RATIOS = [
  [1, 1],
  [12, 10],
  [4, 3],
  [3, 2],
  [16, 9],
  [5, 4],
  [2, 1],
] as const;

/** Reads SizeHeader (ISO/IEC 18181-1), least significant bit of each byte first. `at` is the position after FF 0A. */
function readSizeHeader(bytes: Uint8Array, at: number, found: Findings): void {
  let position = 0;
  const bits = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++, position++) {
      if ((u8(bytes, at + (position >> 3)) >> (position & 7)) & 1) value += 2 ** i;
    }
    return value;
  };
  const small = bits(1) === 1;
  const side = (): number => (small ? (bits(5) + 1) * 8 : bits([9, 13, 18, 30][bits(2)]!) + 1);
  const height = side();
  const ratio = RATIOS[bits(3) - 1];
  const width = ratio === undefined ? side() : Math.floor((height * ratio[0]) / ratio[1]);
  // Bits beyond the end read as 0, so a truncated header gives no size.
  if (position > (bytes.length - at) * 8) return;
  found.width = width;
  found.height = height;
  // ImageMetadata: not all defaults, and extra fields, of which the first is the orientation. That of EXIF does not count.
  if (bits(1) === 0 && bits(1) === 1) found.orientation = 1 + bits(3);
}

/** JPEG XL, as a raw codestream or in boxes (ISO/IEC 18181-2). */
export const parseJxl: FormatParser = function* (found, source) {
  const head = yield* takeUpTo(12);
  if (u8(head, 0) === 0xff) return readSizeHeader(head, 2, found);
  const { texts } = found;
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    const box = yield* take(8);
    const type = latin1(box, 4, 4);
    let size = u32be(box, 0);
    let header = 8;
    if (size === 1) {
      size = u64be(yield* take(8), 0);
      header = 16;
    }
    const start = source.position;
    if ((type === 'jxlc' || type === 'jxlp') && found.width === null) {
      const body = yield* takeUpTo(18);
      const at = type === 'jxlp' ? 4 : 0; // the number of the part
      if (hasText(body, at, '\xff\x0a')) readSizeHeader(body, at + 2, found);
    } else if ((type === 'Exif' || type === 'xml ') && size > header && texts.accepts(type.trim(), size - header)) {
      const body = yield* take(size - header);
      // The offset of the TIFF header after these four bytes.
      if (type === 'Exif') addExifTexts(texts, body.subarray(4 + u32be(body, 0)));
      else texts.add('XMP', decodeUtf8OrLatin1(body));
    } else if (type === 'jumb') {
      texts.c2pa ||= latin1(yield* takeUpTo(Math.min(64, Math.max(0, size - header))), 0, 64).includes('c2pa');
    }
    // 0: the box extends to the end of the file.
    if (size < header) return;
    yield* skip(Math.max(0, start + size - header - source.position));
  }
};
