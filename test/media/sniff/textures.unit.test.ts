import { describe, expect, test } from 'vitest';

import { be32, bytes, le16, le32, utf8, zeros } from '../bytes.ts';
import { extensionOf, inspectFile } from '../judge.ts';
import { png } from '../made-images.ts';
import { exr, exrAttribute, ktx2, qoi, radiance, runs, TGA, TGA_FOOTER, tgaHeader } from '../made-textures.ts';
import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { sniff } from '../../../src/media/sniff/sniff.ts';

const HTML = '<!DOCTYPE html><html><body><script>alert(1)</script></body></html>';
const NOTHING = { width: null, height: null, durationMs: null, generation: null };
const VERSION = exrAttribute('version', 'int', bytes(le32(4), le32(1)));
const type = (ext: string) => mediaTypeByExtension(ext)!;

describe('a signature of a texture followed by anything else is not media', () => {
  test.each([
    ['exr', bytes([0x76, 0x2f, 0x31, 0x01], HTML, 0)],
    ['exr', bytes([0x76, 0x2f, 0x31, 0x01], le32(2), HTML, 0)],
    ['exr of an unknown kind', bytes([0x76, 0x2f, 0x31, 0x01], le32(0x10002), VERSION, 0)],
    ['exr without an attribute', exr()],
    ['exr with an endless attribute', bytes(exr().subarray(0, 8), 'a', 0, 'b', 0, le32(2 ** 31), zeros(9))],
    ['hdr', utf8(`#?RADIANCE\n${HTML}`)],
    ['hdr with its whole header', radiance('-Y 20 +X 30', utf8(HTML))],
    ['hdr with its whole header, of binary data', radiance('-Y 20 +X 30', bytes(HTML, 0))],
    ['hdr that is long and text', radiance('-Y 500 +X 500', utf8(HTML.repeat(2000)))],
    ['hdr whose scanlines are of another length', radiance('-Y 20 +X 31', runs(20))],
    ['hdr without a format', bytes('#?RADIANCE\n\n-Y 20 +X 30\n', runs(20))],
    ['hdr of one axis', radiance('-Y 20 +Y 30', runs(20))],
    ['hdr of no pixels', radiance('-Y 0 +X 30', runs(20))],
    ['ktx', bytes('\xabKTX 11\xbb\r\n\x1a\n', HTML.repeat(3), 0)],
    ['ktx2', bytes('\xabKTX 20\xbb\r\n\x1a\n', HTML.repeat(3), 0)],
    ['ktx2 of five faces', ktx2(1, 1, 5)],
    ['ktx2 of no width', ktx2(0, 1)],
    ['ktx2 whose description stands in its header', bytes(ktx2(1, 1).subarray(0, 48), le32(79), zeros(99))],
    ['dds', bytes('DDS ', HTML.repeat(3), 0)],
    ['dds with a wrong second structure', bytes('DDS ', le32(124), zeros(120))],
    ['qoi', bytes('qoif', HTML, 0)],
    ['qoi of too many pixels', qoi(2 ** 20, 2 ** 20)],
    ['qoi of no pixels', qoi(0, 5)],
    ['qoi in an unknown colour space', bytes('qoif', be32(1), be32(1), [4, 2], zeros(9))],
    ['qoi of two channels', bytes('qoif', be32(1), be32(1), [2, 0], zeros(9))],
  ])('%s', async (name, file) => {
    expect(await extensionOf(file, `a.${name.split(' ')[0]!}`)).toMatch(/^unknown/);
  });
});

test('an OpenEXR picture may begin with any attribute', async () => {
  expect(await extensionOf(exr(VERSION))).toBe('exr');
});

