import { describe, expect, test } from 'vitest';

import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { bytes, le16, le32, zeros } from '../bytes.ts';
import { extensionOf, inspectFile } from '../judge.ts';
import { png } from '../made-images.ts';
import { ksplat, splat, splats } from '../made-scenes.ts';

const NOTHING = { width: null, height: null, durationMs: null, generation: null };
const type = (ext: string) => mediaTypeByExtension(ext)!;
const NAN = le32(0x7fc00000);

function changed(file: Uint8Array, at: number, part: Uint8Array | number[]): Uint8Array {
  const copy = file.slice();
  copy.set(part, at);
  return copy;
}

describe('splats without a signature', () => {
  test('need their name or their type', async () => {
    expect(await extensionOf(splats(5))).toBe('unknown');
    expect(await extensionOf(splats(5), 'a.bin', 'model/x-splat')).toBe('splat');
    expect(await extensionOf(ksplat(5))).toBe('unknown');
    expect(await extensionOf(ksplat(5), undefined, 'model/x-ksplat')).toBe('ksplat');
  });

  test('leave a picture what it is', async () => {
    expect(await extensionOf(png(1, 1), 'a.splat')).toBe('png');
    expect(await extensionOf(png(1, 1), 'a.ksplat')).toBe('png');
  });
});

describe('a .splat is refused', () => {
  test.each([
    ['with a part of a splat', bytes(splats(5), 0)],
    ['with a place that is no number', changed(splats(5), 32, NAN)],
    ['with a place beyond all scenes', changed(splats(5), 36, le32(0x7f000000))],
    ['with a negative size', changed(splats(5), 44, le32(0xbf800000))],
    ['with rotations that are none', changed(splats(5), 28, [255, 255, 255, 255])],
    ['of zeros', zeros(320)],
    ['of text and a zero', bytes('<html><script>alert(1)</script>'.repeat(31), zeros(31))],
  ])('%s', async (_name, file) => {
    expect(await extensionOf(file, 'a.splat')).toMatch(/^unknown/);
  });

  test('when a few rotations are broken it is not', async () => {
    expect(await extensionOf(changed(splats(20), 28, [0, 0, 0, 0]), 'a.splat')).toBe('splat');
  });

  test('when its end is no whole splat', () => {
    expect(inspectFile(splats(4000), type('splat'))).toEqual(NOTHING);
    expect(inspectFile(bytes(splats(4000), splat.subarray(0, 31)), type('splat'))).toContain('splats');
    expect(inspectFile(zeros(0), type('splat'))).toContain('splat');
  });
});

describe('a .ksplat is refused', () => {
  test.each([
    ['of another version', changed(ksplat(5), 0, [1])],
    ['of version 0.0', changed(ksplat(5), 1, [0])],
    ['with more sections than there may be', changed(ksplat(5), 4, le32(5000))],
    ['with no section', changed(ksplat(5), 4, zeros(8))],
    ['with more splats loaded than it has', changed(ksplat(5), 16, le32(6))],
    ['with an unknown compression', changed(ksplat(5), 20, le16(3))],
    ['with something in the empty part of its header', changed(ksplat(5), 3000, [1])],
    ['that ends in its header', ksplat(5).subarray(0, 4000)],
  ])('%s', async (_name, file) => {
    expect(await extensionOf(file, 'a.ksplat')).toMatch(/^unknown/);
  });

  test('when it is not as long as its sections say', () => {
    const [file, ext] = [ksplat(300), type('ksplat')];
    expect(inspectFile(file, ext, 1000)).toEqual(NOTHING);
    expect(inspectFile(bytes(file, 0), ext)).toContain('length');
    expect(inspectFile(file.subarray(0, -1), ext)).toContain('length');
    expect(inspectFile(file.subarray(0, 4100), ext)).toContain('length');
    expect(inspectFile(changed(file, 1, [0]), ext)).toContain('length');
  });
});
