import type { Made } from './made.ts';
import { be16, be32, bytes, le16, le24, le32, utf8, zeros } from './bytes.ts';
import { TEXTURES } from './made-textures.ts';
import { box, fullBox } from './made-video.ts';

export function pngChunk(type: string, data: Uint8Array): Uint8Array {
  return bytes(be32(data.length), type, data, zeros(4));
}

export function png(width: number, height: number, ...chunks: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const header = pngChunk('IHDR', bytes(be32(width), be32(height), [8, 6, 0, 0, 0]));
  const end = [pngChunk('IDAT', zeros(12)), pngChunk('IEND', zeros(0))];
  return bytes('\x89PNG\r\n\x1a\n', header, ...chunks, ...end);
}

const JFIF = bytes([0xff, 0xe0], be16(16), 'JFIF\0', [1, 1, 0], be16(1), be16(1), [0, 0]);

export function jpeg(width: number, height: number, ...segments: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const frame = bytes([0xff, 0xc0], be16(17), 8, be16(height), be16(width), 3, [1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
  return bytes([0xff, 0xd8], JFIF, ...segments, frame, [0xff, 0xda], be16(2), zeros(20), [0xff, 0xd9]);
}

export function gif(width: number, height: number): Uint8Array<ArrayBuffer> {
  const control = [0x21, 0xf9, 4, 0, 0, 0, 0, 0];
  const image = bytes(0x2c, le16(0), le16(0), le16(width), le16(height), 0, 2, [2, 0x4c, 1, 0], 0x3b);
  return bytes('GIF89a', le16(width), le16(height), [0x80, 0, 0], zeros(6), control, image);
}

export function riffChunk(fourcc: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes(fourcc, le32(body.length), body, zeros(body.length & 1));
}

export function webp(fourcc: string, body: Uint8Array, ...chunks: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = bytes('WEBP', riffChunk(fourcc, body), ...chunks);
  return bytes('RIFF', le32(content.length), content);
}

function heif(major: string, ...brands: string[]): Uint8Array<ArrayBuffer> {
  const size = (width: number, height: number): Uint8Array => fullBox('ispe', be32(width), be32(height));
  const properties = box('ipco', size(9000, 9000), box('colr', 'nclx'), size(640, 480));
  const associations = fullBox('ipma', be32(2), be16(1), [1, 1], be16(2), [2, 2, 0x83]);
  const meta = fullBox('meta', fullBox('pitm', be16(2)), box('iprp', properties, associations));
  return bytes(box('ftyp', major, zeros(4), ...brands), meta, box('mdat', zeros(100)));
}

function tiff(big: boolean): Uint8Array<ArrayBuffer> {
  const [u16, u32] = big ? [be16, be32] : [le16, le32];
  const entry = (tag: number, value: number): Uint8Array => bytes(u16(tag), u16(4), u32(1), u32(value));
  // The directory lies behind the pixels.
  return bytes(big ? 'MM' : 'II', u16(42), u32(208), zeros(200), u16(2), entry(256, 30), entry(257, 20), u32(0));
}

const info = (width: number, height: number): Uint8Array =>
  bytes(le32(40), le32(width), le32(height), le16(1), le16(24));
const iconEntry = (side: number, at: number): Uint8Array =>
  bytes([side, side, 0, 0], le16(1), le16(32), le32(40), le32(at));

export const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect/></svg>';

export const IMAGES: Made[] = [
  { name: 'PNG', file: png(30, 20), ext: 'png', width: 30, height: 20 },
  { name: 'APNG', file: png(30, 20, pngChunk('acTL', zeros(8))), ext: 'apng', width: 30, height: 20 },
  { name: 'JPEG', file: jpeg(30, 20), ext: 'jpg', width: 30, height: 20 },
  {
    name: 'JPEG with 200 KB before its frame header',
    file: jpeg(30, 20, ...Array.from({ length: 4 }, () => bytes([0xff, 0xeb], be16(50_002), zeros(50_000)))),
    ext: 'jpg',
    width: 30,
    height: 20,
  },
  { name: 'GIF', file: gif(30, 20), ext: 'gif', width: 30, height: 20 },
  {
    name: 'WebP, lossy',
    file: webp('VP8 ', bytes(zeros(3), '\x9d\x01\x2a', le16(30 | 0x4000), le16(20), zeros(8))),
    ext: 'webp',
    width: 30,
    height: 20,
  },
  {
    name: 'WebP, lossless',
    file: webp('VP8L', bytes(0x2f, le32(29 | (19 << 14)), zeros(8))),
    ext: 'webp',
    width: 30,
    height: 20,
  },
  {
    name: 'WebP, extended',
    file: webp('VP8X', bytes(zeros(4), le24(29), le24(19))),
    ext: 'webp',
    width: 30,
    height: 20,
  },
  { name: 'AVIF', file: heif('avif', 'mif1'), ext: 'avif', width: 640, height: 480 },
  { name: 'AVIF under the general brand', file: heif('mif1', 'avif'), ext: 'avif', width: 640, height: 480 },
  { name: 'HEIC', file: heif('heic', 'mif1'), ext: 'heic', width: 640, height: 480 },
  { name: 'HEIF', file: heif('mif1', 'mif1'), ext: 'heif', width: 640, height: 480 },
  // Small form, ratio 0: height (4+1)*8, width (2+1)*8, bit by bit from the lowest.
  { name: 'JXL, raw', file: bytes([0xff, 0x0a, 0b00001001, 0b00000100, 0, 0]), ext: 'jxl', width: 24, height: 40 },
  {
    name: 'JXL in boxes',
    file: bytes(
      '\0\0\0\x0cJXL \r\n\x87\n',
      box('ftyp', 'jxl ', zeros(4)),
      box('jxlc', [0xff, 0x0a, 9, 4, 0, 0], zeros(16)),
    ),
    ext: 'jxl',
    width: 24,
    height: 40,
  },
  { name: 'TIFF, little-endian', file: tiff(false), ext: 'tif', width: 30, height: 20 },
  { name: 'TIFF, big-endian', file: tiff(true), ext: 'tif', width: 30, height: 20 },
  {
    name: 'BMP',
    file: bytes('BM', le32(100), zeros(4), le32(54), info(30, 20), zeros(40)),
    ext: 'bmp',
    width: 30,
    height: 20,
  },
  {
    name: 'BMP from the top',
    file: bytes('BM', le32(100), zeros(4), le32(54), info(30, 2 ** 32 - 20), zeros(40)),
    ext: 'bmp',
    width: 30,
    height: 20,
  },
  {
    name: 'ICO, its largest',
    file: bytes(le16(0), le16(1), le16(3), iconEntry(16, 54), iconEntry(0, 94), iconEntry(32, 134), zeros(120)),
    ext: 'ico',
    width: 256,
    height: 256,
  },
  {
    name: 'JPEG 2000',
    file: bytes(
      '\0\0\0\x0cjP  \r\n\x87\n',
      box('ftyp', 'jp2 ', zeros(4), 'jp2 '),
      box('jp2h', box('ihdr', be32(20), be32(30), zeros(6))),
    ),
    ext: 'jp2',
    width: 30,
    height: 20,
  },
  {
    name: 'PSD',
    file: bytes('8BPS', be16(1), zeros(6), be16(3), be32(20), be32(30), be16(8), be16(3), zeros(12)),
    ext: 'psd',
    width: 30,
    height: 20,
  },
  { name: 'SVG', file: utf8(SVG), ext: 'svg', width: 30, height: 20 },
  ...TEXTURES,
];
