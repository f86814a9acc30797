import { hasText, latin1, u16be, u32be, u32le, u64le } from '../byte-order.ts';
import { MAX_ELEMENTS, type FormatParser } from './findings.ts';
import { skip, take } from '../pull-reader.ts';

/** WAV, and RF64/BW64 (EBU Tech 3306), whose 64-bit sizes are in a `ds64` chunk. */
export const parseWav: FormatParser = function* (found, source) {
  yield* skip(12);
  let bytesPerSecond = 0;
  let wideSize = 0;
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    const head = yield* take(8);
    const id = latin1(head, 0, 4);
    let size = u32le(head, 4);
    const start = source.position;
    if (id === 'fmt ' && size >= 12) bytesPerSecond = u32le(yield* take(12), 8);
    if (id === 'ds64' && size >= 16) wideSize = u64le(yield* take(16), 8);
    if (id === 'data') {
      // A recorder that could not seek back leaves 0 or the largest number; then the data extends to the end of the file.
      if (size === 0xffffffff && wideSize > 0) size = wideSize;
      const unknown = size === 0 || size === 0xffffffff;
      found.atEnd = (total) => {
        const bytes = Math.min(unknown ? Number.POSITIVE_INFINITY : size, total - start);
        if (bytesPerSecond > 0) found.durationMs = (bytes / bytesPerSecond) * 1000;
      };
      return;
    }
    yield* skip(Math.max(0, size + (size & 1) - (source.position - start)));
  }
};

/** AVI: the main header `avih`, always the first thing in the `hdrl` list. */
export const parseAvi: FormatParser = function* (found) {
  const head = yield* take(72);
  if (!hasText(head, 24, 'avih')) return;
  found.durationMs = (u32le(head, 32) * u32le(head, 48)) / 1000; // microseconds per frame × frames
  found.width = u32le(head, 64);
  found.height = u32le(head, 68);
};

/** The sample rate of a `COMM` chunk: an 80-bit extended float (IEEE 754, as Apple's SANE has it). */
function extendedFloat(bytes: Uint8Array, at: number): number {
  const exponent = u16be(bytes, at) & 0x7fff;
  return (u32be(bytes, at + 2) + u32be(bytes, at + 6) / 2 ** 32) * 2 ** (exponent - 16383 - 31);
}

/** AIFF and AIFF-C: frames and rate in the `COMM` chunk. */
export const parseAiff: FormatParser = function* (found) {
  yield* skip(12);
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    const head = yield* take(8);
    const size = u32be(head, 4);
    if (hasText(head, 0, 'COMM')) {
      const body = yield* take(18);
      const rate = extendedFloat(body, 8);
      if (rate > 0) found.durationMs = (u32be(body, 2) / rate) * 1000;
      return;
    }
    yield* skip(size + (size & 1));
  }
};
