// Case numbers in titles are those of the table in docs/threat-model.md.
import { describe, expect, test } from 'vitest';

import { sniff } from '../../src/media/sniff/sniff.ts';
import { be16, bytes, le32, utf8, zeros } from './bytes.ts';
import { extensionOf } from './judge.ts';
import { id3, mp3 } from './made-audio.ts';
import { gif, jpeg, png } from './made-images.ts';
import { binaryStl, OBJ, zip } from './made-models.ts';

const HTML = '<!DOCTYPE html><html><body><script>alert(1)</script></body></html>';
const SCRIPT = '/*xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx*/=1;alert(document.domain);//';

describe('files that are not media are refused under any name', () => {
  test.each([
    ['nothing', bytes(), 'unknown'],
    ['one byte', bytes(0xff), 'unknown text/plain'],
    ['HTML', utf8(HTML), 'unknown text/html'],
    ['HTML behind a comment', utf8(`<!-- <svg> -->\n${HTML}`), 'unknown text/html'],
    ['HTML with an inline SVG', utf8('<html><svg xmlns="http://www.w3.org/2000/svg"/></html>'), 'unknown text/html'],
    [
      'an SVG that says it is HTML',
      utf8('<!-- --><!DOCTYPE html><svg width="1" height="1"></svg>'),
      'unknown text/html',
    ],
    ['another XML', utf8('<?xml version="1.0"?><rss><svg/></rss>'), 'unknown application/xml'],
    ['JSON', utf8('{"a":{"asset":{"version":"2.0"}},"b":"asset"}'), 'unknown application/json'],
    ['a JSON list', utf8('[{"asset":{"version":"2.0"}}]'), 'unknown application/json'],
    ['JSON named after a brand', utf8('{      "WEBP": {}}'), 'unknown application/json'],
    ['text', utf8('solid advice, with no facets\nat all'), 'unknown text/plain'],
    ['PDF', utf8('%PDF-1.7\n1 0 obj'), 'unknown application/pdf'],
    ['ZIP', zip('a.txt', 'hello'), 'unknown application/zip'],
    ['gzip', bytes([0x1f, 0x8b, 8, 0], zeros(40)), 'unknown application/gzip'],
    ['EXE', bytes('MZ', zeros(200)), 'unknown application/x-msdownload'],
    ['ELF', bytes('\x7fELF', [2, 1, 1], zeros(60)), 'unknown application/x-elf'],
  ])('%s', async (_name, file, expected) => {
    for (const ext of [
      'png',
      'mp3',
      'svg',
      'gltf',
      'obj',
      'usdz',
      'hdr',
      'tga',
      'ts',
      'usda',
      'splat',
      'ksplat',
      'blend',
    ]) {
      const name = `a.${ext}`;
      expect(await extensionOf(file, name)).toBe(expected);
    }
    expect(await extensionOf(file)).toBe(expected);
    for (const type of ['image/jpeg', 'model/stl', 'video/mp4']) {
      expect(await extensionOf(file, undefined, type)).toBe(expected);
    }
  });
});

describe('case 19: GIF89a followed by script is not media', () => {
  test.each(['GIF89a', 'GIF87a', 'GIF89a\x01\0\x01\0\x80\0\0'])('%j', async (start) => {
    expect(await extensionOf(bytes(start, SCRIPT), 'a.gif')).toMatch(/^unknown/);
    expect(await extensionOf(bytes(start, HTML), 'a.gif', 'image/gif')).toMatch(/^unknown/);
  });

  test('an extension block of a size that no encoder writes', async () => {
    expect(await extensionOf(bytes('GIF89a\x01\0\x01\0\0\0\0!\xf9<html>', HTML, 0), 'a.gif')).toMatch(/^unknown/);
  });
});

describe('case 20: JPEG magic followed by HTML is not media', () => {
  test.each([
    ['at once', bytes([0xff, 0xd8, 0xff], HTML)],
    ['behind the first marker', bytes([0xff, 0xd8, 0xff, 0xe0], HTML.repeat(2000))],
    [
      'in a comment, with no image after it',
      bytes([0xff, 0xd8, 0xff, 0xfe], be16(HTML.length + 2), HTML, [0xff, 0xd9]),
    ],
    ['in a comment and after it', bytes([0xff, 0xd8, 0xff, 0xfe], be16(HTML.length + 2), HTML, HTML.repeat(2000))],
    ['behind a JFIF segment', bytes(jpeg(1, 1).subarray(0, 20), HTML)],
    ['behind a marker that no JPEG has', bytes(jpeg(1, 1).subarray(0, 20), [0xff, 2, 0, 4, 0, 0, 0xff], HTML)],
    ['behind a NUL', bytes([0xff, 0xd8, 0xff, 0xe0, 0, 2], HTML, 0)],
  ])('%s', async (_name, file) => {
    expect(await extensionOf(file, 'a.jpg', 'image/jpeg')).toMatch(/^unknown/);
  });
});

