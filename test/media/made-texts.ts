import { deflateSync } from 'node:zlib';
import { be16, bytes, le16, le24, le32, utf8, zeros } from './bytes.ts';
import { jpeg, png, pngChunk, riffChunk, webp } from './made-images.ts';

/** PNG text chunks as PIL and others write them; `tEXt` is Latin-1. */
export const tEXt = (keyword: string, text: string): Uint8Array =>
  pngChunk('tEXt', bytes(keyword, 0, Buffer.from(text, 'latin1')));
export const zTXt = (keyword: string, text: string): Uint8Array =>
  pngChunk('zTXt', bytes(keyword, 0, 0, deflateSync(text)));
export const iTXt = (keyword: string, text: string, compressed = false): Uint8Array =>
  pngChunk('iTXt', bytes(keyword, 0, compressed ? 1 : 0, 0, 'en', 0, 0, compressed ? deflateSync(text) : utf8(text)));

/** The chunk that PIL would choose for a text. */
export const pngText = (keyword: string, text: string): Uint8Array =>
  [...text].every((character) => character.charCodeAt(0) < 256) ? tEXt(keyword, text) : iTXt(keyword, text);

export const TAGS = {
  ImageDescription: 0x010e,
  Make: 0x010f,
  Model: 0x0110,
  Orientation: 0x0112,
  Software: 0x0131,
  MakerNote: 0x927c,
  UserComment: 0x9286,
};
const IN_EXIF_DIRECTORY: ReadonlySet<string> = new Set(['MakerNote', 'UserComment']);

/** A little-endian TIFF structure with these values: a number is a SHORT, bytes are UNDEFINED. */
export function exif(values: Partial<Record<keyof typeof TAGS, string | number | Uint8Array>>): Uint8Array {
  const entries = Object.entries(values);
  const main = entries.filter(([name]) => !IN_EXIF_DIRECTORY.has(name));
  const inner = entries.filter(([name]) => IN_EXIF_DIRECTORY.has(name));
  const innerAt = 8 + 2 + 12 * (main.length + (inner.length > 0 ? 1 : 0)) + 4;
  let dataAt = innerAt + (inner.length > 0 ? 2 + 12 * inner.length + 4 : 0);
  const data: Uint8Array[] = [];
  const entry = ([name, value]: (typeof entries)[number]): Uint8Array => {
    const tag = le16(TAGS[name as keyof typeof TAGS]);
    if (typeof value === 'number') return bytes(tag, le16(3), le32(1), le16(value), zeros(2));
    const body = typeof value === 'string' ? bytes(utf8(value), 0) : bytes(value ?? zeros(0));
    const padded = bytes(body, zeros(Math.max(0, 5 - body.length)));
    const at = dataAt;
    dataAt += padded.length;
    data.push(padded);
    return bytes(tag, le16(typeof value === 'string' ? 2 : 7), le32(padded.length), le32(at));
  };
  const pointer = inner.length > 0 ? [bytes(le16(0x8769), le16(4), le32(1), le32(innerAt))] : [];
  const first = bytes(le16(main.length + pointer.length), ...main.map(entry), ...pointer, le32(0));
  const second = inner.length > 0 ? bytes(le16(inner.length), ...inner.map(entry), le32(0)) : zeros(0);
  return bytes('II*\0', le32(8), first, second, ...data);
}

/** As piexif writes it: big-endian UTF-16. */
export function unicodeComment(text: string, order: 'le' | 'be' = 'be'): Uint8Array {
  const utf16 = Buffer.from(text, 'utf16le');
  return bytes('UNICODE\0', order === 'be' ? utf16.swap16() : utf16);
}

export const segment = (marker: number, ...parts: (string | Uint8Array)[]): Uint8Array => {
  const body = bytes(...parts);
  return bytes([0xff, marker], be16(body.length + 2), body);
};
export const exifSegment = (block: Uint8Array): Uint8Array => segment(0xe1, 'Exif\0\0', block);
export const xmpSegment = (xmp: string): Uint8Array => segment(0xe1, 'http://ns.adobe.com/xap/1.0/\0', utf8(xmp));

export const pngOf = (...chunks: Uint8Array[]): Uint8Array<ArrayBuffer> => png(30, 20, ...chunks);
export const jpegOf = (...segments: Uint8Array[]): Uint8Array<ArrayBuffer> => jpeg(30, 20, ...segments);
/** An extended WebP with a picture of one chunk, and these chunks behind it. */
export function webpOf(flags: number, ...chunks: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const picture = riffChunk('VP8L', bytes(0x2f, le32(29 | (19 << 14)), zeros(8)));
  return webp('VP8X', bytes(flags, zeros(3), le24(29), le24(19)), picture, ...chunks);
}
