import { hasText, u16be, u16le, u32be, u32le } from './byte-order.ts';
import { decodeUtf8OrLatin1, untilZero, type EmbeddedTexts } from './embedded-texts.ts';

/** Names of tags with text, by number (EXIF 2.32, 4.6). Generators write prompts into several of them. */
const TEXT_TAGS: Readonly<Record<number, string>> = {
  0x010e: 'ImageDescription',
  0x010f: 'Make',
  0x0110: 'Model',
  0x0131: 'Software',
  0x013b: 'Artist',
  0x927c: 'MakerNote',
  0x9286: 'UserComment',
  0x9c9c: 'XPComment',
};
const ORIENTATION = 0x0112;
const EXIF_DIRECTORY = 0x8769;
const MAX_ENTRIES = 512;
/** Bytes of one value by type: BYTE, ASCII, SHORT, LONG, RATIONAL, …, UNDEFINED. */
const SIZES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1 };

interface Entry {
  tag: number;
  /** The bytes of the value; shorter than declared when the data is truncated. */
  value: Uint8Array;
}

interface Exif {
  bigEndian: boolean;
  entries: Entry[];
}

/** Reads the entries of IFD0 and of the EXIF directory. `bytes` is a TIFF structure, with or without `Exif\0\0` before it. */
function readExif(bytes: Uint8Array): Exif | undefined {
  const tiff = hasText(bytes, 0, 'Exif\0') ? bytes.subarray(6) : bytes;
  const bigEndian = hasText(tiff, 0, 'MM\0*');
  if (!bigEndian && !hasText(tiff, 0, 'II*\0')) return undefined;
  const u16 = bigEndian ? u16be : u16le;
  const u32 = bigEndian ? u32be : u32le;
  const entries: Entry[] = [];
  const readDirectory = (at: number): number => {
    let next = 0;
    const count = Math.min(u16(tiff, at), MAX_ENTRIES);
    for (let i = 0; i < count; i++) {
      const entry = at + 2 + i * 12;
      if (entry + 12 > tiff.length) break;
      const tag = u16(tiff, entry);
      const bytesLong = (SIZES[u16(tiff, entry + 2)] ?? 0) * u32(tiff, entry + 4);
      const start = bytesLong <= 4 ? entry + 8 : u32(tiff, entry + 8);
      if (tag === EXIF_DIRECTORY) next = u32(tiff, entry + 8);
      else entries.push({ tag, value: tiff.subarray(start, start + bytesLong) });
    }
    return next;
  };
  const exifDirectory = readDirectory(u32(tiff, 4));
  // Only one level is read, so a loop of pointers cannot trap the reader.
  if (exifDirectory > 0) readDirectory(exifDirectory);
  return { bigEndian, entries };
}

/** Adds the texts of an EXIF block. Returns its orientation, 1 when it has none. */
export function addExifTexts(texts: EmbeddedTexts, bytes: Uint8Array): number {
  const exif = readExif(bytes);
  if (!exif) {
    texts.note('the EXIF data cannot be read');
    return 1;
  }
  for (const { tag, value } of exif.entries) {
    const name = TEXT_TAGS[tag];
    if (name === undefined || value.length === 0 || !texts.accepts(name, value.length)) continue;
    texts.add(name, decodeValue(tag, value, exif.bigEndian));
  }
  return orientationOf(exif) ?? 1;
}

function decodeValue(tag: number, value: Uint8Array, bigEndian: boolean): string {
  if (tag === 0x9c9c) return decodeUtf16(value, false);
  if (tag === 0x9286) {
    // The first 8 bytes name the character code (4.6.5, UserComment). Writers disagree about the encoding of UNICODE.
    if (hasText(value, 0, 'UNICODE\0')) return decodeUnicode(value.subarray(8), bigEndian);
    if (hasText(value, 0, 'ASCII\0\0\0') || hasText(value, 0, '\0\0\0\0\0\0\0\0')) return trimmed(value.subarray(8));
  }
  return trimmed(value);
}

function trimmed(value: Uint8Array): string {
  const end = value.indexOf(0);
  return decodeUtf8OrLatin1(end < 0 ? value : value.subarray(0, end));
}

/** Usually UTF-16, of either byte order whatever the order of the EXIF block; some tools write UTF-8. */
function decodeUnicode(value: Uint8Array, bigEndian: boolean): string {
  const start = value.subarray(0, JUDGED_BYTES);
  const own = oddities(decodeUtf16(start, bigEndian));
  const other = oddities(decodeUtf16(start, !bigEndian));
  const order = own <= other ? bigEndian : !bigEndian;
  if (!start.includes(0)) {
    const text = decodeUtf8OrLatin1(value);
    // Text without ASCII letters, such as Chinese, has no zero bytes in UTF-16 either, but is rarely valid UTF-8.
    const isUtf8 =
      Buffer.byteLength(text) === value.length && oddities(text.slice(0, JUDGED_BYTES)) <= Math.min(own, other);
    if (value.length % 2 === 1 || isUtf8) return text;
  }
  return decodeUtf16(value, order);
}
/** Even, so that no character is cut. */
const JUDGED_BYTES = 4096;

