import { promisify } from 'node:util';
import { crc32, deflate, inflate } from 'node:zlib';
import { hasText, latin1, u32be } from '../byte-order.ts';
import { EmbeddedTexts } from '../embedded-texts.ts';
import { presentationBlock, presentationOf } from '../exif.ts';
import { addPngText } from '../png-texts.ts';
import { type ByteSource, MalformedFile } from './byte-source.ts';
import { MAX_PROFILE_BYTES, profileSize } from './colour-profile.ts';
import type { SourceTypeMark } from './source-type.ts';

/**
 * Chunks that affect how the picture looks (PNG 5.6), with the most bytes that each can use. Any other chunk may contain
 * text, unknown ones too. Suggested palettes (`sPLT`) are left out: they have names and do not change the picture.
 */
const KEPT: ReadonlyMap<string, number> = new Map([
  ['IHDR', 13],
  ['PLTE', 768],
  ['IDAT', Infinity],
  ['IEND', 0],
  ['tRNS', 256],
  ['gAMA', 4],
  ['cHRM', 32],
  ['sRGB', 1],
  ['cICP', 4],
  ['mDCV', 24],
  ['mDCv', 24],
  ['cLLI', 8],
  ['cLLi', 8],
  ['sBIT', 4],
  ['bKGD', 6],
  ['hIST', 512],
  ['pHYs', 9],
  ['acTL', 8],
  ['fcTL', 26],
  ['fdAT', Infinity],
]);
/** Chunks that may occur more than once (PNG 5.6). */
const REPEATED: ReadonlySet<string> = new Set(['IDAT', 'fdAT', 'fcTL']);
const inflated = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate);
const deflated = promisify<Uint8Array, Buffer>(deflate);
const MAX_PACKED_PROFILE_BYTES = 1024 * 1024;
const MAX_EXIF_BYTES = 1024 * 1024;
const MAX_XMP_BYTES = 1024 * 1024;
/** Stands for the text that was written, among the chunks that were seen. */
const XMP = 'XMP';

/**
 * Keeps chunks unchanged or leaves them out. Of EXIF it keeps the orientation, because it turns the picture, and the resolution;
 * of a colour profile the profile without its name; of XMP the digital source type: before the pixels, where all readers look, if it is known
 * by then.
 */
export async function* stripPng(file: ByteSource, mark: SourceTypeMark): AsyncGenerator<Uint8Array> {
  const signature = await file.take(8);
  if (!hasText(signature, 0, '\x89PNG\r\n\x1a\n')) throw new MalformedFile('it has no PNG signature');
  yield signature;
  const seen = new Set<string>();
  for (let type = ''; type !== 'IEND';) {
    const head = await file.take(8);
    const length = u32be(head, 0);
    type = latin1(head, 4, 4);
    // "A PNG four-byte unsigned integer", then letters (PNG 5.3).
    if (length > 0x7fffffff || !/^[A-Za-z]{4}$/.test(type)) throw new MalformedFile('it holds a chunk that is none');
    if (isKept(type, length, seen)) {
      const due = type === 'IEND' || (type === 'IDAT' && mark.found);
      const xmp = due && !seen.has(XMP) ? mark.xmp() : undefined;
      if (xmp !== undefined) seen.add(XMP);
      if (xmp !== undefined) yield chunk('iTXt', Buffer.from(`XML:com.adobe.xmp\0\0\0\0\0${xmp}`));
      seen.add(type);
      yield head;
      yield* file.pass(length + 4);
    } else if (type === 'eXIf' && length <= MAX_EXIF_BYTES) {
      const block = presentationBlock(presentationOf(await file.take(length)));
      await file.skip(4);
      if (block && !seen.has(type)) yield chunk('eXIf', block);
      seen.add(type);
    } else if (type === 'iCCP' && length <= MAX_PACKED_PROFILE_BYTES && !seen.has(type)) {
      seen.add(type);
      const profile = await profileOf(await file.take(length));
      await file.skip(4);
      if (profile) yield chunk('iCCP', profile);
    } else if ((type === 'iTXt' || type === 'zTXt' || type === 'tEXt') && length <= MAX_XMP_BYTES) {
      const texts = new EmbeddedTexts();
      addPngText(texts, type, await file.take(length));
      mark.readXmp(texts.texts.get('XMP') ?? '');
      await file.skip(4);
    } else {
      const read = type === 'caBX' ? Math.min(length, MAX_XMP_BYTES) : 0;
      if (type === 'caBX') mark.readManifest(await file.take(read));
      await file.skip(length - read + 4);
    }
  }
}

/** @throws MalformedFile for a critical chunk that is too long or repeated */
function isKept(type: string, length: number, seen: ReadonlySet<string>): boolean {
  const most = KEPT.get(type);
  if (most === undefined) return false;
  const fits = length <= most && (REPEATED.has(type) || !seen.has(type));
  // An upper-case first letter marks a critical chunk (PNG 5.4).
  if (!fits && /^[A-Z]/.test(type)) throw new MalformedFile('it holds a chunk that is too long, or twice');
  return fits;
}

/** Rebuilds `iCCP` (name, method, compressed profile) with a neutral name and without bytes after the profile's end. */
async function profileOf(data: Uint8Array): Promise<Uint8Array | undefined> {
  const packed = data.subarray(data.indexOf(0) + 2);
  const whole = await inflated(packed, { maxOutputLength: MAX_PROFILE_BYTES }).catch(() => undefined);
  const size = whole && profileSize(whole);
  if (!whole || size === undefined || size > whole.length) return undefined;
  return Buffer.concat([Buffer.from('icc\0\0', 'latin1'), await deflated(whole.subarray(0, size))]);
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}
