import { hasText, latin1, u16be, u8 } from '../byte-order.ts';
import { decodeUtf8OrLatin1 } from '../embedded-texts.ts';
import { addExifTexts } from '../exif.ts';
import { type Findings, MAX_ELEMENTS, type FormatParser } from '../parsing/findings.ts';
import { skip, take } from '../pull-reader.ts';

/** Signed photographs have some bytes between segments. */
const MAX_STRAY_BYTES = 64 * 1024;
const XMP = 'http://ns.adobe.com/xap/1.0/\0';

/**
 * Reads the frame header (SOFn, ITU-T T.81 B.2.2) and the texts before the pixels. Bytes between
 * segments that belong to none are skipped, as decoders do.
 */
export const parseJpeg: FormatParser = function* (found) {
  yield* skip(2);
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    for (let stray = 0; u8(yield* take(1), 0) !== 0xff; stray++) if (stray > MAX_STRAY_BYTES) return;
    let marker = 0xff;
    // Any number of fill bytes may precede a marker (B.1.1.2).
    for (let fill = 0; marker === 0xff; fill++) {
      if (fill > 1024) return;
      marker = u8(yield* take(1), 0);
    }
    // A stray byte 0xff.
    if (marker === 0) continue;
    if (marker === 0xd9 || marker === 0xda) return;
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    const length = u16be(yield* take(2), 0);
    if (length < 2) return;
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const frame = yield* take(5);
      found.height ??= u16be(frame, 1);
      found.width ??= u16be(frame, 3);
      yield* skip(length - 7);
    } else if (marker === 0xe1 || marker === 0xeb || marker === 0xfe) {
      readSegment(found, marker, yield* take(length - 2));
    } else {
      yield* skip(length - 2);
    }
  }
};

function readSegment(found: Findings, marker: number, data: Uint8Array): void {
  const { texts } = found;
  if (marker === 0xfe) texts.add('COM', decodeUtf8OrLatin1(data));
  else if (marker === 0xeb) texts.c2pa ||= isManifest(data);
  else if (hasText(data, 0, 'Exif\0')) {
    const orientation = addExifTexts(texts, data);
    // Of several blocks, viewers follow the first.
    if (!found.sized) found.orientation = orientation;
    found.sized = true;
  } else if (hasText(data, 0, XMP)) texts.add('XMP', decodeUtf8OrLatin1(data.subarray(XMP.length)));
}

/** A JUMBF superbox of type `c2pa` (C2PA 2.1, A.3.1; ISO/IEC 18477-3 wraps it in `JP` segments). */
function isManifest(data: Uint8Array): boolean {
  return hasText(data, 0, 'JP') && hasText(data, 12, 'jumb') && latin1(data, 16, 64).includes('c2pa');
}
