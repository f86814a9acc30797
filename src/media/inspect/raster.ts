import { hasText, u16be, u16le, u32be, u32le, u64be, u64le, u8 } from '../byte-order.ts';
import { decodeUtf8OrLatin1 } from '../embedded-texts.ts';
import { keepLarger, type FormatParser } from '../parsing/findings.ts';
import { type Pull, skip, skipBlocks, take } from '../pull-reader.ts';

const MAX_GIF_BLOCKS = 1_000_000;
const XMP_APPLICATION = 'XMP DataXMP';

/**
 * Takes blocks up to an empty one; undefined when they hold more than `most` bytes.
 * @param withLengths keeps the bytes with the lengths, too
 */
function* takeBlocks(most: number, withLengths = false): Pull<Buffer | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const length = u8(yield* take(1), 0);
    if (length === 0) return Buffer.concat(pieces);
    bytes += length;
    if (bytes > most) {
      yield* skip(length);
      yield* skipBlocks();
      return undefined;
    }
    if (withLengths) pieces.push(Buffer.from([length]));
    pieces.push((yield* take(length)).slice());
  }
}

/** GIF89a: the size, the comments, XMP, and the sum of the frames' delays. */
export const parseGif: FormatParser = function* (found) {
  const head = yield* take(13);
  found.width = u16le(head, 6);
  found.height = u16le(head, 8);
  yield* skip(colourTableBytes(u8(head, 10)));
  let frames = 0;
  let delays = 0;
  for (let i = 0; i < MAX_GIF_BLOCKS; i++) {
    const kind = u8(yield* take(1), 0);
    if (kind === 0x2c) {
      frames += 1;
      // A still picture may have a delay, too.
      if (frames > 1) found.durationMs = delays;
      yield* skip(colourTableBytes(u8(yield* take(9), 8)) + 1);
      yield* skipBlocks();
      continue;
    }
    if (kind !== 0x21) return;
    const label = u8(yield* take(1), 0);
    if (label === 0xf9) {
      const control = yield* take(5);
      // Browsers show frames without a delay for 100 ms.
      const delay = u16le(control, 2) * 10;
      delays += delay <= 10 ? 100 : delay;
    }
    if (label === 0xfe && found.texts.accepts('a comment', 1)) {
      const comment = yield* takeBlocks(MAX_COMMENT_BYTES);
      if (comment) found.texts.add('comment', decodeUtf8OrLatin1(comment));
      else found.texts.note('a comment is too long to be read');
      continue;
    }
    const name = label === 0xff ? yield* take(u8(yield* take(1), 0)) : undefined;
    // An extension without a name has nothing else.
    if (name?.length === 0) continue;
    if (name && hasText(name, 0, XMP_APPLICATION)) {
      // XMP stands there without blocks, so that its characters are taken for lengths; a trailer of falling numbers ends them.
      const packet = yield* takeBlocks(MAX_COMMENT_BYTES, true);
      const end = packet?.lastIndexOf(XMP_TRAILER) ?? -1;
      if (packet && end > 0 && found.texts.accepts('XMP', end))
        found.texts.add('XMP', decodeUtf8OrLatin1(packet.subarray(0, end)));
      continue;
    }
    yield* skipBlocks();
  }
};
const MAX_COMMENT_BYTES = 2 * 1024 * 1024;
const XMP_TRAILER = Buffer.from([1, 255, 254]);

/** The bytes of a colour table, from the flags that say whether there is one. */
function colourTableBytes(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

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
  for (let i = 0; i < Math.min(count, 4096); i++) {
    const entry = yield* take(wide ? 20 : 12);
    const type = u16(entry, 2);
    const at = wide ? 12 : 8;
    const value = type === 3 ? u16(entry, at) : type === 4 ? u32(entry, at) : type === 16 ? u64(entry, at) : null;
    if (u16(entry, 0) === 256) found.width = value;
    if (u16(entry, 0) === 257) found.height = value;
    if (u16(entry, 0) === 274 && value !== null) found.orientation = value;
  }
};
