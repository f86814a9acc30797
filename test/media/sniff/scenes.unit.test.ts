import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';

import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { bytes, le32, utf8, zeros } from '../bytes.ts';
import { extensionOf, inspectFile } from '../judge.ts';
import { png } from '../made-images.ts';
import { ASCII_FBX, BLEND, DAE, PACKAGE, spz4, spzHeader, USDA, usdc, zipOf } from '../made-scenes.ts';

const HTML = '<!DOCTYPE html><html><body><script>alert(1)</script></body></html>';
const NOTHING = { width: null, height: null, durationMs: null, generation: null };
const type = (ext: string) => mediaTypeByExtension(ext)!;
const gzip = (file: Uint8Array): Uint8Array => new Uint8Array(gzipSync(file));
const zstd = (file: Uint8Array): Uint8Array => new Uint8Array(zstdCompressSync(file));

describe('a signature of a scene followed by anything else is not media', () => {
  test.each([
    ['fbx', utf8(`; FBX 7.7.0 project file\n${HTML}`)],
    ['fbx with its header', utf8(`; FBX 7.7.0 project file\nFBXHeaderExtension:  {\n${HTML}`)],
    ['fbx in another comment', utf8(ASCII_FBX.replace('project file', 'project'))],
    ['fbx behind text', utf8(`a\n${ASCII_FBX}`)],
    ['usda', utf8(`#usda 1.0\n${HTML}`)],
    ['usda with metadata', utf8(`#usda 1.0\n(\n)\n${HTML}`)],
    ['usda with a prim in a comment', utf8(`#usda 1.0\n# def Xform "a" {}\n${HTML}`)],
    ['usda with a word that begins as a prim', utf8('#usda 1.0\ndefault "a"')],
    ['usda with endless metadata', utf8('#usda 1.0\n( doc = "a)"\ndef Xform "a" {}')],
    ['usda with an endless text', utf8('#usda 1.0\n( doc = """a" ) def Xform "a" {}')],
    ['usda without a version', utf8(USDA.replace(' 1.0', ''))],
    ['usdc', bytes('PXR-USDC', HTML.repeat(2), 0)],
    ['usdc with its table in its header', usdc([0, 8, 0], 80)],
    ['usdc of a strange version', usdc([0, 8, 0, 1], 88)],
    ['dae', utf8(DAE.replace('<COLLADA', '<COLLADAS'))],
    ['dae without a version', utf8(DAE.replace('version="1.4.1"', ''))],
    ['dae that says it is HTML', utf8(DAE.replace('<COLLADA', '<!DOCTYPE html><COLLADA'))],
    ['blend', bytes('BLENDER-v402', HTML, 0)],
    ['blend with a block', bytes('BLENDER-v402REND', HTML, 0)],
    ['blend of a later kind', bytes('BLENDER17-01v0501<htm', HTML, 0)],
    ['spz', bytes('NGSP', HTML, 0)],
    ['spz whose reserved bytes are used', bytes(spz4.subarray(0, 31), 1, zeros(96))],
    ['spz without streams', bytes(spzHeader(4, 0), le32(32), zeros(100))],
    ['spz of degree 9', bytes(spzHeader(4, 6, 9), spz4.subarray(16))],
    ['spz of version 3 without compression', bytes(spzHeader(3, 0), zeros(100))],
    ['spz of version 4 in gzip', gzip(bytes(spzHeader(4, 0), zeros(100)))],
    ['spz of version 3 whose reserved byte is used', gzip(bytes(spzHeader(3, 1), zeros(100)))],
    ['spz of something else', gzip(bytes(HTML))],
    ['spz of a header of text', gzip(bytes('NGSP', HTML))],
    ['spz in damaged compression', bytes(gzip(spzHeader(3, 0)).subarray(0, 12), HTML)],
  ])('%s', async (name, file) => {
    expect(await extensionOf(file, `a.${name.split(' ')[0]!}`)).toMatch(/^unknown/);
  });
});

