// Case numbers in titles are those of the table in docs/threat-model.md.
import { describe, expect, test } from 'vitest';

import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { bytes, utf8 } from '../bytes.ts';
import { extensionOf, inspectFile } from '../judge.ts';
import { SVG } from '../made-images.ts';

const svg = mediaTypeByExtension('svg')!;
const utf16 = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, 'utf16le'));
const utf16be = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, 'utf16le').swap16());

describe('case 21: SVG is recognised in every dress, and never shown inline', () => {
  test.each([
    ['with script', utf8(SVG.replace('<rect/>', '<script>alert(1)</script>'))],
    ['with an XML declaration', utf8(`<?xml version="1.0"?>\n<!-- made by hand -->\n${SVG}`)],
    ['with a document type', utf8(`<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">${SVG}`)],
    ['with an internal subset', utf8(`<!DOCTYPE svg [<!ENTITY a "]>"> <!-- ' ]> --> <!ENTITY b 'x'>]>${SVG}`)],
    ['with a BOM', utf8(`\ufeff${SVG}`)],
    ['in UTF-16', utf16(`\ufeff<?xml version="1.0" encoding="utf-16"?>${SVG}`)],
    ['in big-endian UTF-16', utf16be(`\ufeff${SVG}`)],
    ['in UTF-16 without a BOM', utf16(SVG)],
    ['in Latin-1', bytes(`<?xml version="1.0" encoding="latin1"?><!-- \xe9 -->${SVG}`)],
    ['with a prefix', utf8('<s:svg xmlns:s="http://www.w3.org/2000/svg" width="30" height="20"/>')],
    ['behind a comment of 1 MB', utf8(`<!--${'x'.repeat(1_000_000)}-->${SVG}`)],
  ])('%s', async (_name, file) => {
    expect(await extensionOf(file, 'a.txt')).toBe('svg');
    expect(svg.inline).toBe(false);
    const measured = inspectFile(file, svg);
    if (file.length < 1_000_000) expect(measured).toMatchObject({ width: 30, height: 20, durationMs: null });
  });
});

describe('a root tag that is not well-formed is not SVG', () => {
  test.each([
    '<svg width=100 height=100/>',
    '<svg width=11 height=22/>',
    '<svg a="1"0="2">',
    '<svg a="1" ^b>',
    '<svg',
    '<svg width="',
    '<svgx/>',
    '<SVG/>',
  ])('%s', async (text) => {
    expect(await extensionOf(utf8(text), 'a.svg')).toMatch(/^unknown/);
  });
});

describe('the size of an SVG', () => {
  test.each([
    ['width="30px" height="20.4"', 30, 20],
    ['width="1in" height="25.4mm"', 96, 96],
    ['viewBox="0 0 30 20"', 30, 20],
    ['viewBox="0,0,30,20" width="60"', 60, 40],
    ['viewBox="0 0 30 20" width="100%" height="10"', 15, 10],
    ['width="100%" height="100%"', null, null],
    ['width="0" height="20"', null, null],
    ['width="1e300" height="20"', null, null],
    ['width="4294967296" height="20"', null, null],
    ['width="NaN" height="-20"', null, null],
    ['viewBox="0 0 0 0"', null, null],
  ])('%s', (attributes, width, height) => {
    expect(inspectFile(utf8(`<svg ${attributes}></svg>`), svg)).toMatchObject({ width, height, durationMs: null });
  });
});
