import { hasText, u16be, u8 } from '../byte-order.ts';
import { decodeUtf8OrLatin1 } from '../embedded-texts.ts';
import { presentationBlock, presentationOf } from '../exif.ts';
import { type ByteSource, MalformedFile } from './byte-source.ts';
import { PartsOfJpeg } from './jpeg-parts.ts';
import type { SourceTypeMark } from './source-type.ts';

const EOI = 0xd9;
const SOS = 0xda;
const EXIF = 'Exif\0\0';
const XMP = 'http://ns.adobe.com/xap/1.0/\0';
const MAX_STRAY_BYTES = 64 * 1024;

/** Stuffed zeros and restart markers are part of the coded picture (ITU-T T.81 B.1.1.2). */
const endsScan = (code: number): boolean => code !== 0 && !(code >= 0xd0 && code <= 0xd7);

/**
 * Keeps the coding tables, JFIF's header without its thumbnail, the colour profile, Adobe's colour transform, the
 * orientation, the resolution and the digital source type, each cut to its meaningful length. Leaves out all other segments, also between scans, and everything after
 * the end of the picture.
 */
export async function* stripJpeg(file: ByteSource, mark: SourceTypeMark): AsyncGenerator<Uint8Array> {
  const start = await file.take(2);
  if (!hasText(start, 0, '\xff\xd8')) throw new MalformedFile('it has no JPEG signature');
  yield start;
  let shown = false;
  let marked = false;
  const parts = new PartsOfJpeg();
  let inScan = false;
  for (;;) {
    const code: number = inScan ? yield* file.passUntilMarker(endsScan) : await nextMarker(file);
    if (code === 0xff) {
      // A fill byte; the marker's code follows.
      inScan = false;
      const next = await markerCode(file);
      if (endsScan(next)) {
        if (yield* segmentOf(next)) return;
      } else throw new MalformedFile('it holds a marker that is none');
      continue;
    }
    if (yield* segmentOf(code)) return;
  }

  /** Returns true at the end of the picture. */
  async function* segmentOf(code: number): AsyncGenerator<Uint8Array, boolean> {
    if (code === EOI) {
      yield Uint8Array.of(0xff, EOI);
      return true;
    }
    const lengthBytes = await file.take(2);
    const length = u16be(lengthBytes, 0);
    // Restart markers and further start markers have no data; bytes after them would be hidden text.
    if (length < 2 || code < 0xc0 || (code >= 0xd0 && code <= 0xd8))
      throw new MalformedFile('it holds a segment that is none');
    const data = await file.take(length - 2);
    if (code === 0xe1 && hasText(data, 0, XMP)) mark.readXmp(decodeUtf8OrLatin1(data.subarray(XMP.length)));
    if (code === 0xeb && hasText(data, 0, 'JP')) mark.readManifest(data);
    const exif =
      code === 0xe1 && !shown && hasText(data, 0, EXIF) ? presentationBlock(presentationOf(data)) : undefined;
    const kept = parts.kept(code, data);
    if (code === SOS && !marked) {
      marked = true;
      const xmp = mark.xmp();
      if (xmp !== undefined) yield application(`${XMP}${xmp}`);
    }
    if (kept) {
      yield Uint8Array.of(0xff, code, (kept.length + 2) >> 8, (kept.length + 2) & 0xff);
      yield kept;
    } else if (exif) {
      shown = true;
      yield application(EXIF, exif);
    }
    inScan = code === SOS;
    return false;
  }
}

/** A segment of the type that holds EXIF and XMP. */
function application(name: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const body = Buffer.concat([Buffer.from(name), data]);
  return Buffer.concat([Uint8Array.of(0xff, 0xe1, (body.length + 2) >> 8, (body.length + 2) & 0xff), body]);
}

async function nextMarker(file: ByteSource): Promise<number> {
  // Signed photographs have some bytes there that are no segment; they may be text, so they are left out.
  for (let stray = 0; stray <= MAX_STRAY_BYTES; stray++) {
    if (u8(await file.take(1), 0) !== 0xff) continue;
    const code = await markerCode(file);
    if (code !== 0) return code;
  }
  throw new MalformedFile('it holds too many bytes between its segments');
}

async function markerCode(file: ByteSource): Promise<number> {
  for (let fill = 0; fill < 1024; fill++) {
    const code = u8(await file.take(1), 0);
    if (code !== 0xff) return code;
  }
  throw new MalformedFile('it holds nothing but fill bytes');
}
