import type { Made } from './made.ts';
import { be32, bytes, le16, le32, zeros } from './bytes.ts';

const box = (...corners: [number, number, number, number]): Uint8Array =>
  bytes(le32(16), ...corners.map((corner) => le32(corner < 0 ? corner + 2 ** 32 : corner)));

export const exrAttribute = (name: string, type: string, body: Uint8Array): Uint8Array => bytes(name, 0, type, 0, body);
const channels = exrAttribute('channels', 'chlist', bytes(le32(19), 'R', 0, le32(1), zeros(12), 0));
const dataWindow = exrAttribute('dataWindow', 'box2i', box(-5, -5, 44, 44));
const displayWindow = exrAttribute('displayWindow', 'box2i', box(0, 0, 29, 19));

export const exr = (...attributes: Uint8Array[]): Uint8Array<ArrayBuffer> =>
  bytes([0x76, 0x2f, 0x31, 0x01], le32(2), ...attributes, 0, zeros(40));

export const radiance = (resolution: string, pixels: Uint8Array): Uint8Array<ArrayBuffer> =>
  bytes(`#?RADIANCE\nSOFTWARE=a test\nEXPOSURE=1.0\nFORMAT=32-bit_rle_rgbe\n\n${resolution}\n`, pixels);
/** Scanlines of 30 pixels, each of four runs. */
export const runs = (scanlines: number): Uint8Array =>
  bytes(...Array.from({ length: scanlines }, () => [2, 2, 0, 30, 158, 1, 158, 1, 158, 1, 158, 128]));

function ktx(big: boolean): Uint8Array<ArrayBuffer> {
  const u32 = big ? be32 : le32;
  const numbers = [0x04030201, 0x1401, 1, 0x1908, 0x8058, 0x1908, 30, 20, 0, 0, 1, 1, 0, 2400];
  return bytes('\xabKTX 11\xbb\r\n\x1a\n', ...numbers.map((value) => u32(value)), zeros(2400));
}

export function ktx2(width: number, height: number, faces = 1): Uint8Array<ArrayBuffer> {
  const numbers = [37, 1, width, height, 0, 0, faces, 1, 0, 104, 44, 0, 0];
  return bytes('\xabKTX 20\xbb\r\n\x1a\n', ...numbers.map((value) => le32(value)), zeros(100));
}

const dds = bytes('DDS ', le32(124), le32(0x1007), le32(20), le32(30), zeros(56), le32(32), zeros(80));

export const qoi = (width: number, height: number): Uint8Array<ArrayBuffer> =>
  bytes('qoif', be32(width), be32(height), [4, 0], [0xfd, 0xfd], zeros(7), 1);

/** A header with the given kind and depth, 30 × 20. */
export function tgaHeader(kind: number, depth: number, map: Uint8Array = zeros(5)): Uint8Array<ArrayBuffer> {
  return bytes([0, kind === 1 ? 1 : 0, kind], map, le16(0), le16(0), le16(30), le16(20), [depth, 0x20]);
}
export const TGA = bytes(tgaHeader(2, 24), zeros(30 * 20 * 3));
export const TGA_FOOTER = bytes(zeros(8), 'TRUEVISION-XFILE.\0');
const mapped = bytes(le16(0), le16(2), 24);

const size = { width: 30, height: 20 };
const tga = { ext: 'tga', filename: 'a.tga', ...size };

export const TEXTURES: Made[] = [
  { name: 'EXR', file: exr(channels, dataWindow, displayWindow), ext: 'exr', ...size },
  { name: 'EXR without a display window', file: exr(channels, dataWindow), ext: 'exr', width: 50, height: 50 },
  { name: 'Radiance', file: radiance('-Y 20 +X 30', runs(20)), ext: 'hdr', ...size },
  { name: 'Radiance, by columns', file: radiance('+X 20 -Y 30', runs(20)), ext: 'hdr', width: 20, height: 30 },
  {
    name: 'Radiance of plain pixels',
    file: radiance('-Y 2 +X 3', new Uint8Array(24).fill(1)),
    ext: 'hdr',
    width: 3,
    height: 2,
  },
  {
    name: 'Radiance of 100 KB of plain pixels',
    file: radiance('-Y 500 +X 50', new Uint8Array(100_000).fill(1)),
    ext: 'hdr',
    filename: 'a.hdr',
    width: 50,
    height: 500,
  },
  { name: 'KTX, little-endian', file: ktx(false), ext: 'ktx', ...size },
  { name: 'KTX, big-endian', file: ktx(true), ext: 'ktx', ...size },
  { name: 'KTX 2', file: ktx2(30, 20), ext: 'ktx2', ...size },
  { name: 'KTX 2 of a cube', file: ktx2(30, 30, 6), ext: 'ktx2', width: 30, height: 30 },
  { name: 'DDS', file: dds, ext: 'dds', ...size },
  { name: 'QOI', file: qoi(30, 20), ext: 'qoi', ...size },
  { name: 'TGA', file: TGA, ...tga },
  { name: 'TGA with a footer', file: bytes(TGA, zeros(495), TGA_FOOTER), ...tga },
  {
    name: 'TGA of runs',
    file: bytes(tgaHeader(10, 32), ...Array.from({ length: 5 }, () => [255, 1, 2, 3, 4])),
    ...tga,
  },
  { name: 'TGA with a palette', file: bytes(tgaHeader(1, 8, mapped), zeros(6 + 600)), ...tga },
  { name: 'TGA of greys', file: bytes(tgaHeader(3, 8), zeros(600)), ...tga },
];
