import type { Made } from './made.ts';
import { be16, be32, bytes } from './bytes.ts';

/** A packet of `payload`, padded by its adaptation field, which may hold a clock in 90 kHz. */
export function packet(pid: number, payload: Uint8Array, clock?: number, starts = true): Uint8Array {
  const filled = 183 - payload.length;
  const flags = clock === undefined ? 0 : 0x10;
  const pcr = clock === undefined ? bytes() : bytes(be32(Math.floor(clock / 2)), [(clock % 2) * 128 + 0x7e, 0]);
  const adaptation = bytes(filled, flags, pcr, new Uint8Array(Math.max(0, filled - 1 - pcr.length)).fill(0xff));
  return bytes(0x47, be16(pid | (starts ? 0x4000 : 0)), 0x30, adaptation.subarray(0, 1 + filled), payload);
}

export const TABLE = packet(0, bytes(0, [0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0], be32(0x12345678)));

export function withPts(pts: number): Uint8Array {
  const high = Math.floor(pts / 2 ** 30);
  const middle = Math.floor(pts / 2 ** 15) % 2 ** 15;
  const stamp = bytes(0x21 | (high << 1), be16(middle * 2 + 1), be16((pts % 2 ** 15) * 2 + 1));
  return bytes([0, 0, 1, 0xe0], be16(0), [0x80, 0x80, 5], stamp, new Uint8Array(100).fill(0x55));
}

const video = new Uint8Array(150).fill(0x47);
/** A table and a packet for every tenth of a second; the clock of a second program runs apart. */
export function transport(seconds: number, from = 0): Uint8Array[] {
  return Array.from({ length: seconds * 10 + 1 }, (_, i) => [
    TABLE,
    packet(0x100, video, (from + i * 9000) % 2 ** 33),
    packet(0x101, video, 5_000_000 + i * 90_000, false),
  ]).flat();
}

/** The times begin with a sync byte, too. */
const timed = (packets: Uint8Array[]): Uint8Array<ArrayBuffer> =>
  bytes(...packets.map((each, i) => bytes(be32(0x47000000 + i * 1000), each)));

export const TRANSPORTS: Made[] = [
  { name: 'MPEG transport stream', file: bytes(...transport(3)), ext: 'ts', durationMs: 3000 },
  { name: 'MPEG transport stream of a recorder', file: timed(transport(3)), ext: 'ts', durationMs: 3000 },
  {
    name: 'MPEG transport stream whose clock begins again',
    file: bytes(...transport(3, 2 ** 33 - 90_000)),
    ext: 'ts',
    durationMs: 3000,
  },
  {
    name: 'MPEG transport stream without a clock',
    file: bytes(TABLE, TABLE, ...[0, 3, 1, 2, 6, 4, 5].map((i) => packet(0x100, withPts(90_000 + i * 45_000)))),
    ext: 'ts',
    durationMs: 3000,
  },
];