describe('other signatures followed by text are not media', () => {
  test.each([
    ['PNG', bytes('\x89PNG\r\n\x1a\n', HTML)],
    ['PNG whose first chunk is not IHDR', bytes('\x89PNG\r\n\x1a\n\0\0\0\x0dIHDO', zeros(40))],
    ['PNG whose IHDR has another length', bytes('\x89PNG\r\n\x1a\n\0\0\0\x0e', png(1, 1).subarray(12))],
    ['BMP', bytes('BM', HTML, 0)],
    ['JPEG XL', bytes([0xff, 0x0a], HTML, 0)],
    ['MP3', bytes([0xff, 0xfb, 0x90, 0x64], HTML)],
    ['MP3 with a NUL', bytes([0xff, 0xfb, 0x90, 0x64], HTML.repeat(20), 0)],
    ['ID3', bytes('ID3', [3, 0, 0, 0, 0, 0, 0], HTML)],
    ['ID3 that claims the whole file', bytes('ID3', [3, 0, 0, 0x7f, 0x7f, 0x7f, 0x7f], HTML)],
    ['ID3 of a version that there is not', bytes('ID3', [9, 0, 0, 0, 0, 0, 1, 0], mp3(9))],
    ['ID3 before a picture', bytes(id3(9), png(1, 1))],
    ['WAV', bytes('RIFF', le32(500), 'WAVE', HTML, 0)],
    ['AIFF', bytes('FORM', le32(500), 'AIFF', HTML, 0)],
    ['AMR', bytes('#!AMR\n', HTML)],
    ['Ogg', bytes('OggS', HTML, 0)],
    ['Matroska', bytes('\x1a\x45\xdf\xa3', HTML, 0)],
    ['MP4', bytes([0, 0, 0, 0x18], 'ftyp', HTML)],
    ['icon', bytes([0, 0, 1, 0, 1, 0], HTML)],
    ['FLAC', bytes('fLaC', HTML, 0)],
    ['MIDI', bytes('MThd', [0, 0, 0, 6], HTML)],
  ])('%s', async (name, file) => {
    const ext = name.split(' ')[0]!.toLowerCase();
    expect(await extensionOf(file, `a.${ext}`)).toMatch(/^unknown/);
  });
});

describe('a name cannot override the structure', () => {
  test('a ZIP named .usdz, a compressed USDZ, a ZIP with another first entry', async () => {
    expect(await extensionOf(zip('a.usdc', 'hello PXR-USDC'), 'a.usdz')).toBe('unknown application/zip');
    expect(await extensionOf(zip('a.usdc', 'PXR-USDC', 8), 'a.usdz')).toBe('unknown application/zip');
    expect(await extensionOf(zip('a.html', '#usda 1.0'), 'a.usdz')).toBe('unknown application/zip');
  });

  test('an OBJ needs its name, and a name needs an OBJ', async () => {
    expect(await extensionOf(utf8(OBJ), undefined, 'model/obj')).toBe('obj');
    expect(await extensionOf(utf8(OBJ))).toBe('unknown text/plain');
    expect(await extensionOf(utf8(`${OBJ}alert(1)\n`), 'a.obj')).toBe('unknown text/plain');
    expect(await extensionOf(utf8('g only a group\n'), 'a.obj')).toBe('unknown text/plain');
    expect(await extensionOf(utf8(`v ${'1'.repeat(60_000)}x`), 'a.obj')).toBe('unknown text/plain');
  });

  test('a binary STL must be as long as it says', async () => {
    expect(await extensionOf(binaryStl(3).subarray(0, 200), 'a.stl')).toBe('unknown');
    expect(await extensionOf(bytes(zeros(80), le32(2 ** 32 - 1), zeros(500)), 'a.stl')).toBe('unknown');
  });

  test('a picture is recognised under the name of another format', async () => {
    for (const name of ['a.stl', 'a.mp3', 'a.obj', 'a.gltf', 'a.svg']) {
      expect(await extensionOf(png(1, 1), name)).toBe('png');
      expect(await extensionOf(bytes(png(1, 1), zeros(100_000)), name)).toBe('png');
      expect(await extensionOf(jpeg(1, 1), name)).toBe('jpg');
      expect(await extensionOf(gif(1, 1), name)).toBe('gif');
    }
  });
});

test('case 22: declared type and sniffed type differ: the content decides', async () => {
  expect(await extensionOf(png(1, 1), 'a.jpg', 'image/jpeg')).toBe('png');
  expect(await extensionOf(utf8(HTML), 'a.png', 'image/png')).toBe('unknown text/html');
});

test('case 29: a ZIP appended to a picture leaves it a picture', async () => {
  expect(await extensionOf(bytes(png(1, 1), zip('a.txt', 'hello')))).toBe('png');
  expect(await extensionOf(bytes(jpeg(1, 1), zip('a.txt', 'hello')))).toBe('jpg');
});

test('case 32: the 55-byte ASF that loops an old sniffer is refused at once', async () => {
  const asf = '3026b2758e66cf11a6d900aa0062ce6c';
  const file = bytes(Buffer.from(asf, 'hex'), zeros(14), zeros(25));
  expect(file).toHaveLength(55);
  expect(await extensionOf(file, 'a.wma')).toBe('unknown video/x-ms-asf');
});

test('sniffing waits for 64 KiB unless the file is shorter', async () => {
  expect(await sniff(png(1, 1), { complete: false })).toEqual({ kind: 'more', bytes: 65_536 });
  expect(await sniff(bytes(), { complete: false })).toEqual({ kind: 'more', bytes: 65_536 });
});