test('a text that calls itself a scene must be text to its end', () => {
  for (const [ext, text] of [
    ['fbx', ASCII_FBX],
    ['usda', USDA],
  ] as const) {
    expect(inspectFile(utf8(text), type(ext))).toEqual(NOTHING);
    expect(inspectFile(bytes(text.repeat(1000), 0, text), type(ext))).toContain('binary');
  }
  expect(inspectFile(bytes('Kaydara FBX Binary  \0', zeros(99)), type('fbx'))).toEqual(NOTHING);
});

describe('3MF', () => {
  const content = 'x'.repeat(100_000);

  test('is a ZIP with the parts of a package and a model, in any order and case', async () => {
    expect(await extensionOf(zipOf({ '3D/3dmodel.model': '', '[Content_Types].xml': '' }))).toBe('3mf');
    expect(await extensionOf(zipOf({ '3D/3DModel.model': '', '[content_types].xml': '' }))).toBe('3mf');
    expect(await extensionOf(zipOf({ ...PACKAGE, 'word/document.xml': '' }))).toBe('unknown application/zip');
    expect(await extensionOf(zipOf({ '3D/3dmodel.model': '' }))).toBe('unknown application/zip');
  });

  test('needs its name when its model stands far behind, and must have one', async () => {
    const far = zipOf({ ...PACKAGE, 'Metadata/a.png': content, '3D/3dmodel.model': '' });
    expect(await extensionOf(far)).toBe('unknown application/zip');
    expect(await extensionOf(far, undefined, 'model/3mf')).toBe('3mf');
    const none = zipOf({ ...PACKAGE, 'word/document.xml': content });
    expect(inspectFile(none, type('3mf'), 7)).toContain('no 3D model');
    expect(await extensionOf(zipOf({ 'a.html': HTML, ...PACKAGE }), 'a.3mf')).toBe('unknown application/zip');
  });
});

describe('compressed scenes', () => {
  test('a Blender file needs its name, and must be one inside', async () => {
    expect(await extensionOf(gzip(BLEND))).toBe('unknown application/gzip');
    expect(await extensionOf(zstd(BLEND))).toMatch(/^unknown/);
    for (const pack of [gzip, zstd]) {
      expect(await extensionOf(pack(bytes(HTML)), 'a.blend')).toMatch(/^unknown/);
      expect(await extensionOf(pack(png(1, 1)), 'a.blend')).toMatch(/^unknown/);
      expect(await extensionOf(pack(BLEND).subarray(0, 12), 'a.blend')).toMatch(/^unknown/);
    }
  });

  test('a first block beyond the first bytes is waited for', async () => {
    // A generator that is known to give no runs, so that a block stays as long as it is.
    let state = 1;
    const noise = Uint8Array.from({ length: 200_000 }, () => (state = (state * 48_271) % 2_147_483_647) & 255);
    expect(await extensionOf(zstd(bytes(BLEND, noise)), 'a.blend')).toBe('blend');
  });

  test('only the first bytes are unpacked', async () => {
    const rest = zeros(5_000_000);
    expect(await extensionOf(gzip(bytes(spzHeader(3, 0), rest)))).toBe('spz');
    expect(await extensionOf(gzip(bytes(BLEND, rest)), 'a.blend')).toBe('blend');
    expect(await extensionOf(zstd(bytes(BLEND, rest)), 'a.blend')).toBe('blend');
  });

  test('a bomb is not unpacked', async () => {
    const zeroes = gzip(zeros(50_000_000));
    // A Zstandard frame of blocks that each repeat one byte 131,072 times.
    const frame = bytes([0x28, 0xb5, 0x2f, 0xfd, 0, 0x70], ...Array.from({ length: 9000 }, () => [2, 0, 16, 0]));
    const before = process.memoryUsage().arrayBuffers;
    expect(await extensionOf(zeroes, 'a.spz')).toBe('unknown application/gzip');
    expect(await extensionOf(zeroes, 'a.blend')).toBe('unknown application/gzip');
    expect(await extensionOf(frame, 'a.blend')).toMatch(/^unknown/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });
});
