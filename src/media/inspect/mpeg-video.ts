import { u16be, u24be, u8 } from '../byte-order.ts';
import type { Findings, FormatParser } from '../parsing/findings.ts';
import { skip, take, takeUpTo, type Pull } from '../pull-reader.ts';

/** Bytes to search for the sequence header, which is in the first packs (ISO/IEC 11172-2 2.4.2.3). */
const WINDOW_BYTES = 256 * 1024;
const MAX_PACKETS = 4_000_000;
/** Bytes without a start code after which the file is not followed any more. */
const MAX_STRAY_BYTES = 64 * 1024;
const SEQUENCE = 0xb3;
const END = 0xb9;
/** Frames per second by their code. */
const FRAME_RATES = [0, 24000 / 1001, 24, 25, 30000 / 1001, 30, 50, 60000 / 1001, 60];
/** The shape of the picture by its code in MPEG-2; 1: the pixels are square. */
const RATIOS: Readonly<Record<number, number>> = { 2: 4 / 3, 3: 16 / 9, 4: 2.21 };

/** Reads the sequence header at the beginning of a video stream: 12 bits of width and height, the shape, the frame rate. */
function readSequence(bytes: Uint8Array, found: Findings): number | undefined {
  for (let at = bytes.indexOf(0xb3); at !== -1; at = bytes.indexOf(0xb3, at + 1)) {
    if (at < 3 || u24be(bytes, at - 3) !== 1) continue;
    const bits = u24be(bytes, at + 1);
    const [width, height] = [bits >> 12, bits & 0xfff];
    [found.width, found.height] = [width, height];
    const next = bytes.indexOf(0xb5, at + 8);
    const second = next > 3 && u24be(bytes, next - 3) === 1;
    const ratio = RATIOS[u8(bytes, at + 4) >> 4];
    if (second && ratio !== undefined) found.shown = [Math.round(height * ratio), height];
    return FRAME_RATES[u8(bytes, at + 4) & 15];
  }
  return undefined;
}

/** MPEG-1 and 2 video: bare, where nothing says how long it runs; or in a program stream. */
export const parseMpegVideo: FormatParser = function* (found) {
  const start = yield* take(4);
  if (u8(start, 3) === 0xba) return yield* followPacks(found);
  const head = start.slice();
  readSequence(Buffer.concat([head, yield* takeUpTo(WINDOW_BYTES)]), found);
};

/** Follows the packets of a program stream (ISO/IEC 13818-1 2.5.3), and notes the times of the first and the last picture or sound. */
function* followPacks(found: Findings): Pull {
  let code = 0xba;
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  let rate: number | undefined;
  let searched = 0;
  for (let packets = 0; packets < MAX_PACKETS; packets++) {
    if (code === 0xba) {
      const head = yield* take(1);
      // MPEG-2 has two more bytes, and stuffing.
      if (u8(head, 0) >> 6 === 1) yield* skip(u8(yield* take(9), 8) & 7);
      else yield* skip(7);
    } else if (code === SEQUENCE) {
      rate ??= readSequence(Buffer.concat([Buffer.from([0, 0, 1, SEQUENCE]), yield* take(12)]), found);
    } else if (code === END) {
      return;
    } else if (code >= 0xbb) {
      const length = u16be(yield* take(2), 0);
      let left = length;
      if ((code >= 0xc0 && code <= 0xef) || code === 0xbd) {
        const head = (yield* take(Math.min(length, 32))).slice();
        left -= head.length;
        const time = timeOf(head);
        if (time !== undefined) {
          first = Math.min(first, time);
          last = Math.max(last, time);
          found.durationMs = (last - first) / 90 + (rate ? 1000 / rate : 0);
        }
        if (code >= 0xe0 && code <= 0xef && rate === undefined && searched < WINDOW_BYTES) {
          const body = Buffer.concat([head, yield* take(left)]);
          searched += body.length;
          left = 0;
          rate = readSequence(body, found);
        }
      }
      yield* skip(left);
    } else return;
    const next = yield* nextCode();
    if (next === undefined) return;
    code = next;
  }
}

/** Takes up to the next start code of a pack or packet, over padding. */
function* nextCode(): Pull<number | undefined> {
  let seen = u24be(yield* take(3), 0);
  for (let stray = 0; stray < MAX_STRAY_BYTES; stray++) {
    const byte = u8(yield* take(1), 0);
    if (seen === 1 && (byte >= END || byte === SEQUENCE)) return byte;
    seen = ((seen << 8) | byte) & 0xffffff;
  }
  return undefined;
}

/** The presentation time in a packet's header, in units of 1/90,000 s. */
function timeOf(head: Uint8Array): number | undefined {
  let at = 0;
  if ((u8(head, 0) & 0xc0) === 0x80) {
    if ((u8(head, 1) & 0x80) === 0) return undefined;
    at = 3;
  } else {
    // MPEG-1: stuffing, and the size of a buffer.
    while (at < 16 && u8(head, at) === 0xff) at += 1;
    if ((u8(head, at) & 0xc0) === 0x40) at += 2;
    if ((u8(head, at) & 0xe0) !== 0x20) return undefined;
  }
  const high = (u8(head, at) >> 1) & 7;
  const time = high * 2 ** 30 + (u16be(head, at + 1) >> 1) * 2 ** 15 + (u16be(head, at + 3) >> 1);
  return Number.isNaN(time) ? undefined : time;
}
