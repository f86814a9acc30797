import { hasText, latin1, u16be, u16le, u32be, u32le, u8 } from '../byte-order.ts';

/**
 * Whether a raster image has the right structure after its signature. A signature is only a few bytes, which anything may
 * follow (`FF D8 FF` and then HTML), so each check requires structure that only an encoder writes.
 * `more`: more bytes are needed to decide.
 */
export type Verdict = boolean | 'more';

/** PNG 5.2 and 11.2.1: the first chunk is an IHDR of 13 bytes with a known depth and colour type. */
export function isPng(head: Uint8Array): boolean {
  return (
    hasText(head, 0, '\x89PNG\r\n\x1a\n') &&
    u32be(head, 8) === 13 &&
    hasText(head, 12, 'IHDR') &&
    [1, 2, 4, 8, 16].includes(u8(head, 24)) &&
    [0, 2, 3, 4, 6].includes(u8(head, 25))
  );
}

/** Markers that may precede the frame header: DHT, DAC, DQT, DNL, DRI, APPn, JPGn, COM. */
function isTableMarker(marker: number): boolean {
  return marker === 0xc4 || marker === 0xcc || (marker >= 0xdb && marker <= 0xdd) || marker >= 0xe0;
}

function isFrameMarker(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function isFrameHeader(head: Uint8Array, at: number): boolean {
  const components = u8(head, at + 9);
  return components > 0 && u16be(head, at + 2) === 8 + 3 * components && [8, 12, 16].includes(u8(head, at + 4));
}

const MAX_STRAY_BYTES = 64 * 1024;

/**
 * JPEG (ITU-T T.81 B.2): consecutive segments up to the frame header. A file that is truncated before it still counts if it has
 * a segment that only a JPEG has: JFIF, EXIF, or a quantization table.
 */
export function isJpeg(head: Uint8Array, complete: boolean): Verdict {
  if (u16be(head, 0) !== 0xffd8) return false;
  let proved = false;
  let stray = 0;
  let at = 2;
  while (at + 4 <= head.length) {
    const marker = u8(head, at + 1);
    const known = isFrameMarker(marker) || isTableMarker(marker) || marker === 0xff;
    // Signed photographs have some bytes between segments, and decoders skip them.
    if (proved && stray < MAX_STRAY_BYTES && (u8(head, at) !== 0xff || !known)) {
      stray++;
      at++;
      continue;
    }
    if (u8(head, at) !== 0xff) return false;
    if (marker === 0xff) {
      at++; // fill byte
      continue;
    }
    if (isFrameMarker(marker)) {
      if (at + 10 > head.length) break;
      return isFrameHeader(head, at);
    }
    const length = u16be(head, at + 2);
    if (!isTableMarker(marker) || length < 2) return false;
    if (at + 2 + length > head.length) break;
    proved ||= /^(JFIF|JFXX|AVI1)\0|^Exif\0/.test(latin1(head, at + 4, 5)) && marker <= 0xe1;
    proved ||= marker === 0xdb && (length - 2) % 65 === 0 && u8(head, at + 4) <= 3;
    at += 2 + length;
  }
  // Behind bytes of no segment, only the frame header proves it.
  return complete ? proved && stray === 0 : 'more';
}

/**
 * GIF89a, 17 to 26: after the screen descriptor and its colour table come extensions made of counted sub-blocks, and
 * then an image whose code size is a number of bits. `GIF89a/*…*\/=1;alert()` fails at the first block.
 */
export function isGif(head: Uint8Array, complete: boolean): Verdict {
  if (!hasText(head, 0, 'GIF87a') && !hasText(head, 0, 'GIF89a')) return false;
  const ended = (proved: boolean): Verdict => (complete ? proved : 'more');
  const packed = u8(head, 10);
  let at = 13 + (packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);
  let blocks = 0;
  while (at < head.length) {
    const introducer = u8(head, at);
    if (introducer === 0x2c) {
      const local = u8(head, at + 9);
      const data = at + 10 + (local & 0x80 ? 3 * 2 ** ((local & 7) + 1) : 0);
      if (data >= head.length) return ended(blocks > 0);
      return u16le(head, at + 5) > 0 && u16le(head, at + 7) > 0 && u8(head, data) >= 1 && u8(head, data) <= 11;
    }
    if (introducer !== 0x21) return false;
    if (at + 3 > head.length) break;
    const [label, size] = [u8(head, at + 1), u8(head, at + 2)];
    if (label === 0xf9 ? size !== 4 : label === 0xff ? size !== 11 : label === 0x01 ? size !== 12 : label !== 0xfe) {
      return false;
    }
    at += 2;
    while (at < head.length && u8(head, at) !== 0) at += 1 + u8(head, at);
    at++;
    if (at <= head.length) blocks++;
  }
  return ended(blocks > 0);
}

export function isWebp(head: Uint8Array): boolean {
  if (!hasText(head, 0, 'RIFF') || !hasText(head, 8, 'WEBP')) return false;
  if (hasText(head, 12, 'VP8X')) return u32le(head, 16) >= 10;
  if (hasText(head, 12, 'VP8L')) return u8(head, 20) === 0x2f;
  return hasText(head, 12, 'VP8 ') && hasText(head, 23, '\x9d\x01\x2a');
}

export function isBmp(head: Uint8Array): boolean {
  const header = u32le(head, 14);
  const planes = header === 12 ? u16le(head, 22) : u16le(head, 26);
  const depth = header === 12 ? u16le(head, 24) : u16le(head, 28);
  return (
    hasText(head, 0, 'BM') &&
    [12, 16, 40, 52, 56, 64, 108, 124].includes(header) &&
    u32le(head, 10) >= 14 + header &&
    planes === 1 &&
    [0, 1, 2, 4, 8, 16, 24, 32].includes(depth)
  );
}

/** ICO: every directory entry in `head` points to bytes after the directory. */
export function isIco(head: Uint8Array): boolean {
  const count = u16le(head, 4);
  if (u32le(head, 0) !== 0x00010000 || !(count > 0 && count <= 1024) || head.length < 22) return false;
  for (let i = 0; i < count && 22 + 16 * i <= head.length; i++) {
    const at = 6 + 16 * i;
    if (u8(head, at + 3) !== 0 || u32le(head, at + 8) === 0 || !(u32le(head, at + 12) >= 6 + 16 * count)) return false;
  }
  return true;
}

/** TIFF 6.0 section 2 and BigTIFF: the directory, if it is in `head`, has known field types. */
export function isTiff(head: Uint8Array): boolean {
  const big = hasText(head, 0, 'MM');
  if (!big && !hasText(head, 0, 'II')) return false;
  const u16 = big ? u16be : u16le;
  const u32 = big ? u32be : u32le;
  if (u16(head, 2) === 43) return u16(head, 4) === 8 && u16(head, 6) === 0 && head.length >= 16;
  const directory = u32(head, 4);
  if (u16(head, 2) !== 42 || !(directory >= 8)) return false;
  if (directory + 14 > head.length) return true;
  const type = u16(head, directory + 4);
  return u16(head, directory) > 0 && type >= 1 && type <= 18;
}

const SUBFILE_TYPE = 254;
const PHOTOMETRIC = 262;

/**
 * Whether the first directory of a TIFF has a whole picture in grey, colours or a palette. That of camera raw files has a small
 * preview, or the sensor's pattern.
 */
export function isWholePicture(head: Uint8Array): boolean {
  const big = hasText(head, 0, 'MM');
  const u16 = big ? u16be : u16le;
  const directory = (big ? u32be : u32le)(head, 4);
  let photometric = Number.NaN;
  for (let i = 0; i < u16(head, directory); i++) {
    const entry = directory + 2 + 12 * i;
    if (!(entry + 12 <= head.length)) return false;
    const tag = u16(head, entry);
    if (tag === SUBFILE_TYPE && ((big ? u32be : u32le)(head, entry + 8) & 1) === 1) return false;
    if (tag === PHOTOMETRIC) photometric = u16(head, entry + 8);
    // DNGVersion.
    if (tag === 50706) return false;
  }
  return photometric <= 10;
}

export function isPsd(head: Uint8Array): boolean {
  const version = u16be(head, 4);
  const channels = u16be(head, 12);
  return hasText(head, 0, '8BPS') && (version === 1 || version === 2) && channels >= 1 && channels <= 56;
}

/** JPEG XL: the boxed form has a long signature. The raw form has only two bytes, so text must not follow them. */
export function isJxl(head: Uint8Array): boolean {
  if (hasText(head, 0, '\0\0\0\x0cJXL \r\n\x87\n')) return true;
  return hasText(head, 0, '\xff\x0a') && head.length > 4 && !/^[\t\n\r -~]*$/.test(latin1(head, 2, 32));
}

export function isJp2(head: Uint8Array): boolean {
  return (
    hasText(head, 0, '\0\0\0\x0cjP  \r\n\x87\n') && hasText(head, 16, 'ftyp') && /^jp[2x] $/.test(latin1(head, 20, 4))
  );
}
