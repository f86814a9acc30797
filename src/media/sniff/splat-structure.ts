import { constants, gunzipSync } from 'node:zlib';

import { hasText, u16be, u32le, u8 } from '../byte-order.ts';
import { ksplatHeader, SPLAT_BYTES } from '../inspect/splats.ts';

/** Of a gzip stream only this much is unpacked, to at most a thousand times as much. */
const PEEK_BYTES = 1024;

/** The first bytes that a gzip stream holds; empty when it is none. */
export function peekGzip(head: Uint8Array): Uint8Array {
  if (u16be(head, 0) !== 0x1f8b || u8(head, 2) !== 8) return new Uint8Array(0);
  try {
    return gunzipSync(head.subarray(0, PEEK_BYTES), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: 2048 * PEEK_BYTES,
    });
  } catch {
    return new Uint8Array(0);
  }
}

/** SPZ of Niantic: since version 4 with its header in front, and compressed by gzip as a whole before. */
export function isSpz(head: Uint8Array): boolean {
  if (hasText(head, 0, 'NGSP')) return isSpzHeader(head) && isTableAt32(head);
  const start = peekGzip(head);
  return isSpzHeader(start) && u32le(start, 4) <= 3 && u8(start, 15) === 0;
}

function isSpzHeader(bytes: Uint8Array): boolean {
  const version = u32le(bytes, 4);
  return hasText(bytes, 0, 'NGSP') && version >= 1 && version < 256 && u8(bytes, 12) <= 4 && u8(bytes, 13) <= 24;
}

/** A table of 1 to 32 streams behind the header, whose last 12 bytes are reserved. */
function isTableAt32(head: Uint8Array): boolean {
  const streams = u8(head, 15);
  const reserved = head.subarray(20, 32);
  return (
    u32le(head, 4) >= 4 &&
    streams >= 1 &&
    streams <= 32 &&
    u32le(head, 16) >= 32 &&
    reserved.length === 12 &&
    reserved.every((byte) => byte === 0)
  );
}

const SHOWN_SPLATS = 256;
/** The largest coordinate and size that a scene has, in its own unit. */
const FARTHEST = 1e6;

/**
 * `.splat` has no signature: each splat is a place and a size of three numbers each, four bytes of colour, and a rotation as a
 * unit quaternion in four bytes. The rotation of a few may be broken.
 */
export function isSplat(head: Uint8Array, complete: boolean): boolean {
  if (complete && head.length % SPLAT_BYTES !== 0) return false;
  const shown = Math.min(SHOWN_SPLATS, Math.floor(head.length / SPLAT_BYTES));
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let turned = 0;
  for (let i = 0; i < shown; i++) {
    const at = i * SPLAT_BYTES;
    for (let j = 0; j < 6; j++) {
      const value = view.getFloat32(at + 4 * j, true);
      if (!(Math.abs(value) <= FARTHEST) || (j >= 3 && value < 0)) return false;
    }
    let square = 0;
    for (let j = 28; j < 32; j++) square += ((u8(head, at + j) - 128) / 128) ** 2;
    if (square > 0.9 && square < 1.1) turned++;
  }
  return shown > 0 && turned >= 0.9 * shown;
}

export function isKsplat(head: Uint8Array): boolean {
  return ksplatHeader(head) !== undefined;
}