/** Characters that texts do not have: unassigned and private ones, control characters, broken pairs. */
const ODD = /[\p{Cn}\p{Co}\ufffd]|(?![\t\n\r])\p{Cc}/gu;
/** Latin letters with swapped bytes become characters with a zero byte at the end. Of those, texts have the Chinese one and the wide space. */
const WITH_ZERO = new Set([0x4e00, 0x3000]);

/** How much in a text speaks against its byte order. */
function oddities(text: string): number {
  let swapped = 0;
  // A script has its characters close together; with swapped bytes they lie everywhere.
  const blocks = new Set<number>();
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    blocks.add(code >> 8);
    if (code > 0 && code % 256 === 0 && !WITH_ZERO.has(code)) swapped += 1;
  }
  return 4 * ((text.match(ODD)?.length ?? 0) + swapped) + blocks.size;
}

function decodeUtf16(value: Uint8Array, bigEndian: boolean): string {
  return untilZero(new TextDecoder(bigEndian ? 'utf-16be' : 'utf-16le').decode(value));
}

function orientationOf(exif: Exif): number | undefined {
  const value = exif.entries.find((entry) => entry.tag === ORIENTATION)?.value;
  if (value === undefined) return undefined;
  const orientation = exif.bigEndian ? u16be(value, 0) : u16le(value, 0);
  return orientation >= 1 && orientation <= 8 ? orientation : undefined;
}

/** Of an EXIF block, what says how the picture is shown: its orientation unless that is upright, and its resolution. */
export interface Presentation {
  /** 2 to 8. */
  orientation?: number | undefined;
  /** Pixels per unit as a fraction: the numerator and the denominator. */
  across?: readonly [number, number] | undefined;
  down?: readonly [number, number] | undefined;
  /** 2: inches; 3: centimetres. */
  unit?: number | undefined;
}

export function presentationOf(bytes: Uint8Array): Presentation {
  const exif = readExif(bytes);
  if (!exif) return {};
  const u16 = exif.bigEndian ? u16be : u16le;
  const u32 = exif.bigEndian ? u32be : u32le;
  const valueOf = (tag: number) => exif.entries.find((entry) => entry.tag === tag)?.value;
  const fraction = (tag: number) => {
    const value = valueOf(tag);
    const [numerator, denominator] = value ? [u32(value, 0), u32(value, 4)] : [0, 0];
    return numerator > 0 && denominator > 0 ? ([numerator, denominator] as const) : undefined;
  };
  const orientation = orientationOf(exif);
  const unit = u16(valueOf(RESOLUTION_UNIT) ?? new Uint8Array(0), 0);
  const [across, down] = [fraction(X_RESOLUTION), fraction(Y_RESOLUTION)];
  return {
    orientation: orientation === 1 ? undefined : orientation,
    ...(across && down && { across, down, unit: unit === 3 ? 3 : 2 }),
  };
}
const X_RESOLUTION = 0x011a;
const Y_RESOLUTION = 0x011b;
const RESOLUTION_UNIT = 0x0128;

/** Builds a TIFF structure with nothing else; undefined when there is nothing to say. */
export function presentationBlock({ orientation, across, down, unit }: Presentation): Uint8Array | undefined {
  const entries: { tag: number; type: number; short?: number | undefined; fraction?: readonly [number, number] }[] = [];
  if (orientation !== undefined) entries.push({ tag: ORIENTATION, type: 3, short: orientation });
  if (across) entries.push({ tag: X_RESOLUTION, type: 5, fraction: across });
  if (down) entries.push({ tag: Y_RESOLUTION, type: 5, fraction: down });
  if (across && unit !== undefined) entries.push({ tag: RESOLUTION_UNIT, type: 3, short: unit });
  if (entries.length === 0) return undefined;
  const dataAt = 8 + 2 + 12 * entries.length + 4;
  const fractions = entries.filter((entry) => entry.fraction);
  const block = Buffer.alloc(dataAt + 8 * fractions.length);
  block.set([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, entries.length]);
  for (const [index, { tag, type, short, fraction }] of entries.entries()) {
    const at = 10 + 12 * index;
    block.writeUInt16BE(tag, at);
    block.writeUInt16BE(type, at + 2);
    block.writeUInt32BE(1, at + 4);
    if (short !== undefined) block.writeUInt16BE(short, at + 8);
    if (!fraction) continue;
    const place = dataAt + 8 * fractions.findIndex((each) => each.tag === tag);
    block.writeUInt32BE(place, at + 8);
    block.writeUInt32BE(fraction[0], place);
    block.writeUInt32BE(fraction[1], place + 4);
  }
  return block;
}
