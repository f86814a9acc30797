import { u8 } from '../byte-order.ts';

export interface AudioFrame {
  /** Length of the whole frame in bytes, header included; at least as long as the header. */
  bytes: number;
  samples: number;
  sampleRate: number;
}

export interface MpegAudioFrame extends AudioFrame {
  layer: 1 | 2 | 3;
  /** In bits per second. */
  bitrate: number;
  /** The offset of a Xing or Info header from the start of the frame. */
  xingOffset: number;
}

// ISO/IEC 11172-3 2.4.2.3 and 13818-3; kbit/s by [MPEG 1 or not][layer - 1][index - 1].
const BITRATES = [
  [
    [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  ],
  [
    [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  ],
];
const SAMPLE_RATES = [44100, 48000, 32000];

/** Reads the four header bytes of an MPEG-1, 2 or 2.5 audio frame at `at`; undefined when they are invalid or free-format. */
export function mpegAudioFrame(bytes: Uint8Array, at: number): MpegAudioFrame | undefined {
  const b1 = u8(bytes, at + 1);
  const b2 = u8(bytes, at + 2);
  const b3 = u8(bytes, at + 3);
  if (u8(bytes, at) !== 0xff || !(b1 >= 0xe0) || Number.isNaN(b3)) return undefined;
  const version = (b1 >> 3) & 3; // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  const layerBits = (b1 >> 1) & 3;
  if (version === 1 || layerBits === 0) return undefined;
  const layer = (4 - layerBits) as 1 | 2 | 3;
  const kilobits = BITRATES[version === 3 ? 0 : 1]?.[layer - 1]?.[(b2 >> 4) - 1];
  const baseRate = SAMPLE_RATES[(b2 >> 2) & 3];
  if (kilobits === undefined || baseRate === undefined) return undefined;
  const sampleRate = version === 3 ? baseRate : version === 2 ? baseRate / 2 : baseRate / 4;
  const bitrate = kilobits * 1000;
  const padding = (b2 >> 1) & 1;
  const samples = layer === 1 ? 384 : layer === 3 && version !== 3 ? 576 : 1152;
  const length =
    layer === 1
      ? (Math.floor((12 * bitrate) / sampleRate) + padding) * 4
      : Math.floor(((samples / 8) * bitrate) / sampleRate) + padding;
  const mono = b3 >> 6 === 3;
  const sideInfo = version === 3 ? (mono ? 17 : 32) : mono ? 9 : 17;
  return { bytes: length, samples, sampleRate, layer, bitrate, xingOffset: 4 + sideInfo };
}

const ADTS_RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

/** Reads the seven header bytes of an AAC frame (ADTS, ISO/IEC 14496-3 1.A.2.2) at `at`; undefined when they are invalid. */
export function adtsFrame(bytes: Uint8Array, at: number): AudioFrame | undefined {
  if (u8(bytes, at) !== 0xff || (u8(bytes, at + 1) & 0xf6) !== 0xf0) return undefined;
  const sampleRate = ADTS_RATES[(u8(bytes, at + 2) >> 2) & 15];
  const last = u8(bytes, at + 6);
  const length = ((u8(bytes, at + 3) & 3) << 11) | (u8(bytes, at + 4) << 3) | (u8(bytes, at + 5) >> 5);
  if (sampleRate === undefined || Number.isNaN(last) || length < 7) return undefined;
  return { bytes: length, samples: 1024 * ((last & 3) + 1), sampleRate };
}

/** The length in bytes of the ID3v2 tag (header and footer included) at `at`; 0 when there is none. */
export function id3TagBytes(bytes: Uint8Array, at: number): number {
  if (u8(bytes, at) !== 0x49 || u8(bytes, at + 1) !== 0x44 || u8(bytes, at + 2) !== 0x33) return 0;
  const size = [6, 7, 8, 9].map((i) => u8(bytes, at + i));
  const version = u8(bytes, at + 3);
  // A size byte has 7 bits, so that a tag never looks like an MPEG sync word.
  if (!size.every((byte) => byte < 0x80) || version < 2 || version > 4) return 0;
  const footer = u8(bytes, at + 5) & 0x10 ? 10 : 0;
  return 10 + size.reduce((sum, byte) => sum * 128 + byte, 0) + footer;
}
