import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { suggestedFilename } from '../../../src/sources/fetch/suggested-filename.ts';

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

describe('suggestedFilename', () => {
  test.each([
    ['attachment; filename="a b.png"', 'a b.png'],
    ['inline; filename=a.png', 'a.png'],
    [`attachment; filename="a.png"; filename*=UTF-8''%e2%82%ac.png`, '€.png'],
    [`attachment; filename*=UTF-8''%e2%82%ac.png; filename="a.png"`, '€.png'],
    [`attachment; filename*=UTF-8''%ff.png; filename="a.png"`, 'a.png'],
    [latin1('attachment; filename="größe.png"'), 'größe.png'],
    ['attachment; filename="gr\xf6\xdfe.png"', 'größe.png'],
    ['attachment; filename="../../etc/passwd"', 'passwd'],
    ['attachment; filename="C:\\\\dir\\\\a.png"', 'a.png'],
    [`attachment; filename*=UTF-8''..%2F..%2Fa.png`, 'a.png'],
    [`attachment; filename*=UTF-8''a%0D%0A%00.png`, 'a.png'],
    ['attachment; filename=".."', 'path.webp'],
    ['attachment; filename="dir/"', 'path.webp'],
    ['attachment; filename=""', 'path.webp'],
    ['attachment', 'path.webp'],
    ['', 'path.webp'],
    ['=;="";;filename', 'path.webp'],
    [undefined, 'path.webp'],
  ])('%j gives %j', (header, name) => {
    expect(suggestedFilename(header, new URL('https://media.test/dir/path.webp?name=query.png'))).toBe(name);
  });

  test.each([
    ['/', undefined],
    ['/dir/', undefined],
    ['/a%20b%C3%A9.png', 'a bé.png'],
    ['/..%2f..%2fpasswd', 'passwd'],
    ['/a%5Cb.png', 'b.png'],
    ['/%00', undefined],
    ['/%2e%2e%2f', undefined],
    ['/100%.png', '100%.png'],
    ['/%ff.png', '%ff.png'],
  ])('the path %j gives %j', (path, name) => {
    expect(suggestedFilename(undefined, new URL(path, 'https://media.test'))).toBe(name);
  });

  test('never gives a path, a control character or half a surrogate pair', () => {
    const text = fc.string({ unit: 'binary' });
    const name = fc.oneof(
      text,
      text.map((value) => `attachment; filename="${value}"`),
    );
    fc.assert(
      fc.property(name, text, (header, path) => {
        const found = suggestedFilename(header, new URL(`https://media.test/${encodeURI(path.toWellFormed())}`));
        if (found === undefined) return;
        expect(found).not.toMatch(/[/\\\p{Cc}]|^\.{0,2}$/u);
        expect(found.isWellFormed()).toBe(true);
      }),
    );
  });
});
