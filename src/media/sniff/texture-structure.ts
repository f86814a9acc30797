import { hasText, latin1, u32be, u32le, u8 } from '../byte-order.ts';
import { radianceHeader } from '../inspect/textures.ts';

/** OpenEXR file layout: version 2 with known flags, and a first attribute with a name, a type and a size. */
export function isExr(head: Uint8Array): boolean {
  if (!hasText(head, 0, '\x76\x2f\x31\x01\x02') || u32le(head, 4) >>> 13 !== 0) return false;
  const names = /^([\x20-\x7e]{1,255})\0([\x20-\x7e]{1,255})\0/.exec(latin1(head, 8, 512));
  return names !== null && u32le(head, 8 + names[0].length) < 2 ** 31;
}

/**
 * Radiance: its header is text, which anything may imitate. So its first scanline must be of runs and say its own length, as
 * encoders write it. Plain pixels must fill the file, and are no text; of a part of one, the name must say Radiance, and the inspector checks
 * the length.
 */
export function isRadiance(head: Uint8Array, complete: boolean, named: boolean): boolean {
  const header = radianceHeader(head);
  if (header === undefined || header.width === 0 || header.height === 0) return false;
  return header.hasRuns || (complete ? head.length === header.plainBytes : named && head.length <= header.plainBytes);
}

/** Khronos: KTX 2.0, 3. One face or the six of a cube, and the levels of a texture that fits in memory. */
export function isKtx2(head: Uint8Array): boolean {
  const faces = u32le(head, 36);
  return (
    hasText(head, 0, '\xabKTX 20\xbb\r\n\x1a\n') &&
    u32le(head, 20) > 0 &&
    (faces === 1 || faces === 6) &&
    u32le(head, 40) <= 32 &&
    u32le(head, 48) >= 80
  );
}

export function isKtx(head: Uint8Array): boolean {
  if (!hasText(head, 0, '\xabKTX 11\xbb\r\n\x1a\n')) return false;
  const u32 = u32le(head, 12) === 0x04030201 ? u32le : u32be;
  const faces = u32(head, 52);
  return u32(head, 12) === 0x04030201 && u32(head, 36) > 0 && (faces === 1 || faces === 6) && u32(head, 56) <= 32;
}

/** DDS: the sizes of its two structures are fixed. */
export function isDds(head: Uint8Array): boolean {
  return hasText(head, 0, 'DDS ') && u32le(head, 4) === 124 && u32le(head, 76) === 32;
}

export function isQoi(head: Uint8Array): boolean {
  const channels = u8(head, 12);
  return (
    hasText(head, 0, 'qoif') &&
    u32be(head, 4) > 0 &&
    u32be(head, 8) > 0 &&
    (channels === 3 || channels === 4) &&
    u8(head, 13) <= 1 &&
    // QOI holds at most 400 million pixels; a header of text would say more.
    u32be(head, 4) * u32be(head, 8) <= 400_000_000
  );
}
