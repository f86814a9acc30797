import { hasText, latin1, u16be, u16le, u32be, u32le, u64le } from '../byte-order.ts';
import { decodeUtf8OrLatin1, untilZero, type EmbeddedTexts } from '../embedded-texts.ts';
import { addId3Texts } from '../id3.ts';
import { MAX_ELEMENTS, type FormatParser } from '../parsing/findings.ts';
import { skip, take } from '../pull-reader.ts';

/** Formats whose bytes per second are exact: PCM, floats, A-law, µ-law, and the extensible form of those. */
const FIXED_RATE = new Set([1, 3, 6, 7, 0xfffe]);

/** Names of the texts in a `LIST` chunk of type `INFO`. */
const INFO_TEXTS: Readonly<Record<string, string>> = { ICMT: 'comment', ISFT: 'Software', ISBJ: 'description' };

/** Adds the texts of `LIST INFO` (Microsoft's RIFF, 1991, chapter 2). */
function addInfoTexts(texts: EmbeddedTexts, body: Uint8Array): void {
  for (let at = 4; at + 8 <= body.length && hasText(body, 0, 'INFO');) {
    const size = u32le(body, at + 4);
    const name = INFO_TEXTS[latin1(body, at, 4)];
    if (name !== undefined) texts.add(name, untilZero(decodeUtf8OrLatin1(body.subarray(at + 8, at + 8 + size))));
    at += 8 + size + (size & 1);
  }
}

/** WAV, and RF64/BW64 (EBU Tech 3306), whose 64-bit sizes are in a `ds64` chunk. Texts may follow the sound. */
export const parseWav: FormatParser = function* (found, source) {
  yield* skip(12);
  let bytesPerSecond = 0;
  let samples = 0;
  let rate = 0;
  let wideSize = 0;
  let compressed = false;
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    const head = yield* take(8);
    const id = latin1(head, 0, 4);
    let size = u32le(head, 4);
    const start = source.position;
    if (id === 'fmt ' && size >= 12) {
      const format = yield* take(12);
      rate = u32le(format, 4);
      bytesPerSecond = u32le(format, 8);
      compressed = !FIXED_RATE.has(u16le(format, 0));
    }
    if (id === 'ds64' && size >= 16) wideSize = u64le(yield* take(16), 8);
    // Compressed sound tells its number of samples here, for its bytes per second are only about right.
    if (id === 'fact' && size >= 4) samples = u32le(yield* take(4), 0);
    if ((id === 'LIST' || id.toLowerCase() === 'id3 ') && found.texts.accepts(id, size)) {
      const body = yield* take(size);
      if (id === 'LIST') addInfoTexts(found.texts, body);
      else addId3Texts(found.texts, body);
    }
    if (id === 'data') {
      // A recorder that could not seek back leaves 0 or the largest number; then the data extends to the end of the file.
      if (size === 0xffffffff && wideSize > 0) size = wideSize;
      const unknown = size === 0 || size === 0xffffffff;
      found.atEnd = (total) => {
        const bytes = Math.min(unknown ? Number.POSITIVE_INFINITY : size, total - start);
        if (compressed && samples > 0 && samples < 0xffffffff && rate > 0) found.durationMs = (samples / rate) * 1000;
        else if (bytesPerSecond > 0) found.durationMs = (bytes / bytesPerSecond) * 1000;
      };
      if (unknown) return;
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
