import { crc32 } from 'node:zlib';
import { hasText, latin1, u32be } from '../byte-order.ts';
import { exifOrientation, orientationOnly } from '../exif.ts';
import { type ByteSource, MalformedFile } from './byte-source.ts';

/** What decides how the picture looks (PNG 5.6); anything else may hold words, also what nobody has heard of yet. */
const KEPT: ReadonlySet<string> = new Set(
  [
    ['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS', 'gAMA', 'cHRM', 'sRGB', 'iCCP', 'cICP', 'mDCV', 'mDCv', 'cLLI', 'cLLi'],
    ['sBIT', 'bKGD', 'hIST', 'pHYs', 'sPLT', 'acTL', 'fcTL', 'fdAT'],
  ].flat(),
);
const MAX_EXIF_BYTES = 1024 * 1024;

/** Chunks are kept byte by byte or left out whole; of EXIF the orientation stays, because it turns the picture. */
export async function* stripPng(file: ByteSource): AsyncGenerator<Uint8Array> {
  const signature = await file.take(8);
  if (!hasText(signature, 0, '\x89PNG\r\n\x1a\n')) throw new MalformedFile('it has no PNG signature');
  yield signature;
  for (let type = ''; type !== 'IEND';) {
    const head = await file.take(8);
    const length = u32be(head, 0);
    type = latin1(head, 4, 4);
    // "A PNG four-byte unsigned integer", and letters (PNG 5.3).
    if (length > 0x7fffffff || !/^[A-Za-z]{4}$/.test(type)) throw new MalformedFile('it holds a chunk that is none');
    if (KEPT.has(type)) {
      yield head;
      yield* file.pass(length + 4);
    } else if (type === 'eXIf' && length <= MAX_EXIF_BYTES) {
      const orientation = exifOrientation(await file.take(length));
      await file.skip(4);
      if (orientation !== undefined && orientation !== 1) yield chunk('eXIf', orientationOnly(orientation));
    } else {
      await file.skip(length + 4);
    }
  }
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}
