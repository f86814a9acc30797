import { u24be } from '../byte-order.ts';
import type { FormatParser } from './findings.ts';
import { takeUpTo } from '../pull-reader.ts';

/** Bytes to search for the sequence header, which is in the first pack (ISO/IEC 11172-2 2.4.2.3). */
const WINDOW_BYTES = 256 * 1024;

/** MPEG-1 and 2 video, bare or in a program stream: 12 bits of width and height after the sequence start code. */
export const parseMpegVideo: FormatParser = function* (found) {
  const head = yield* takeUpTo(WINDOW_BYTES);
  for (let at = head.indexOf(0xb3); at !== -1; at = head.indexOf(0xb3, at + 1)) {
    if (at < 3 || u24be(head, at - 3) !== 1) continue;
    const bits = u24be(head, at + 1);
    found.width = bits >> 12;
    found.height = bits & 0xfff;
    return;
  }
};
