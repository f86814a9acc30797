import { hasText, latin1, u16le, u24le, u32le, u8 } from '../byte-order.ts';
import { decodeUtf8OrLatin1 } from '../embedded-texts.ts';
import { addExifTexts } from '../exif.ts';
import { MAX_ELEMENTS, type FormatParser } from '../parsing/findings.ts';
import { skip, take } from '../pull-reader.ts';

/** Reads the size, how long an animation runs, and the texts after the pixels. https://developers.google.com/speed/webp/docs/riff_container */
export const parseWebp: FormatParser = function* (found, source) {
  const head = yield* take(30);
  const fourcc = latin1(head, 12, 4);
  if (fourcc === 'VP8X') {
    found.width = 1 + u24le(head, 24);
    found.height = 1 + u24le(head, 27);
  } else if (fourcc === 'VP8L' && u8(head, 20) === 0x2f) {
    const bits = u32le(head, 21);
    found.width = 1 + (bits & 0x3fff);
    found.height = 1 + ((bits >>> 14) & 0x3fff);
  } else if (fourcc === 'VP8 ' && hasText(head, 23, '\x9d\x01\x2a')) {
    found.width = u16le(head, 26) & 0x3fff;
    found.height = u16le(head, 28) & 0x3fff;
  }
  const first = u32le(head, 16);
  const { texts } = found;
  yield* skip(Math.max(0, 20 + first + (first & 1) - source.position));
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    const chunk = yield* take(8);
    const type = latin1(chunk, 0, 4);
    const size = u32le(chunk, 4);
    const known = type === 'EXIF' || type === 'XMP ';
    if (type === 'C2PA') texts.c2pa = true;
    if (type === 'ANMF' && size >= 16) {
      // A frame shows for this many milliseconds.
      found.durationMs = (found.durationMs ?? 0) + u24le(yield* take(16), 12);
      yield* skip(size - 16 + (size & 1));
      continue;
    }
    if (!known || !texts.accepts(`the ${type.trim()} chunk`, size)) {
      yield* skip(size + (size & 1));
      continue;
    }
    const data = yield* take(size);
    if (type === 'EXIF') found.orientation = addExifTexts(texts, data);
    else texts.add('XMP', decodeUtf8OrLatin1(data));
    yield* skip(size & 1);
  }
};
