import { hasText, latin1, u16be, u16le, u32be, u32le, u8 } from '../byte-order.ts';
import type { FormatParser } from '../parsing/findings.ts';
import { type Pull, skip, take, takeSome, takeUpTo } from '../pull-reader.ts';

const MAX_EXR_ATTRIBUTES = 1000;
/** The names of attributes and types are at most 255 bytes long. */
const MAX_EXR_NAME = 255;

function* takeName(): Pull<string> {
  let name = '';
  for (let i = 0; i <= MAX_EXR_NAME; i++) {
    const byte = u8(yield* take(1), 0);
    if (byte === 0) break;
    name += String.fromCharCode(byte);
  }
  return name;
}

/** OpenEXR: the display window of the first part, or else its data window (box2i: both corners belong to the picture). */
export const parseExr: FormatParser = function* (found) {
  yield* skip(8);
  for (let i = 0; i < MAX_EXR_ATTRIBUTES; i++) {
    const name = yield* takeName();
    if (name === '') return;
    const type = yield* takeName();
    const size = u32le(yield* take(4), 0);
    if (type !== 'box2i' || size !== 16) {
      yield* skip(size);
      continue;
    }
    const box = yield* take(16);
    const at = (corner: number): number => u32le(box, 4 * corner) | 0;
    if (name === 'displayWindow' || name === 'dataWindow') {
      found.width = at(2) - at(0) + 1;
      found.height = at(3) - at(1) + 1;
    }
    if (name === 'displayWindow') return;
  }
};

/** A header of a Radiance picture is text; real ones have some hundred bytes. */
const MAX_RADIANCE_HEADER = 16 * 1024;

interface RadianceHeader {
  width: number;
  height: number;
  /** The first scanline begins as one of runs and says its own length. */
  hasRuns: boolean;
  /** The length of the file when its pixels are plain. */
  plainBytes: number;
}

/** Radiance: lines of text up to an empty one, among them the format of the pixels, and then the line with the resolution. */
export function radianceHeader(head: Uint8Array): RadianceHeader | undefined {
  if (!hasText(head, 0, '#?RADIANCE\n') && !hasText(head, 0, '#?RGBE\n')) return undefined;
  const text = Buffer.from(head.subarray(0, MAX_RADIANCE_HEADER)).toString('latin1');
  const end = text.indexOf('\n\n');
  if (end === -1 || !/\nFORMAT=32-bit_rle_(rgb|xyz)e[ \t]*\n/.test(text.slice(0, end + 1))) return undefined;
  const line = /^[+-]([XY]) (\d{1,9}) [+-]([XY]) (\d{1,9})\n/.exec(text.slice(end + 2, end + 66));
  if (line === null || line[1] === line[3]) return undefined;
  const [first, second] = [Number(line[2]), Number(line[4])];
  // The first axis counts the scanlines; a picture may be stored by columns.
  const [width, height] = line[1] === 'Y' ? [second, first] : [first, second];
  const dataAt = end + 2 + line[0].length;
  const hasRuns =
    hasText(head, dataAt, '\x02\x02') && u16be(head, dataAt + 2) === second && second >= 8 && second < 2 ** 15;
  return { width, height, hasRuns, plainBytes: dataAt + 4 * width * height };
}

/** Radiance: plain pixels have no structure, so they must fill the file. */
export const parseRadiance: FormatParser = function* (found) {
  const header = radianceHeader(yield* takeUpTo(MAX_RADIANCE_HEADER + 128));
  if (header === undefined) return;
  found.width = header.width;
  found.height = header.height;
  if (header.hasRuns) return;
  found.atEnd = (total) => {
    if (total !== header.plainBytes) found.rejected = 'the length does not agree with the number of pixels';
  };
};

/** KTX 1: numbers in the order of its writer's machine. */
export const parseKtx: FormatParser = function* (found) {
  const head = yield* take(44);
  const u32 = u32le(head, 12) === 0x04030201 ? u32le : u32be;
  found.width = u32(head, 36);
  found.height = u32(head, 40);
};

export const parseKtx2: FormatParser = function* (found) {
  const head = yield* take(28);
  found.width = u32le(head, 20);
  found.height = u32le(head, 24);
};

export const parseDds: FormatParser = function* (found) {
  const head = yield* take(20);
  found.height = u32le(head, 12);
  found.width = u32le(head, 16);
};

export const parseQoi: FormatParser = function* (found) {
  const head = yield* take(12);
  found.width = u32be(head, 4);
  found.height = u32be(head, 8);
};

interface TgaHeader {
  width: number;
  height: number;
  dataAt: number;
  pixelBytes: number;
  runs: boolean;
}

/** TGA has no signature at the front, so each field must have a value that agrees with the others. */
export function tgaHeader(head: Uint8Array): TgaHeader | undefined {
  const [mapped, type, depth, flags] = [u8(head, 1), u8(head, 2), u8(head, 16), u8(head, 17)];
  const kind = type & ~8;
  const [mapLength, mapDepth] = [u16le(head, 5), u8(head, 7)];
  const [width, height] = [u16le(head, 12), u16le(head, 14)];
  const depths = kind === 1 ? [8, 16] : kind === 2 ? [15, 16, 24, 32] : kind === 3 ? [8, 16] : [];
  if (!depths.includes(depth) || type > 11 || !(width > 0 && height > 0)) return undefined;
  if ((flags & 0xc0) !== 0 || (flags & 15) > 8) return undefined;
  const hasMap = mapped === 1 && mapLength > 0 && [15, 16, 24, 32].includes(mapDepth);
  const hasNone = mapped === 0 && mapLength === 0 && u16le(head, 3) === 0;
  if (kind === 1 ? !hasMap : !hasMap && !hasNone) return undefined;
  const dataAt = 18 + u8(head, 0) + (hasMap ? mapLength * Math.ceil(mapDepth / 8) : 0);
  return { width, height, dataAt, pixelBytes: Math.ceil(depth / 8), runs: type >= 9 };
}

const TGA_FOOTER = 'TRUEVISION-XFILE.\0';

/** TGA: the pixels must fill the file, unless TGA 2 marks its end with a footer behind further areas. */
export const parseTga: FormatParser = function* (found) {
  const header = tgaHeader(yield* takeUpTo(18));
  if (header === undefined) {
    found.rejected = 'the header is not that of a TGA';
    return;
  }
  found.width = header.width;
  found.height = header.height;
  const { dataAt, pixelBytes, runs } = header;
  const pixels = header.width * header.height;
  // A packet of runs has a byte before its pixels, and holds up to 128 of them.
  const least = runs ? Math.ceil(pixels / 128) * (1 + pixelBytes) : pixels * pixelBytes;
  const most = runs ? pixels * (1 + pixelBytes) : least;
  let tail = '';
  found.atEnd = (total) => {
    const fits = total >= dataAt + least && (total <= dataAt + most || tail === TGA_FOOTER);
    if (!fits) found.rejected = 'the length does not agree with the number of pixels';
  };
  for (;;) {
    const some = yield* takeSome();
    tail = (tail + latin1(some, Math.max(0, some.length - TGA_FOOTER.length), TGA_FOOTER.length)).slice(
      -TGA_FOOTER.length,
    );
  }
};
