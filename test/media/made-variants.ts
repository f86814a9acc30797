import { be16, be32, be64, bytes, le16, le24, le32, utf8, zeros } from './bytes.ts';
import type { Made } from './made.ts';
import { mp3 } from './made-audio.ts';
import { jpeg, png, pngChunk, riffChunk, webp } from './made-images.ts';
import { binaryStl } from './made-models.ts';
import { exif, exifSegment, webpOf } from './made-texts.ts';
import { box, ebml, element, ftyp, fullBox, movie, oggPage, track } from './made-video.ts';

/* Files as exporters, cameras and sites write them, beside the plain ones of the other tables. */

type Matrix = readonly [a: number, b: number, c: number, d: number];
const UPRIGHT: Matrix = [1, 0, 0, 1];
const QUARTER: Matrix = [0, 1, -1, 0];

/** A track with its matrix, its coded size, and further boxes of its sample entry. */
function videoTrack(
  [width, height]: readonly [number, number],
  coded: readonly [number, number],
  { matrix = UPRIGHT, boxes = [] }: { matrix?: Matrix; boxes?: Uint8Array[] } = {},
): Uint8Array {
  const [a, b, c, d] = matrix.map((value) => be32((value * 65536) >>> 0)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const numbers = bytes(a, b, zeros(4), c, d, zeros(12), be32(0x40000000));
  const header = fullBox('tkhd', zeros(8), be32(1), zeros(24), numbers, be32(width * 65536), be32(height * 65536));
  const entry = box('avc1', zeros(24), be16(coded[0]), be16(coded[1]), zeros(50), ...boxes);
  const table = box('stbl', fullBox('stsd', be32(1), entry));
  const media = fullBox('mdhd', zeros(8), be32(1000), be32(0), zeros(4));
  return box('trak', header, box('mdia', media, fullBox('hdlr', zeros(4), 'vide', zeros(12)), box('minf', table)));
}
const clap = (width: number, height: number) =>
  box('clap', be32(width), be32(1), be32(height), be32(1), zeros(4), be32(1), zeros(4), be32(1));
const pasp = (across: number, down: number) => box('pasp', be32(across), be32(down));

const LIVE = fullBox('mvhd', zeros(8), be32(1000), be32(0), zeros(80));
const trex = (sample: number) => box('mvex', fullBox('trex', be32(1), be32(1), be32(sample), zeros(8)));
const fragmented = (sample: number) => box('moov', LIVE, videoTrack([640, 360], [640, 360]), trex(sample));
const tfhd = (flags = 0, ...fields: Uint8Array[]) => box('tfhd', be32(flags), be32(1), ...fields);
const moof = (...boxes: Uint8Array[]) => box('moof', fullBox('mfhd', be32(1)), box('traf', ...boxes));
const run = (count: number) => box('trun', be32(0), be32(count));
const runOf = (...durations: number[]) =>
  box('trun', be32(0x301), be32(durations.length), zeros(4), ...durations.flatMap((each) => [be32(each), zeros(4)]));
const tfdt = (at: number, wide = false) => (wide ? box('tfdt', be32(0x01000000), be64(at)) : fullBox('tfdt', be32(at)));
const sidx = (...segments: number[]) =>
  fullBox(
    'sidx',
    be32(1),
    be32(1000),
    zeros(8),
    be16(0),
    be16(segments.length),
    ...segments.map((each) => bytes(be32(9), be32(each), zeros(4))),
  );

/** A picture item with its properties, in the order in which they apply. */
function heifOf(brands: readonly string[], ...properties: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = box('ipco', ...properties);
  const owned = properties.map((_property, index) => 0x80 | (index + 1));
  const ipma = fullBox('ipma', be32(1), be16(1), [properties.length, ...owned]);
  return bytes(
    ftyp(...brands),
    fullBox('meta', fullBox('pitm', be16(1)), box('iprp', all, ipma)),
    box('mdat', zeros(9)),
  );
}
const ispe = (width: number, height: number) => fullBox('ispe', be32(width), be32(height));
const irot = (quarters: number) => box('irot', [quarters]);

/** `avis`: a picture, and a track that runs for 2 s. */
const sequence = bytes(
  heifOf(['avis', 'msf1'], ispe(30, 20)).subarray(0, -17),
  box(
    'moov',
    fullBox('mvhd', zeros(8), be32(1000), be32(0xffffffff), zeros(80)),
    box(
      'trak',
      box(
        'mdia',
        fullBox('mdhd', zeros(8), be32(1000), be32(2000), zeros(4)),
        fullBox('hdlr', zeros(4), 'pict', zeros(12)),
      ),
    ),
  ),
);

function gifOf(...delays: number[]): Uint8Array<ArrayBuffer> {
  const frames = delays.map((delay) =>
    bytes([0x21, 0xf9, 4, 0], le16(delay), [0, 0], 0x2c, le16(0), le16(0), le16(30), le16(20), 0, 2, [2, 0x4c, 1, 0]),
  );
  return bytes('GIF89a', le16(30), le16(20), [0x80, 0, 0], zeros(6), ...frames, 0x3b);
}

const fcTL = (numerator: number, denominator: number) =>
  pngChunk('fcTL', bytes(zeros(4), be32(30), be32(20), zeros(8), be16(numerator), be16(denominator), zeros(2)));
const frame = (ms: number) => riffChunk('ANMF', bytes(zeros(12), le24(ms), 0, riffChunk('VP8L', zeros(9))));

/** 28 tags, of which the first tells the kind of picture: readers take that for a Nikon raw file. */
function tiffOf28(): Uint8Array<ArrayBuffer> {
  const tags = [[254, 0], [256, 30], [257, 20], [262, 2], ...Array.from({ length: 24 }, (_v, at) => [30_000 + at, 1])];
  const entries = tags.map(([tag = 0, value = 0]) => bytes(le16(tag), le16(4), le32(1), le32(value)));
  return bytes('II', le16(42), le32(8), le16(28), ...entries, le32(0), zeros(1800));
}

/** MPEG-1 layer III at 44.1 kHz: 128 and 64 kbit/s. */
const slowFrame = bytes([0xff, 0xfb, 0x50, 0x00], zeros(204));

const wavOf = (format: number, perSecond: number, ...chunks: Uint8Array[]) =>
  bytes(
    'RIFF',
    le32(1000),
    'WAVE',
    riffChunk('fmt ', bytes(le16(format), le16(1), le32(8000), le32(perSecond), le16(1), le16(4), le16(0))),
    ...chunks,
  );

const packHeader = bytes([0, 0, 1, 0xba, 0x44, 0, 4, 0, 4, 1, 0, 0, 3, 0xf8]);
const pts = (ms: number) => {
  const time = ms * 90;
  return [
    0x21 | ((time / 2 ** 29) & 0x0e),
    (time >> 22) & 0xff,
    ((time >> 14) & 0xfe) | 1,
    (time >> 7) & 0xff,
    ((time << 1) & 0xfe) | 1,
  ];
};
const pes = (ms: number, ...data: (Uint8Array | number[])[]) => {
  const body = bytes([0x80, 0x80, 5], pts(ms), ...data);
  return bytes(packHeader, [0, 0, 1, 0xe0], be16(body.length), body);
};
/** 352 × 288 at 25 frames a second, to be shown as 4:3; MPEG-2. */
const sequenceHeader = [0, 0, 1, 0xb3, 0x16, 0x01, 0x20, 0x23, 0, 0, 0, 0, 0, 0, 1, 0xb5, 0, 0, 0, 0, 0, 0];

const matroska = (...video: Uint8Array[]) =>
  bytes(
    ebml('matroska'),
    [0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    element(
      [0x16, 0x54, 0xae, 0x6b],
      element(
        [0xae],
        element([0x83], 1),
        element([0xe0], element([0xb0], be16(720)), element([0xba], be16(576)), ...video),
      ),
    ),
  );
const roll = Buffer.alloc(4);
roll.writeFloatBE(-90);

const opusHead = bytes('OpusHead', [1, 2], le16(0), le32(48_000), zeros(3));
const speech = (granule: number) => oggPage(1, 0, granule, zeros(20));
const video = { ext: 'mp4', width: 640, height: 360 };
const big = zeros(200_000);

export const VARIANTS: Made[] = [
  { name: 'STL of 3 MB that nothing names', file: binaryStl(60_000), ext: 'stl' },
  {
    name: 'MP4 of sound alone, which says so at its end',
    file: bytes(ftyp('isom'), box('mdat', big), movie(track('soun'))),
    ext: 'mp4',
    finalExt: 'm4a',
    durationMs: 2500,
  },
  {
    name: '3GP of sound alone',
    file: bytes(ftyp('3gp4'), movie(track('soun')), box('mdat', big)),
    ext: '3ga',
    durationMs: 2500,
  },
  {
    name: '3GP of sound alone, which says so at its end',
    file: bytes(ftyp('3gp5'), box('mdat', big), movie(track('soun'))),
    ext: '3gp',
    finalExt: '3ga',
    durationMs: 2500,
  },
  {
    name: 'MP4 in fragments with times',
    file: bytes(
      ftyp('iso6'),
      fragmented(0),
      moof(tfhd(), tfdt(0), runOf(500, 500)),
      moof(tfhd(), tfdt(1000), runOf(500, 600)),
    ),
    ...video,
    durationMs: 2100,
  },
  {
    name: 'MP4 in fragments that begin late',
    file: bytes(
      ftyp('iso6'),
      fragmented(40),
      moof(tfhd(), tfdt(90_000, true), run(25)),
      moof(tfhd(), tfdt(91_000, true), run(25)),
    ),
    ...video,
    durationMs: 2000,
  },
  {
    name: 'MP4 in fragments without times',
    file: bytes(ftyp('iso6'), fragmented(40), moof(tfhd(), run(25)), moof(tfhd(8, be32(20)), run(25))),
    ...video,
    durationMs: 1500,
  },
  {
    name: 'MP4 with an index of its segments',
    file: bytes(ftyp('dash'), fragmented(0), sidx(1000, 1500)),
    ...video,
    durationMs: 2500,
  },
  {
    name: 'MP4 whose movie box is cut',
    file: bytes(ftyp('isom'), movie(track('vide', 640, 360), track('soun'))).subarray(0, -12),
    ...video,
    durationMs: 2500,
  },
  {
    name: 'MP4 that is turned',
    file: bytes(ftyp('isom'), movie(videoTrack([640, 360], [640, 360], { matrix: QUARTER }))),
    ext: 'mp4',
    width: 360,
    height: 640,
    stored: { width: 640, height: 360 },
    durationMs: 2500,
  },
  {
    name: 'MP4 that is cropped',
    file: bytes(ftyp('isom'), movie(videoTrack([640, 368], [640, 368], { boxes: [clap(640, 360)] }))),
    ext: 'mp4',
    width: 640,
    height: 360,
    stored: { width: 640, height: 368 },
    durationMs: 2500,
  },
  {
    name: 'MP4 of oblong pixels',
    file: bytes(ftyp('isom'), movie(videoTrack([720, 576], [720, 576], { boxes: [pasp(16, 11)] }))),
    ext: 'mp4',
    width: 1047,
    height: 576,
    stored: { width: 720, height: 576 },
    durationMs: 2500,
  },
  {
    name: 'MOV whose movie begins with user data',
    file: bytes(box('mdat', zeros(9)), box('moov', box('udta', zeros(4)), movie(track('vide', 640, 360)).subarray(8))),
    ext: 'mov',
    width: 640,
    height: 360,
    durationMs: 2500,
  },
  {
    name: 'MOV of large data first, by its name',
    file: bytes(box('mdat', big), movie(track('vide', 640, 360))),
    ext: 'mov',
    filename: 'a.mov',
    width: 640,
    height: 360,
    durationMs: 2500,
  },
  {
    name: 'AVIF under a brand of a profile',
    file: heifOf(['MA1B', 'avif', 'mif1'], ispe(30, 20)),
    ext: 'avif',
    width: 30,
    height: 20,
  },
  {
    name: 'HEIC under the brand of the file format',
    file: heifOf(['isom', 'mif1', 'heic'], ispe(30, 20)),
    ext: 'heic',
    width: 30,
    height: 20,
  },
  { name: 'HEIF of a JPEG', file: heifOf(['jpeg', 'mif1'], ispe(30, 20)), ext: 'heif', width: 30, height: 20 },
  {
    name: 'HEIC that is cropped, then turned',
    file: heifOf(['heic', 'mif1'], ispe(64, 48), clap(60, 40), irot(1)),
    ext: 'heic',
    width: 40,
    height: 60,
    stored: { width: 64, height: 48 },
  },
  {
    name: 'AVIF that is upside down',
    file: heifOf(['avif', 'mif1'], ispe(30, 20), irot(2)),
    ext: 'avif',
    width: 30,
    height: 20,
  },
  { name: 'AVIF, animated', file: sequence, ext: 'avif', width: 30, height: 20, durationMs: 2000 },
  { name: 'GIF, animated', file: gifOf(5, 10, 20), ext: 'gif', width: 30, height: 20, durationMs: 350 },
  { name: 'GIF, animated without delays', file: gifOf(0, 1), ext: 'gif', width: 30, height: 20, durationMs: 200 },
  {
    name: 'APNG, animated',
    file: png(30, 20, pngChunk('acTL', zeros(8)), fcTL(1, 10), fcTL(25, 0)),
    ext: 'apng',
    width: 30,
    height: 20,
    durationMs: 350,
  },
  {
    name: 'WebP, animated',
    file: webp('VP8X', bytes(0x02, zeros(3), le24(29), le24(19)), frame(80), frame(120)),
    ext: 'webp',
    width: 30,
    height: 20,
    durationMs: 200,
  },
  {
    name: 'JPEG on its side',
    file: jpeg(30, 20, exifSegment(exif({ Orientation: 6 }))),
    ext: 'jpg',
    width: 20,
    height: 30,
    stored: { width: 30, height: 20 },
  },
  {
    name: 'JPEG that is mirrored',
    file: jpeg(30, 20, exifSegment(exif({ Orientation: 2 }))),
    ext: 'jpg',
    width: 30,
    height: 20,
  },
  {
    name: 'PNG on its side',
    file: png(30, 20, pngChunk('eXIf', exif({ Orientation: 8 }))),
    ext: 'png',
    width: 20,
    height: 30,
    stored: { width: 30, height: 20 },
  },
  {
    name: 'WebP on its side',
    file: webpOf(0x08, riffChunk('EXIF', exif({ Orientation: 5 }))),
    ext: 'webp',
    width: 20,
    height: 30,
    stored: { width: 30, height: 20 },
  },
  {
    name: 'JPEG with bytes between its segments',
    file: jpeg(30, 20, bytes([0, 1, 0xff, 0, 7]), exifSegment(exif({ Orientation: 1 })), bytes('stray')),
    ext: 'jpg',
    width: 30,
    height: 20,
  },
  { name: 'TIFF of 28 tags', file: tiffOf28(), ext: 'tif', width: 30, height: 20 },
  {
    name: 'MP3 of changing bit rate without a count',
    file: bytes(mp3(20), ...Array.from({ length: 20 }, () => slowFrame)),
    ext: 'mp3',
    durationMs: 1045,
  },
  { name: 'MP3 with a tag behind it', file: bytes(mp3(20), 'TAG', zeros(125)), ext: 'mp3', durationMs: 522 },
  {
    name: 'WAV of ADPCM',
    file: wavOf(0x11, 4055, riffChunk('fact', le32(16_000)), riffChunk('data', zeros(9000))),
    ext: 'wav',
    durationMs: 2000,
  },
  {
    name: 'WAV of MP3',
    file: wavOf(0x55, 1000, riffChunk('fact', le32(24_000)), riffChunk('data', zeros(9000))),
    ext: 'wav',
    durationMs: 3000,
  },
  { name: 'WAV of A-law', file: wavOf(6, 8000, riffChunk('data', zeros(4000))), ext: 'wav', durationMs: 500 },
  {
    name: 'MPEG program stream with times',
    file: bytes(pes(500, sequenceHeader), pes(1500, zeros(20)), pes(2460, zeros(20))),
    ext: 'mpg',
    width: 384,
    height: 288,
    stored: { width: 352, height: 288 },
    durationMs: 2000,
  },
  {
    name: 'Matroska of oblong pixels',
    file: matroska(element([0x54, 0xb0], be16(1024)), element([0x54, 0xba], be16(576))),
    ext: 'mkv',
    width: 1024,
    height: 576,
    stored: { width: 720, height: 576 },
  },
  {
    name: 'Matroska that is turned',
    file: matroska(element([0x76, 0x70], element([0x76, 0x75], roll))),
    ext: 'mkv',
    width: 576,
    height: 720,
    stored: { width: 720, height: 576 },
  },
  {
    name: 'Ogg with a gap',
    file: bytes(
      oggPage(1, 2, 0, opusHead),
      speech(24_000),
      utf8('OgOggO, noise of 40 bytes between pages.'),
      speech(48_000),
    ),
    ext: 'opus',
    durationMs: 1000,
  },
  {
    name: 'Ogg out of the middle of a broadcast',
    file: bytes(oggPage(1, 2, 0, opusHead), speech(48_000_000), speech(48_096_000)),
    ext: 'opus',
    durationMs: 2000,
  },
  {
    name: 'OBJ as Blender writes it',
    file: utf8(
      '# Blender 4.5.0\n# www.blender.org\nmtllib a.mtl\no Cube\nv 1.000000 1.000000 -1.000000\nvn -0.0000 1.0000 -0.0000\nvt 0.625000 0.500000\ns 0\nusemtl Material\nf 1/1/1 1/1/1 1/1/1\n',
    ),
    ext: 'obj',
    filename: 'cube.obj',
  },
  {
    name: 'OBJ with colours and a mark at its start',
    file: utf8('\ufeff# MeshLab\r\n\r\nv 0.1 0.2 0.3 0.5 0.5 0.5\r\nv 1 2 3 1 1 1 \r\nf 1 2 1\r\n'),
    ext: 'obj',
    filename: 'a.obj',
  },
  {
    name: 'PLY with spaces and line ends of old systems',
    file: utf8('ply \rcomment made by hand\robj_info x\rformat ascii 1.0\relement vertex 0\rend_header\r'),
    ext: 'ply',
  },
  {
    name: 'OBJ with broken numbers, comments behind statements and words of older versions',
    file: utf8('# Rhino\ncsh -echo a\nv 1.0E+02 -1.#IND 0 # corner\nv nan inf 1\nv 1 2 3\nbzp 1\nf 1 2 \\\n3\n'),
    ext: 'obj',
    filename: 'a.obj',
  },
  {
    name: 'OBJ with names in Latin-1',
    file: bytes('o W\xfcrfel\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n'),
    ext: 'obj',
    filename: 'a.obj',
  },
  {
    name: 'PLY with a long comment',
    file: utf8(`ply\ncomment ${'TextureFile a.png '.repeat(900)}\nformat ascii 1.0\nelement vertex 0\nend_header\n`),
    ext: 'ply',
  },
];
