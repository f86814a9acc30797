import { u16be, u16le, u32be, u32le, u64be, u64le, u8 } from '../byte-order.ts';
import { keepLarger, type FormatParser } from './findings.ts';
import { skip, take } from '../pull-reader.ts';

export const parseGif: FormatParser = function* (found) {
  const head = yield* take(10);
  found.width = u16le(head, 6);
  found.height = u16le(head, 8);
};

export const parseBmp: FormatParser = function* (found) {
  const head = yield* take(26);
  const old = u32le(head, 14) === 12; // BITMAPCOREHEADER
  found.width = old ? u16le(head, 18) : u32le(head, 18) | 0;
  // A negative height means that the rows run from the top.
  found.height = old ? u16le(head, 20) : Math.abs(u32le(head, 22) | 0);
};

export const parseIco: FormatParser = function* (found) {
  const count = Math.min(u16le(yield* take(6), 4), 256);
  for (let i = 0; i < count; i++) {
    const entry = yield* take(16);
    // 0 means 256, which does not fit a byte.
    keepLarger(found, u8(entry, 0) || 256, u8(entry, 1) || 256);
  }
};

export const parsePsd: FormatParser = function* (found) {
  const head = yield* take(22);
  found.height = u32be(head, 14);
  found.width = u32be(head, 18);
};

/** TIFF 6.0 and BigTIFF: the first directory, at the offset in the header. */
export const parseTiff: FormatParser = function* (found, source) {
  const head = yield* take(8);
  const big = u8(head, 0) === 0x4d;
  const u16 = big ? u16be : u16le;
  const u32 = big ? u32be : u32le;
  const u64 = big ? u64be : u64le;
  const wide = u16(head, 2) === 43;
  const directory = wide ? u64(yield* take(8), 0) : u32(head, 4);
  if (!(directory >= source.position)) return;
  yield* skip(directory - source.position);
  const count = wide ? u64(yield* take(8), 0) : u16(yield* take(2), 0);
  for (let i = 0; i < Math.min(count, 4096) && (found.width === null || found.height === null); i++) {
    const entry = yield* take(wide ? 20 : 12);
    const type = u16(entry, 2);
    const at = wide ? 12 : 8;
    const value = type === 3 ? u16(entry, at) : type === 4 ? u32(entry, at) : type === 16 ? u64(entry, at) : null;
    if (u16(entry, 0) === 256) found.width = value;
    if (u16(entry, 0) === 257) found.height = value;
  }
};
