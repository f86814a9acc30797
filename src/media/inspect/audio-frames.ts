import { hasText, u16be, u24be, u32be, u8 } from '../byte-order.ts';
import { addId3Texts } from '../id3.ts';
import type { Findings, FormatParser } from '../parsing/findings.ts';
import { adtsFrame, id3TagBytes, mpegAudioFrame, type MpegAudioFrame } from './mpeg-audio-frame.ts';
import { MAX_TAKE_BYTES, skip, take, takeUpTo, type Pull, type ReadSource } from '../pull-reader.ts';
import { addVorbisComments } from '../vorbis-comments.ts';

/** Audio can start some bytes after a tag, because of padding or a wrong length in the tag. */
const SYNC_WINDOW_BYTES = 64 * 1024;
/** Sniffing cannot see past a longer tag, so the type is checked here. */
const BLIND_TAG_BYTES = 3.5 * 1024 * 1024;
const NO_AUDIO = 'no audio follows the ID3 tag';
/** About 60 hours of speech. */
const MAX_FRAMES = 10_000_000;

interface AfterTags {
  /** The first bytes after the ID3v2 tags. */
  head: Uint8Array;
  tagBytes: number;
}

/** Skips any ID3v2 tags and takes `most` bytes after them, fewer at the end of the file. */
function* skipTags(found: Findings, source: ReadSource, most: number): Pull<AfterTags> {
  let head = yield* takeUpTo(10);
  for (let tags = 0; tags < 16 && id3TagBytes(head, 0) > 0; tags++) {
    const bytes = id3TagBytes(head, 0);
    // Stays true if the file ends here and this parser is not resumed.
    if (source.position + bytes > BLIND_TAG_BYTES) found.rejected = NO_AUDIO;
    yield* readTag(found, head, bytes);
    head = yield* takeUpTo(10);
    found.rejected = null;
  }
  const tagBytes = source.position - head.length;
  const start = head.slice();
  const rest = head.length < 10 ? head.subarray(0, 0) : yield* takeUpTo(most - 10);
  const joined = new Uint8Array(start.length + rest.length);
  joined.set(start);
  joined.set(rest, start.length);
  return { head: joined, tagBytes };
}

/** Reads the texts of a tag whose first ten bytes are `head`; of one that a cover picture makes very large, those before it. */
function* readTag(found: Findings, head: Uint8Array, bytes: number): Pull {
  const most = Math.min(bytes - 10, MAX_TAKE_BYTES);
  const tag = new Uint8Array(10 + most);
  tag.set(head.subarray(0, 10));
  tag.set(yield* take(most), 10);
  addId3Texts(found.texts, tag);
  yield* skip(bytes - 10 - most);
}

function checkBlindTag(found: Findings, { head, tagBytes }: AfterTags, agrees: boolean): void {
  if (tagBytes + head.length > BLIND_TAG_BYTES && !agrees) found.rejected = NO_AUDIO;
}

/** MP3: the frame count of a Xing, Info or VBRI header; without one, the frames are counted. */
export const parseMpegAudio: FormatParser = function* (found, source) {
  const after = yield* skipTags(found, source, SYNC_WINDOW_BYTES);
  const { head, tagBytes } = after;
  let at = 0;
  let frame = mpegAudioFrame(head, at);
  for (; at < head.length; at++) {
    frame = mpegAudioFrame(head, at);
    if (frame === undefined) continue;
    const next = at + frame.bytes;
    if (next + 4 > head.length || mpegAudioFrame(head, next) !== undefined) break;
    frame = undefined;
  }
  checkBlindTag(found, after, frame !== undefined);
  if (frame === undefined) return;
  const { xingOffset, samples, sampleRate } = frame;
  const xing = at + xingOffset;
  const vbri = at + 36;
  let frames = 0;
  if ((hasText(head, xing, 'Xing') || hasText(head, xing, 'Info')) && u32be(head, xing + 4) & 1) {
    frames = u32be(head, xing + 8);
  } else if (hasText(head, vbri, 'VBRI')) frames = u32be(head, vbri + 14);
  if (frames > 0) {
    found.durationMs = ((frames * samples) / sampleRate) * 1000;
    return;
  }
  yield* countFrames(found, source, { head, at, start: tagBytes, first: frame });
};