describe('TGA, which has no signature', () => {
  test('needs its name or its type', async () => {
    expect(await extensionOf(TGA)).toBe('unknown');
    expect(await extensionOf(TGA, 'a.png')).toBe('unknown');
    expect(await extensionOf(TGA, 'a.bin', 'image/x-tga')).toBe('tga');
    expect(await extensionOf(TGA, 'a.VDA')).toBe('tga');
  });

  test.each([
    ['a kind that there is not', tgaHeader(4, 24)],
    ['a kind beyond those of runs', tgaHeader(17, 8)],
    ['no pixels', tgaHeader(0, 24)],
    ['a depth that no decoder knows', tgaHeader(2, 12)],
    ['a palette that nothing needs', tgaHeader(2, 24, bytes(le16(0), le16(9), 24))],
    ['a palette of odd depth', tgaHeader(1, 8, bytes(le16(0), le16(9), 12))],
    ['no palette where one is needed', tgaHeader(1, 8)],
    ['interleaved rows', bytes(tgaHeader(2, 24).subarray(0, 17), 0xc0)],
    ['too many bits of alpha', bytes(tgaHeader(2, 32).subarray(0, 17), 9)],
    ['no width', bytes(tgaHeader(2, 24).subarray(0, 12), le16(0), le16(5), [24, 0])],
    ['half of it', tgaHeader(2, 24).subarray(0, 12)],
  ])('is refused with %s', async (_name, header) => {
    expect(await extensionOf(bytes(header, zeros(1800)), 'a.tga')).toBe('unknown');
  });

  test('leaves a picture with a signature what it is', async () => {
    expect(await extensionOf(png(1, 1), 'a.tga', 'image/x-tga')).toBe('png');
  });

  test('must be as long as its pixels, or have a footer', () => {
    const tga = type('tga');
    expect(inspectFile(TGA, tga)).toMatchObject({ width: 30, height: 20 });
    expect(inspectFile(TGA.subarray(0, -1), tga)).toContain('pixels');
    expect(inspectFile(bytes(TGA, 0), tga)).toContain('pixels');
    expect(inspectFile(bytes(TGA, HTML), tga)).toContain('pixels');
    expect(inspectFile(bytes(TGA, HTML, TGA_FOOTER), tga, 5)).toMatchObject({ width: 30, height: 20 });
    expect(inspectFile(bytes(TGA.subarray(0, 1000), TGA_FOOTER), tga)).toContain('pixels');
    // In runs, 600 pixels of 4 bytes take from 25 to 3000 bytes.
    expect(inspectFile(bytes(tgaHeader(10, 32), zeros(24)), tga)).toContain('pixels');
    expect(inspectFile(bytes(tgaHeader(10, 32), zeros(3001)), tga)).toContain('pixels');
    expect(inspectFile(bytes('no header at all'), tga)).toContain('header');
  });
});

describe('headers of textures that lie', () => {
  test('plain pixels of a Radiance picture must fill the file', async () => {
    const file = radiance('-Y 500 +X 50', bytes(0, new Uint8Array(99_999).fill(128)));
    expect(await extensionOf(file, 'a.hdr')).toBe('hdr');
    expect(await extensionOf(file)).toBe('unknown');
    // All bytes have come, but the end has not been seen.
    expect(await sniff(file, { complete: false, filename: 'a.hdr' })).toMatchObject({ kind: 'media' });
    expect(inspectFile(file, type('hdr'))).toMatchObject({ width: 50, height: 500 });
    expect(inspectFile(file.subarray(0, -1), type('hdr'))).toContain('pixels');
    expect(inspectFile(bytes(file, 0), type('hdr'))).toContain('pixels');
  });

  test('an OpenEXR picture whose window is inside out, or stands behind very many attributes, has no size', () => {
    const window = (...corners: number[]): Uint8Array =>
      exrAttribute('displayWindow', 'box2i', bytes(le32(16), ...corners.map((corner) => le32(corner))));
    expect(inspectFile(exr(window(9, 9, 0, 0)), type('exr'))).toEqual(NOTHING);
    expect(inspectFile(exr(window(0, 0, 2 ** 31 - 1, 9)), type('exr'))).toEqual(NOTHING);
    const many = Array.from({ length: 1000 }, () => exrAttribute('a', 'int', bytes(le32(4), le32(1))));
    expect(inspectFile(exr(...many, window(0, 0, 9, 9)), type('exr'), 65_536)).toEqual(NOTHING);
    expect(inspectFile(exr(...many.slice(1), window(0, 0, 9, 9)), type('exr'), 65_536)).toMatchObject({ width: 10 });
  });

  test('a texture of one dimension has no size', () => {
    expect(inspectFile(ktx2(30, 0), type('ktx2'))).toEqual(NOTHING);
  });
});
