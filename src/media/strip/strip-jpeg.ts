import { hasText, u16be, u8 } from '../byte-order.ts';
import { exifOrientation, orientationOnly } from '../exif.ts';
import { type ByteSource, MalformedFile } from './byte-source.ts';
import { PartsOfJpeg } from './jpeg-parts.ts';

const EOI = 0xd9;
const SOS = 0xda;
const EXIF = 'Exif\0\0';

/** Stuffed zeros and restart markers are part of the coded picture (ITU-T T.81 B.1.1.2). */
const endsScan = (code: number): boolean => code !== 0 && !(code >= 0xd0 && code <= 0xd7);

/**
 * Keeps the coding tables, JFIF's header without its thumbnail, the colour profile, Adobe's colour transform and the
 * orientation, each cut to its meaningful length. Leaves out all other segments, also between scans, and everything after
 * the end of the picture.
 */
export async function* stripJpeg(file: ByteSource): AsyncGenerator<Uint8Array> {
  const start = await file.take(2);
  if (!hasText(start, 0, '\xff\xd8')) throw new MalformedFile('it has no JPEG signature');
  yield start;
  let turned = false;
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
    const orientation = code === 0xe1 && !turned && hasText(data, 0, EXIF) ? exifOrientation(data) : undefined;
    const kept = parts.kept(code, data);
    if (kept) {
      yield Uint8Array.of(0xff, code, (kept.length + 2) >> 8, (kept.length + 2) & 0xff);
      yield kept;
    } else if (orientation !== undefined && orientation !== 1) {
      turned = true;
      const block = orientationOnly(orientation);
      yield Buffer.concat([Uint8Array.of(0xff, 0xe1, 0, 2 + EXIF.length + block.length), Buffer.from(EXIF), block]);
    }
    inScan = code === SOS;
    return false;
  }
}

async function nextMarker(file: ByteSource): Promise<number> {
  if (u8(await file.take(1), 0) !== 0xff) throw new MalformedFile('it holds bytes between its segments');
  return markerCode(file);
}

async function markerCode(file: ByteSource): Promise<number> {
  for (let fill = 0; fill < 1024; fill++) {
    const code = u8(await file.take(1), 0);
    if (code !== 0xff) return code;
  }
  throw new MalformedFile('it holds nothing but fill bytes');
}
