import type { Made } from './made.ts';
import { be16, be32, be64, bytes, le16, le32, zeros } from './bytes.ts';
import { oggPage } from './made-video.ts';

/** MPEG-1 layer III, 128 kbit/s, 44.1 kHz, stereo: 417 bytes of 1152 samples. */
const MP3_FRAME = bytes([0xff, 0xfb, 0x90, 0x00], zeros(413));
export const mp3 = (frames: number): Uint8Array<ArrayBuffer> =>
  bytes(...Array.from({ length: frames }, () => MP3_FRAME));

export function id3(size: number): Uint8Array {
  const sizes = [21, 14, 7, 0].map((shift) => (size >> shift) & 0x7f);
  return bytes('ID3', [3, 0, 0], sizes, zeros(size));
}

function xing(frames: number): Uint8Array {
  return bytes([0xff, 0xfb, 0x90, 0x00], zeros(32), 'Xing', be32(1), be32(frames), zeros(417 - 48));
}

/** 1000 samples at 8 kHz: 125 ms. */
const flac = bytes('fLaC', [0x80, 0, 0, 34], zeros(10), be64((8000n << 44n) | (15n << 36n) | 1000n), zeros(16));

export function wav(dataSize: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const format = bytes('fmt ', le32(16), le16(1), le16(1), le32(8000), le32(16_000), le16(2), le16(16));
  return bytes('RIFF', le32(36 + data.length), 'WAVE', format, 'LIST', le32(3), zeros(4), 'data', le32(dataSize), data);
}

/** AAC-LC, 44.1 kHz, frames of 100 bytes. */
const ADTS_FRAME = bytes([0xff, 0xf1, 0x50, 0x80, 100 >> 3, (100 & 7) << 5, 0xfc], zeros(93));

const opusHead = bytes('OpusHead', [1, 2], le16(312), le32(48_000), zeros(3));
const vorbisHead = bytes('\x01vorbis', zeros(4), 2, le32(44_100), zeros(14));

export const AUDIO: Made[] = [
  // 20 frames of 26.12 ms.
  { name: 'MP3 of constant bit rate', file: mp3(20), ext: 'mp3', durationMs: 522 },
  { name: 'MP3 with a frame count', file: bytes(xing(1000), mp3(3)), ext: 'mp3', durationMs: 26_122 },
  { name: 'MP3 behind an ID3 tag', file: bytes(id3(300), mp3(20)), ext: 'mp3', durationMs: 522 },
  { name: 'MP3 behind an ID3 tag of 3 MB', file: bytes(id3(3_000_000), mp3(40)), ext: 'mp3', durationMs: 1045 },
  { name: 'MP3 behind an ID3 tag of 5 MB', file: bytes(id3(5_000_000), mp3(20)), ext: 'mp3', durationMs: 522 },
  {
    name: 'MP3 behind a tag that counted itself wrongly',
    file: bytes(id3(20), zeros(10), mp3(20)),
    ext: 'mp3',
    durationMs: 522,
  },
  { name: 'FLAC', file: flac, ext: 'flac', durationMs: 125 },
  {
    name: 'FLAC behind an ID3 tag of 1 MB',
    file: bytes(id3(1_000_000), flac, zeros(9000)),
    ext: 'flac',
    durationMs: 125,
  },
  {
    name: 'FLAC behind an ID3 tag of 5 MB, by its name',
    file: bytes(id3(5_000_000), flac),
    ext: 'flac',
    durationMs: 125,
    filename: 'a.flac',
  },
  { name: 'WAV', file: wav(8000, zeros(8000)), ext: 'wav', durationMs: 500 },
  { name: 'WAV of unknown length', file: wav(0xffffffff, zeros(8000)), ext: 'wav', durationMs: 500 },
  { name: 'WAV of no stated length', file: wav(0, zeros(8000)), ext: 'wav', durationMs: 500 },
  { name: 'WAV, truncated', file: wav(32_000, zeros(8000)), ext: 'wav', durationMs: 500 },
  {
    name: 'Opus',
    file: bytes(oggPage(7, 2, 0, opusHead), oggPage(7, 0, 0, zeros(20)), oggPage(7, 4, 48_312, zeros(200))),
    ext: 'opus',
    durationMs: 1000,
  },
  {
    name: 'Vorbis',
    file: bytes(oggPage(7, 2, 0, vorbisHead), oggPage(7, 4, 22_050, zeros(200))),
    ext: 'ogg',
    durationMs: 500,
  },
  { name: 'AAC', file: bytes(...Array.from({ length: 10 }, () => ADTS_FRAME)), ext: 'aac', durationMs: 232 },
  {
    name: 'AIFF',
    file: bytes(
      'FORM',
      be32(100),
      'AIFFNAME',
      be32(3),
      zeros(4),
      'COMM',
      be32(18),
      be16(1),
      be32(22_050),
      be16(16),
      [0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0],
      zeros(20),
    ),
    ext: 'aif',
    durationMs: 500,
  },
  {
    name: 'AMR',
    file: bytes('#!AMR\n', ...Array.from({ length: 5 }, () => bytes(0x3c, zeros(31)))),
    ext: 'amr',
    durationMs: 100,
  },
  {
    name: 'MIDI',
    file: bytes('MThd', be32(6), be16(1), be16(1), be16(96), 'MTrk', be32(4), [0, 0xff, 0x2f, 0]),
    ext: 'mid',
  },
];
