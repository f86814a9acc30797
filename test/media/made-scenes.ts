import { gzipSync, zstdCompressSync } from 'node:zlib';

import type { Made } from './made.ts';
import { bytes, le16, le32, utf8, zeros } from './bytes.ts';

export const ASCII_FBX =
  '; FBX 7.7.0 project file\n; ------\n\nFBXHeaderExtension:  {\n\tFBXHeaderVersion: 1004\n\tFBXVersion: 7700\n}\n';

export const USDA = `#usda 1.0
(
    doc = """(a "test" with ) in it"""
    customLayerData = { string[] a = ["#", ")"] }
    subLayers = [@./a(1).usda@] # )
)

def Xform "a" {}
`;

export const usdc = (version: number[], table: number): Uint8Array<ArrayBuffer> =>
  bytes('PXR-USDC', version, zeros(8 - version.length), le32(table), zeros(4 + 64), zeros(20));

export const DAE =
  '<?xml version="1.0"?>\n<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1"><asset/></COLLADA>';

/** A ZIP of stored entries; `streamed`: their lengths stand behind them. */
export function zipOf(entries: Record<string, string>, streamed = false): Uint8Array<ArrayBuffer> {
  const parts = Object.entries(entries).map(([name, content]) => {
    const length = le32(streamed ? 0 : content.length);
    const head = bytes('PK\x03\x04', le16(20), le16(streamed ? 8 : 0), zeros(10), length, length, le16(name.length));
    return bytes(head, le16(0), name, content, streamed ? bytes('PK\x07\x08', zeros(12)) : '');
  });
  const directory = Object.keys(entries).map((name) =>
    bytes('PK\x01\x02', zeros(24), le16(name.length), zeros(16), name),
  );
  return bytes(...parts, ...directory, 'PK\x05\x06', zeros(18));
}
export const PACKAGE = { '[Content_Types].xml': '<Types/>', '_rels/.rels': '<Relationships/>' };

/** 16 bytes of header as SPZ has since its first version; later ones have more. */
export const spzHeader = (version: number, last: number, degree = 3): Uint8Array =>
  bytes('NGSP', le32(version), le32(1000), [degree, 12, 1, last]);
export const spz4 = bytes(spzHeader(4, 6), le32(32), zeros(12), zeros(96));

function floats(...values: number[]): Uint8Array {
  return new Uint8Array(new Float32Array(values).buffer);
}
export const splat = bytes(floats(1.5, -2, 0.25, 0.01, 0.02, 0.03), [200, 100, 50, 255], [255, 128, 128, 128]);
export const splats = (count: number): Uint8Array<ArrayBuffer> => bytes(...Array.from({ length: count }, () => splat));

/** One section of compressed splats with their colours' first harmonics, in one whole and one other bucket. */
export function ksplat(count: number): Uint8Array<ArrayBuffer> {
  const header = bytes([0, 1, 0, 0], le32(1), le32(1), le32(count), le32(count), le16(1), zeros(2), floats(1, 2, 3));
  const section = bytes(
    ...[count, count, 256, 2].map((value) => le32(value)),
    floats(5),
    le16(12),
    zeros(2),
    ...[32_767, 0, 1, 1].map((value) => le32(value)),
    le16(1),
  );
  const data = zeros(1 * 4 + 2 * 12 + count * (24 + 9 * 2));
  return bytes(header, zeros(4096 - header.length), section, zeros(1024 - section.length), data);
}

export const BLEND = bytes('BLENDER-v402REND', le32(72), zeros(100));

export const SCENES: Made[] = [
  { name: 'FBX, ASCII', file: utf8(ASCII_FBX), ext: 'fbx' },
  { name: 'COLLADA', file: utf8(DAE), ext: 'dae' },
  { name: 'USD, ASCII', file: utf8(USDA), ext: 'usda' },
  { name: 'USD, ASCII, with nothing in it', file: utf8('#usda 1.0\r\n# empty'), ext: 'usda' },
  { name: 'USD, ASCII, with 200 KB of metadata', file: utf8(USDA.replace('test', 'x'.repeat(200_000))), ext: 'usda' },
  { name: 'USD, binary', file: usdc([0, 8, 0], 88), ext: 'usdc' },
  { name: '3MF', file: zipOf({ ...PACKAGE, '3D/3dmodel.model': '<model/>' }), ext: '3mf' },
  { name: '3MF from a stream', file: zipOf({ ...PACKAGE, '3D/3dmodel.model': '<model/>' }, true), ext: '3mf' },
  {
    name: '3MF with 100 KB before its model',
    file: zipOf({ ...PACKAGE, 'Metadata/a.png': 'x'.repeat(100_000), '3D/3dmodel.model': '<model/>' }),
    ext: '3mf',
    filename: 'a.3mf',
  },
  { name: 'SPZ', file: spz4, ext: 'spz' },
  { name: 'SPZ of version 3', file: new Uint8Array(gzipSync(bytes(spzHeader(3, 0), zeros(5000)))), ext: 'spz' },
  { name: 'Splats', file: splats(5), ext: 'splat', filename: 'a.splat' },
  { name: 'Splats of 100 KB', file: splats(4000), ext: 'splat', filename: 'a.splat' },
  { name: 'KSPLAT', file: ksplat(300), ext: 'ksplat', filename: 'a.ksplat' },
  { name: 'Blender', file: BLEND, ext: 'blend' },
  { name: 'Blender, big-endian', file: bytes('BLENDER_V249REND', [0, 0, 0, 72], zeros(100)), ext: 'blend' },
  { name: 'Blender 5', file: bytes('BLENDER17-01v0501REND', zeros(100)), ext: 'blend' },
  { name: 'Blender in gzip', file: new Uint8Array(gzipSync(BLEND)), ext: 'blend', filename: 'a.blend' },
  { name: 'Blender in Zstandard', file: new Uint8Array(zstdCompressSync(BLEND)), ext: 'blend', filename: 'a.blend' },
];
