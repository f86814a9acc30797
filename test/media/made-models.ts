import type { Made } from './made.ts';
import { bytes, le16, le32, utf8, zeros } from './bytes.ts';
import { SCENES } from './made-scenes.ts';

const triangle = bytes(
  zeros(8),
  le32(0x3f800000),
  zeros(12),
  le32(0x3f800000),
  zeros(12),
  le32(0x3f800000),
  zeros(6),
  le16(0),
);
export const binaryStl = (triangles: number): Uint8Array<ArrayBuffer> =>
  bytes(
    'made in a test'.padEnd(80, '\0'),
    le32(triangles),
    ...Array.from({ length: triangles }, () => triangle.subarray(0, 50)),
  );

export const OBJ = '# a triangle\nmtllib a.mtl\no t\nv 0 0 0\nv 1.5e0 -.5 0\nv 0 1 0\nvn 0 0 1\nf 1//1 2//1 3//1\n';
const GLTF = '{"scenes":[{"name":"a"}],"asset":{"extras":{"x":1},"generator":"\\"test","version":"2.0"},"scene":0}';

export function zip(name: string, content: string, method = 0): Uint8Array<ArrayBuffer> {
  const sizes = bytes(le32(content.length), le32(content.length));
  return bytes(
    'PK\x03\x04',
    le16(20),
    le16(0),
    le16(method),
    zeros(8),
    sizes,
    le16(name.length),
    le16(0),
    name,
    content,
  );
}

export const MODELS: Made[] = [
  { name: 'GLB', file: bytes('glTF', le32(2), le32(48), le32(28), 'JSON', '{"asset":{"version":"2.0"}} '), ext: 'glb' },
  { name: 'glTF', file: utf8(GLTF), ext: 'gltf' },
  {
    name: 'glTF of 200 KB',
    file: utf8(GLTF.replace('"a"', `"${'a'.repeat(200_000)}"`)),
    ext: 'gltf',
    filename: 'a.gltf',
  },
  { name: 'STL, binary', file: binaryStl(3), ext: 'stl' },
  { name: 'STL, binary, of 100 KB', file: binaryStl(2000), ext: 'stl', filename: 'a.STL' },
  { name: 'STL, ASCII', file: utf8('solid a\n facet normal 0 0 1\n  outer loop\nendsolid'), ext: 'stl' },
  { name: 'OBJ', file: utf8(OBJ), ext: 'obj', filename: 'a.obj' },
  { name: 'OBJ of 100 KB', file: utf8(OBJ + 'v 1 2 3\n'.repeat(12_500)), ext: 'obj', filename: 'a.obj' },
  { name: 'USDZ', file: zip('a.usdc', 'PXR-USDC'), ext: 'usdz' },
  { name: 'PLY, ASCII', file: utf8('ply\nformat ascii 1.0\ncomment x\nelement vertex 0\nend_header\n'), ext: 'ply' },
  {
    name: 'PLY, binary',
    file: bytes('ply\nformat binary_little_endian 1.0\nelement vertex 1\nend_header\n', zeros(12)),
    ext: 'ply',
  },
  { name: 'FBX', file: bytes('Kaydara FBX Binary  \0', [0x1a, 0], le32(7400), zeros(40)), ext: 'fbx' },
  ...SCENES,
];
