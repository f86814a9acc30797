import { hasText, latin1, u16be, u8 } from '../byte-order.ts';
import { decodeUtf8OrLatin1, type EmbeddedTexts } from '../embedded-texts.ts';
import { addExifTexts } from '../exif.ts';
import { MAX_ELEMENTS, type FormatParser } from './findings.ts';
import { skip, take } from '../pull-reader.ts';

const XMP = 'http://ns.adobe.com/xap/1.0/\0';

/**
 * Reads the frame header (SOFn, ITU-T T.81 B.2.2) and the texts before the pixels. The size ignores the EXIF orientation.
 */
export const parseJpeg: FormatParser = function* (found) {
  yield* skip(2);
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    if (u8(yield* take(1), 0) !== 0xff) return;
    let marker = 0xff;
    // Any number of fill bytes may precede a marker (B.1.1.2).
    for (let fill = 0; marker === 0xff; fill++) {
      if (fill > 1024) return;
      marker = u8(yield* take(1), 0);
    }
    if (marker === 0xd9 || marker === 0xda || marker === 0) return;
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    const length = u16be(yield* take(2), 0);
    if (length < 2) return;
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const frame = yield* take(5);
      found.height ??= u16be(frame, 1);
      found.width ??= u16be(frame, 3);
      yield* skip(length - 7);
    } else if (marker === 0xe1 || marker === 0xeb || marker === 0xfe) {
      readSegment(found.texts, marker, yield* take(length - 2));
    } else {
      yield* skip(length - 2);
    }
  }
};

function readSegment(texts: EmbeddedTexts, marker: number, data: Uint8Array): void {
  if (marker === 0xfe) texts.add('COM', decodeUtf8OrLatin1(data));
  else if (marker === 0xeb) texts.c2pa ||= isManifest(data);
  else if (hasText(data, 0, 'Exif\0')) addExifTexts(texts, data);
  else if (hasText(data, 0, XMP)) texts.add('XMP', decodeUtf8OrLatin1(data.subarray(XMP.length)));
}

/** A JUMBF superbox of type `c2pa` (C2PA 2.1, A.3.1; ISO/IEC 18477-3 wraps it in `JP` segments). */
function isManifest(data: Uint8Array): boolean {
  return hasText(data, 0, 'JP') && hasText(data, 12, 'jumb') && latin1(data, 16, 64).includes('c2pa');
}
