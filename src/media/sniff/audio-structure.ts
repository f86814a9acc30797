import { hasText, latin1, u16be, u32be, u32le, u8 } from '../byte-order.ts';
import { adtsFrame, mpegAudioFrame, type AudioFrame } from '../inspect/mpeg-audio-frame.ts';

/** Some encoders and taggers leave junk before the first frame; `file-type` has the same limit. */
const SYNC_TOLERANCE_BYTES = 4096;
const FRAMES_TO_AGREE = 3;

interface Frames<T> {
  first: T;
  count: number;
  /** The last frame reaches or exceeds the end of the head. */
  reachesEnd: boolean;
}

/** Follows frames with the same sample rate and samples per frame. A sync word alone has only 11 bits, which occur by chance. */
function followFrames<T extends AudioFrame>(
  head: Uint8Array,
  start: number,
  read: (bytes: Uint8Array, at: number) => T | undefined,
): Frames<T> | undefined {
  const first = read(head, start);
  if (first === undefined) return undefined;
  let at = start + first.bytes;
  for (let count = 1; ; count++) {
    if (count === FRAMES_TO_AGREE || at >= head.length) return { first, count, reachesEnd: at >= head.length };
    const next = read(head, at);
    if (next === undefined) return { first, count, reachesEnd: at + 7 > head.length };
    if (next.sampleRate !== first.sampleRate || next.samples !== first.samples) return undefined;
    at += next.bytes;
  }
}

function isConvincing(frames: Frames<AudioFrame>, named: boolean): boolean {
  return frames.count >= FRAMES_TO_AGREE || (frames.reachesEnd && (frames.count > 1 || named));
}

function hasFrameCount(head: Uint8Array, at: number, xingOffset: number): boolean {
  return /^(Xing|Info)$/.test(latin1(head, at + xingOffset, 4)) || hasText(head, at + 36, 'VBRI');
}

/**
 * Finds the layer of MPEG audio at the start of `head`, which begins after any ID3 tags. `named`: the file's name, its
 * declared type or an ID3 tag says MPEG audio; then one frame is enough, and junk may precede it.
 */
export function mpegAudioLayer(head: Uint8Array, named: boolean): 2 | 3 | undefined {
  const last = named ? Math.min(SYNC_TOLERANCE_BYTES, head.length - 4) : 0;
  for (let at = head.indexOf(0xff); at !== -1 && at <= last; at = head.indexOf(0xff, at + 1)) {
    const frames = followFrames(head, at, mpegAudioFrame);
    if (frames === undefined || frames.first.layer === 1) continue;
    const alone = named && at === 0;
    if (isConvincing(frames, alone) || (frames.reachesEnd && hasFrameCount(head, at, frames.first.xingOffset))) {
      return frames.first.layer;
    }
  }
  return undefined;
}

export function isAdts(head: Uint8Array, named: boolean): boolean {
  const frames = followFrames(head, 0, adtsFrame);
  return frames !== undefined && isConvincing(frames, named);
}

export function isFlac(head: Uint8Array): boolean {
  return hasText(head, 0, 'fLaC') && (u32be(head, 4) & 0x7fffffff) === 34;
}

/** WAV: there is a `fmt ` chunk of at least the size of its first version. */
export function isWav(head: Uint8Array): boolean {
  if (!/^(RIFF|RF64|BW64)$/.test(latin1(head, 0, 4)) || !hasText(head, 8, 'WAVE')) return false;
  let at = 12;
  for (let i = 0; i < 64 && at + 8 <= head.length; i++) {
    const size = u32le(head, at + 4);
    if (hasText(head, at, 'fmt ')) return size >= 14;
    at += 8 + size + (size & 1);
  }
  return false;
}

export function isAiff(head: Uint8Array): boolean {
  const chunk = latin1(head, 12, 4);
  return (
    hasText(head, 0, 'FORM') &&
    /^AIF[FC]$/.test(latin1(head, 8, 4)) &&
    /^(FVER|COMM|SSND|NAME|AUTH|ANNO|\(c\) |MARK|INST|COMT|AESD|MIDI|APPL|ID3 |CHAN)$/.test(chunk)
  );
}

export function isMidi(head: Uint8Array): boolean {
  return hasText(head, 0, 'MThd\0\0\0\x06') && u16be(head, 8) <= 2 && hasText(head, 14, 'MTrk');
}

export function isAmr(head: Uint8Array): boolean {
  const start = hasText(head, 0, '#!AMR-WB\n') ? 9 : hasText(head, 0, '#!AMR\n') ? 6 : Number.NaN;
  // RFC 4867 5.3: the padding bits of a frame header are zero.
  return (u8(head, start) & 0x83) === 0 && head.length > start;
}

/** The kind of Ogg, by the streams that begin on its first pages (RFC 3533 section 4); undefined for unknown content. */
export function oggKind(head: Uint8Array): 'ogg' | 'opus' | 'ogv' | undefined {
  let kind: 'ogg' | 'opus' | undefined;
  let at = 0;
  while (hasText(head, at, 'OggS\0') && (u8(head, at + 5) & 2) !== 0) {
    const laces = head.subarray(at + 27, at + 27 + u8(head, at + 26));
    const packet = at + 27 + laces.length;
    if (hasText(head, packet, '\x80theora') || hasText(head, packet, '\x01video\0')) return 'ogv';
    if (hasText(head, packet, 'OpusHead')) kind ??= 'opus';
    else if (['\x01vorbis', '\x7fFLAC', 'Speex   '].some((magic) => hasText(head, packet, magic))) kind ??= 'ogg';
    at = packet + laces.reduce((sum, lace) => sum + lace, 0);
  }
  return kind;
}