/** What was taken so far, and the first frame in it. */
interface Counted {
  head: Uint8Array;
  at: number;
  /** Where `head` begins in the file. */
  start: number;
  first: MpegAudioFrame;
}

/** Follows frames to the end, as their bit rate may vary. Where they break off, the rest is estimated by their mean bit rate. */
function* countFrames(found: Findings, source: ReadSource, { head, at: first, start, first: frame }: Counted): Pull {
  const started = start + first;
  let samples = 0;
  let next = started;
  found.atEnd = (total) => {
    const rest = Math.min(total, LAST_TAG_BYTES) > total - next ? 0 : total - next;
    const each = samples / Math.max(1, next - started);
    found.durationMs = ((samples + each * rest) / frame.sampleRate) * 1000;
  };
  for (let frames = 0; frames < MAX_FRAMES; frames++) {
    const inHead = next - start;
    const known = head.subarray(inHead, inHead + 4);
    if (known.length === 0) yield* skip(next - source.position);
    const header = known.length === 4 ? known : Buffer.concat([known, yield* take(4 - known.length)]);
    const now = mpegAudioFrame(header, 0);
    if (now === undefined || now.sampleRate !== frame.sampleRate) return;
    samples += now.samples;
    next += now.bytes;
  }
}
/** ID3v1 has 128 bytes, and APE tags not many more. */
const LAST_TAG_BYTES = 64 * 1024;

const MAX_BLOCKS = 1024;

/** FLAC (RFC 9639 8.2): STREAMINFO, whose total is 0 when the encoder did not know it; and comments. */
export const parseFlac: FormatParser = function* (found, source) {
  const after = yield* skipTags(found, source, 42);
  const { head } = after;
  const agrees = hasText(head, 0, 'fLaC') && (u8(head, 4) & 0x7f) === 0;
  checkBlindTag(found, after, agrees);
  if (!agrees) return;
  const rate = (u16be(head, 18) << 4) | (u8(head, 20) >> 4);
  const samples = (u8(head, 21) & 15) * 2 ** 32 + u32be(head, 22);
  if (rate > 0 && samples > 0) found.durationMs = (samples / rate) * 1000;
  // The first bit marks the last metadata block (RFC 9639, 8.1).
  let last = u8(head, 4) >= 0x80;
  for (let i = 0; i < MAX_BLOCKS && !last; i++) {
    const block = yield* take(4);
    last = u8(block, 0) >= 0x80;
    const size = u24be(block, 1);
    const comments = (u8(block, 0) & 0x7f) === 4 && found.texts.accepts('the comments', size);
    if (comments) addVorbisComments(found.texts, yield* take(size));
    else yield* skip(size);
  }
};

/** AAC in ADTS has no file header, so its frames are counted. */
export const parseAdts: FormatParser = function* (found) {
  let tagBytes = 0;
  do {
    const head = yield* take(10);
    tagBytes = id3TagBytes(head, 0);
    if (tagBytes > 0) yield* readTag(found, head, tagBytes);
    else {
      const first = adtsFrame(head, 0);
      if (first === undefined) return;
      found.durationMs = (first.samples / first.sampleRate) * 1000;
      yield* skip(Math.max(0, first.bytes - 10));
    }
  } while (tagBytes > 0);
  for (let i = 0; i < MAX_FRAMES; i++) {
    const frame = adtsFrame(yield* take(7), 0);
    if (frame === undefined) return;
    found.durationMs = (found.durationMs ?? 0) + (frame.samples / frame.sampleRate) * 1000;
    yield* skip(frame.bytes - 7);
  }
};

// RFC 4867 section 5.3: bytes of a frame after its own header byte, by frame type; every frame is 20 ms.
const AMR_NB = [12, 13, 15, 17, 19, 20, 26, 31, 5];
const AMR_WB = [17, 23, 32, 36, 40, 46, 50, 58, 60, 5];

export const parseAmr: FormatParser = function* (found) {
  const wide = hasText(yield* take(6), 0, '#!AMR-');
  if (wide) yield* skip(3);
  for (let i = 1; i < MAX_FRAMES; i++) {
    const type = (u8(yield* take(1), 0) >> 3) & 15;
    yield* skip((wide ? AMR_WB : AMR_NB)[type] ?? 0);
    found.durationMs = i * 20;
  }
};
