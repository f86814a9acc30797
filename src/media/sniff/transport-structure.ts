import { u16be, u8 } from '../byte-order.ts';
import type { Verdict } from './raster-structure.ts';

const SYNC = 0x47;
const PACKETS_TO_AGREE = 5;

/**
 * MPEG transport stream (ISO/IEC 13818-1, 2.4.3): packets of 188 bytes that each begin with a sync byte, before which a recorder
 * puts a time of four bytes, and the table of programs in one of them. Recordings may begin anywhere between two tables.
 */
export function isTransportStream(head: Uint8Array, final: boolean): Verdict {
  for (const [size, start] of [
    [188, 0],
    [192, 4],
  ] as const) {
    const packets = Math.floor((head.length - start - 188) / size) + 1;
    if (packets < PACKETS_TO_AGREE) continue;
    let agreed = 0;
    let hasTable = false;
    for (; agreed < packets && u8(head, start + agreed * size) === SYNC; agreed++)
      hasTable ||= isProgramTable(head, start + agreed * size);
    if (agreed < PACKETS_TO_AGREE) continue;
    if (hasTable) return true;
    if (agreed === packets && !final) return 'more';
  }
  return false;
}

/** 2.4.4.3: a packet of PID 0 in which a section of table 0 begins, with its fixed bits and whole entries of four bytes. */
function isProgramTable(head: Uint8Array, at: number): boolean {
  const flags = u8(head, at + 3);
  if ((u16be(head, at + 1) & 0xdfff) !== 0x4000 || (flags & 0xd0) !== 0x10) return false;
  const payload = at + 4 + (flags & 0x20 ? 1 + u8(head, at + 4) : 0);
  const section = payload + 1 + u8(head, payload);
  const length = u16be(head, section + 1) & 0x0fff;
  return (
    section + 8 < at + 188 &&
    u8(head, section) === 0 &&
    (u8(head, section + 1) & 0xf0) === 0xb0 &&
    length >= 9 &&
    length <= 1021 &&
    length % 4 === 1 &&
    (u8(head, section + 5) & 0xc0) === 0xc0
  );
}
