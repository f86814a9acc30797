import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { BYTES, type Size } from './jobs.ts';

export const BOUNDARY = 'mediakeep-bench-boundary';

/** A picture inside a multipart body; the two share their memory. */
export interface MadeBody {
  type: 'image/png' | 'image/jpeg';
  multipart: Buffer;
  raw: Buffer;
  /** Makes this picture differ from all that were sent before; it stays valid. */
  vary(): void;
  sha256(): string;
}

const COUNT: Record<Size, number> = { '10 KB': 100, '100 KB': 400, '1 MB': 60, '50 MB': 12 };
const made = new Map<Size, Promise<MadeBody[]>>();

/** Pictures of noise, half PNG and half JPEG, made once per process. */
export function bodiesOf(size: Size): Promise<MadeBody[]> {
  const kept = made.get(size) ?? makeBodies(size);
  made.set(size, kept);
  return kept;
}

async function makeBodies(size: Size): Promise<MadeBody[]> {
  const bodies: MadeBody[] = [];
  for (let index = 0; index < COUNT[size]; index += 1)
    bodies.push(await makeBody(index % 2 ? 'image/jpeg' : 'image/png', BYTES[size]));
  return bodies;
}

/** Bytes per pixel of noise, in an uncompressed PNG and in a JPEG of quality 100: both come close to the requested size. */
const PER_PIXEL = { 'image/png': 3.004, 'image/jpeg': 2.93 };
const STAMP = 16;

async function makeBody(type: MadeBody['type'], bytes: number): Promise<MadeBody> {
  const side = Math.round(Math.sqrt((bytes - STAMP) / PER_PIXEL[type]));
  const pixels = randomFillSync(Buffer.allocUnsafe(side * side * 3));
  const image = sharp(pixels, { raw: { width: side, height: side, channels: 3 } });
  const file =
    type === 'image/png'
      ? await image.png({ compressionLevel: 0 }).toBuffer()
      : await image.jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer();
  const { at, room, stamp } = type === 'image/png' ? PNG_STAMP : jpegStamp(file);
  const before = Buffer.from(
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="noise.${type.slice(6)}"\r\nContent-Type: ${type}\r\n\r\n`,
  );
  const after = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
  const multipart = Buffer.concat([before, file.subarray(0, at), Buffer.alloc(room), file.subarray(at), after]);
  const raw = multipart.subarray(before.length, multipart.length - after.length);
  const place = raw.subarray(at, at + room);
  const vary = () => stamp(place);
  vary();
  return { type, multipart, raw, vary, sha256: () => createHash('sha256').update(raw).digest('hex') };
}

interface Stamp {
  at: number;
  room: number;
  stamp(place: Buffer): void;
}

/** A private chunk that readers skip, after the header chunk. */
const PNG_STAMP: Stamp = {
  at: 33,
  room: 12 + STAMP,
  stamp(place) {
    place.writeUInt32BE(STAMP, 0);
    place.write('bnCh', 4, 'latin1');
    randomBytes(STAMP).copy(place, 8);
    place.writeUInt32BE(crc32(place.subarray(4, 8 + STAMP)), 8 + STAMP);
  },
};

/** A comment after the first segment. */
function jpegStamp(file: Buffer): Stamp {
  return {
    at: 4 + file.readUInt16BE(4),
    room: 4 + STAMP,
    stamp(place) {
      place.writeUInt16BE(0xfffe, 0);
      place.writeUInt16BE(2 + STAMP, 2);
      place.write(randomBytes(STAMP / 2).toString('hex'), 4, 'latin1');
    },
  };
}
