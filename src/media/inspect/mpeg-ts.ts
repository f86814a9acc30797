import { u16be, u32be, u8 } from '../byte-order.ts';
import type { FormatParser } from '../parsing/findings.ts';
import { takeUpTo } from '../pull-reader.ts';

const SYNC = 0x47;
/** Whole packets of both sizes. */
const BLOCK_BYTES = 188 * 192;
const PCR_HZ = 27_000_000;
const PTS_HZ = 90_000;
/** PCR and PTS have 33 bits at 90 kHz; then they begin again. */
const WRAP_SECONDS = 2 ** 33 / PTS_HZ;
/** Clock values follow one another within a tenth of a second; a longer way is a cut between two recordings. */
const MAX_STEP_SECONDS = 10;

/** Adds up the steps of a clock, so that neither its start nor a cut counts. */
class Clock {
  readonly #slack: number;
  #pid: number | undefined;
  #last: number | undefined;
  seconds = 0;

  /** @param slack how far a value may go back without a cut, in seconds */
  constructor(slack: number) {
    this.#slack = slack;
  }

  /** Takes a value of the first stream that has any; those of others are left out. */
  at(pid: number, seconds: number): void {
    this.#pid ??= pid;
    if (pid !== this.#pid) return;
    const step = (seconds - (this.#last ?? seconds) + WRAP_SECONDS) % WRAP_SECONDS;
    if (step > WRAP_SECONDS - this.#slack) return;
    if (step <= MAX_STEP_SECONDS) this.seconds += step;
    this.#last = seconds;
  }
}

/** MPEG transport stream: the duration by the program clock, or else by the times of presentation. Its size is in the video itself. */
export const parseTransportStream: FormatParser = function* (found) {
  const program = new Clock(0);
  // Pictures are sent out of order.
  const presentation = new Clock(MAX_STEP_SECONDS);
  let size: number | undefined;
  for (;;) {
    const block = yield* takeUpTo(BLOCK_BYTES);
    size ??= u8(block, 0) === SYNC && (block.length < 376 || u8(block, 188) === SYNC) ? 188 : 192;
    for (let at = sync(block, size === 192 ? 4 : 0, size); at !== -1 && at + 188 <= block.length; at += size) {
      if (block[at] !== SYNC) at = sync(block, at, size);
      if (at === -1 || at + 188 > block.length) break;
      readPacket(block.subarray(at, at + 188), program, presentation);
    }
    const seconds = program.seconds || presentation.seconds;
    if (seconds > 0) found.durationMs = seconds * 1000;
  }
};

/** The next place from `start` on where a packet begins; -1 without one. */
function sync(block: Uint8Array, start: number, size: number): number {
  let at = block.indexOf(SYNC, start);
  while (at !== -1 && at + size < block.length && block[at + size] !== SYNC) at = block.indexOf(SYNC, at + 1);
  return at;
}

function readPacket(packet: Uint8Array, program: Clock, presentation: Clock): void {
  const pid = u16be(packet, 1) & 0x1fff;
  const flags = u8(packet, 3);
  const adaptation = flags & 0x20 ? u8(packet, 4) : -1;
  if (adaptation >= 7 && (u8(packet, 5) & 0x10) !== 0) {
    const base = u32be(packet, 6) * 2 + (u8(packet, 10) >> 7);
    program.at(pid, (base * 300 + (u16be(packet, 10) & 0x1ff)) / PCR_HZ);
  }
  const isStart = (u8(packet, 1) & 0x40) !== 0 && (flags & 0xd0) === 0x10;
  if (isStart) readPresentation(packet.subarray(5 + adaptation), pid, presentation);
}

/** 2.4.3.6: the head of a packet of an elementary stream of sound or pictures. */
function readPresentation(start: Uint8Array, pid: number, presentation: Clock): void {
  const stream = u8(start, 3);
  if (u32be(start, 0) >>> 8 !== 1 || stream < 0xc0 || stream > 0xef || (u8(start, 7) & 0x80) === 0) return;
  const high = (u8(start, 9) >> 1) & 7;
  const pts = high * 2 ** 30 + (u16be(start, 10) >> 1) * 2 ** 15 + (u16be(start, 12) >> 1);
  if (Number.isFinite(pts)) presentation.at(pid, pts / PTS_HZ);
}
