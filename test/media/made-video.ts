import type { Made } from './made.ts';
import { be16, be32, be64, bytes, le32, zeros } from './bytes.ts';
import { TRANSPORTS } from './made-transport.ts';

type Part = string | number | Uint8Array | number[];

export function box(type: string, ...parts: Part[]): Uint8Array {
  const body = bytes(...parts);
  return bytes(be32(8 + body.length), type, body);
}

export function fullBox(type: string, ...parts: Part[]): Uint8Array {
  return box(type, zeros(4), ...parts);
}

export function track(handler: string, width = 0, height = 0): Uint8Array {
  const header = fullBox('tkhd', zeros(72), be32(width * 65536), be32(height * 65536));
  return box('trak', header, box('mdia', fullBox('hdlr', zeros(4), handler, zeros(12))));
}

export function movie(...parts: Uint8Array[]): Uint8Array {
  return box('moov', fullBox('mvhd', zeros(8), be32(600), be32(1500), zeros(80)), ...parts);
}

export const ftyp = (...brands: string[]): Uint8Array => box('ftyp', brands[0]!, zeros(4), ...brands);
const VIDEO = movie(track('soun'), track('vide', 640, 360));

export function element(id: number[], ...parts: Part[]): Uint8Array {
  const body = bytes(...parts);
  return bytes(id, [0x10 | (body.length >> 24)], be32(body.length).subarray(1), body);
}

const SEGMENT = [0x18, 0x53, 0x80, 0x67];
const UNKNOWN_SIZE = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];

function float64(value: number): Uint8Array {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(value);
  return buffer;
}

export const ebml = (docType: string): Uint8Array => element([0x1a, 0x45, 0xdf, 0xa3], element([0x42, 0x82], docType));
const segmentInfo = element(
  [0x15, 0x49, 0xa9, 0x66],
  element([0x2a, 0xd7, 0xb1], be32(2_000_000)),
  element([0x44, 0x89], float64(1250)),
);
const videoTrack = element(
  [0xae],
  element([0x83], 1),
  element([0xe0], element([0xb0], be16(640)), element([0xba], be16(360))),
);
const tracks = (...entries: Uint8Array[]): Uint8Array => element([0x16, 0x54, 0xae, 0x6b], ...entries);
const audioTrack = element([0xae], element([0x83], 2));

export function oggPage(serial: number, flags: number, granule: number | bigint, packet: Uint8Array): Uint8Array {
  const position = Buffer.from(be64(granule)).toReversed();
  return bytes('OggS\0', flags, position, le32(serial), zeros(8), 1, packet.length, packet);
}

const theora = bytes(
  '\x80theora',
  [3, 2, 1],
  be16(40),
  be16(23),
  [0, 2, 0x80, 0, 1, 0x68, 0, 0],
  be32(25),
  be32(1),
  zeros(10),
  [0x00, 0xc0],
);

const size = { width: 640, height: 360 };

export const VIDEOS: Made[] = [
  { name: 'MP4', file: bytes(ftyp('isom'), VIDEO, box('mdat', zeros(50))), ext: 'mp4', ...size, durationMs: 2500 },
  {
    name: 'MP4 with its movie box behind 200 KB of data',
    file: bytes(ftyp('mp42'), box('mdat', zeros(200_000)), VIDEO),
    ext: 'mp4',
    ...size,
    durationMs: 2500,
  },
  {
    name: 'MP4 with 64-bit box sizes and fields',
    file: bytes(
      ftyp('iso5'),
      bytes(be32(1), 'mdat', be64(16 + 70), zeros(70)),
      box('moov', box('mvhd', [1, 0, 0, 0], zeros(16), be32(1000), be64(2500), zeros(80)), track('vide', 640, 360)),
    ),
    ext: 'mp4',
    ...size,
    durationMs: 2500,
  },
  {
    name: 'MP4 in fragments',
    file: bytes(
      ftyp('iso6', 'dash'),
      box(
        'moov',
        fullBox('mvhd', zeros(8), be32(1000), be32(0), zeros(80)),
        track('vide', 640, 360),
        box('mvex', fullBox('mehd', be32(2500))),
      ),
      box('moof', zeros(20)),
      box('mdat', zeros(20)),
    ),
    ext: 'mp4',
    ...size,
    durationMs: 2500,
  },
  { name: 'M4V', file: bytes(ftyp('M4V '), VIDEO), ext: 'm4v', ...size, durationMs: 2500 },
  { name: 'MOV', file: bytes(ftyp('qt  '), box('wide'), VIDEO), ext: 'mov', ...size, durationMs: 2500 },
  {
    name: 'MOV before brands',
    file: bytes(box('wide'), box('mdat', zeros(9)), VIDEO),
    ext: 'mov',
    ...size,
    durationMs: 2500,
  },
  { name: '3GP', file: bytes(ftyp('3gp4'), VIDEO), ext: '3gp', ...size, durationMs: 2500 },
  { name: '3G2', file: bytes(ftyp('3g2a'), VIDEO), ext: '3g2', ...size, durationMs: 2500 },
  { name: 'M4A', file: bytes(ftyp('M4A '), movie(track('soun'))), ext: 'm4a', durationMs: 2500 },
  { name: 'MP4 with sound alone', file: bytes(ftyp('isom'), movie(track('soun'))), ext: 'm4a', durationMs: 2500 },
  {
    name: 'WebM with clusters of unknown size',
    file: bytes(
      ebml('webm'),
      bytes(SEGMENT, UNKNOWN_SIZE),
      segmentInfo,
      bytes(CLUSTER, UNKNOWN_SIZE, element([0xa3], zeros(300))),
      tracks(audioTrack, videoTrack),
    ),
    ext: 'webm',
    ...size,
    durationMs: 2500,
  },
  {
    name: 'MKV',
    file: bytes(ebml('matroska'), element(SEGMENT, segmentInfo, tracks(videoTrack), element(CLUSTER, zeros(99)))),
    ext: 'mkv',
    ...size,
    durationMs: 2500,
  },
  {
    name: 'WebM with sound alone',
    file: bytes(ebml('webm'), element(SEGMENT, segmentInfo, tracks(audioTrack))),
    ext: 'weba',
    durationMs: 2500,
  },
  {
    name: 'AVI',
    file: bytes(
      'RIFF',
      le32(500),
      'AVI LIST',
      le32(192),
      'hdrlavih',
      le32(56),
      le32(40_000),
      zeros(12),
      le32(50),
      zeros(12),
      le32(640),
      le32(360),
      zeros(16),
    ),
    ext: 'avi',
    ...size,
    durationMs: 2000,
  },
  {
    name: 'Ogg video',
    // 40 whole frames since the key frame 10: (10 << 6) + 40.
    file: bytes(oggPage(1, 2, 0, theora), oggPage(1, 0, 640 + 40, zeros(100)), oggPage(1, 4, 2n ** 64n - 1n, zeros(9))),
    ext: 'ogv',
    width: 640,
    height: 360,
    durationMs: 2000,
  },
  {
    name: 'MPEG program stream',
    file: bytes(
      [0, 0, 1, 0xba, 0x44],
      zeros(9),
      [0, 0, 1, 0xe0],
      be16(0),
      [0, 0, 1, 0xb3, 0x28, 0x01, 0x68, 0x13],
      zeros(20),
    ),
    ext: 'mpg',
    ...size,
  },
  ...TRANSPORTS,
];
