import { describe, expect, test } from 'vitest';
import { boundaryOf, decodeField, decodeText, readPartHead } from '../../../src/http/requests/part-headers.ts';

const latin = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
const head = (disposition: string, type?: string) =>
  readPartHead({ 'content-disposition': [disposition], ...(type !== undefined && { 'content-type': [type] }) });

describe('the head of a part', () => {
  test.each([
    ['form-data; name="file"; filename="a.png"', 'a.png'],
    ['form-data; name=file; filename*=UTF-8\'\'%e2%82%ac.png; filename="e.png"', '€.png'],
    ['form-data; name=file; filename="e.png"; filename*=UTF-8\'\'%e2%82%ac.png', '€.png'],
    ["form-data; name=file; filename*=iso-8859-1'en'caf%e9.png", 'café.png'],
    ['form-data; name=file; filename*=nonsense; filename=plain.png', 'plain.png'],
    [latin('form-data; name="file"; filename="café 狐 🦊.png"'), 'café 狐 🦊.png'],
    ['form-data; name="file"; filename="caf\xe9 \x80.png"', 'café €.png'],
    ['form-data; name="file"; filename="a%22b.png"', 'a"b.png'],
    ['form-data; name="file"; filename="a\\"b.png"', 'a"b.png'],
    ['form-data; name="file"; filename="C:\\temp\\new.png"', 'new.png'],
    ['form-data; name="file"; filename="../../x.png"', 'x.png'],
    ['FORM-DATA; NAME="file"; FileName = "a;b=c.png" ; size=3', 'a;b=c.png'],
    ['form-data; name="file"; filename=""', ''],
    ['form-data; name="file"', undefined],
  ])('%s', (disposition, filename) => {
    expect(head(disposition)).toMatchObject({ name: 'file', filename });
  });

  test.each([
    'attachment; name="file"',
    'form-data',
    'form-data; filename="a.png"',
    "form-data; filename*=UTF-8''a",
    '',
  ])('without a name, or of no form: %j', (disposition) => {
    expect(head(disposition)).toBeUndefined();
  });

  test('the type is in lower case without parameters, plain text by default', () => {
    expect(head('form-data; name=a', 'Application/JSON; charset="UTF-8"')).toMatchObject({
      type: 'application/json',
      charset: 'UTF-8',
    });
    expect(head('form-data; name=a')).toMatchObject({ type: 'text/plain', charset: undefined });
  });
});

test('texts are UTF-8, else Windows-1252, and never hold U+FFFD', () => {
  expect(decodeText(Buffer.from('grüße'))).toBe('grüße');
  expect(decodeText(Buffer.from([0x67, 0xfc, 0x80, 0x9f, 0x81]))).toBe('gü€Ÿ\u0081');
  for (let byte = 0x80; byte < 0x100; byte += 1) expect(decodeText(Buffer.from([byte]))).not.toContain('\ufffd');
  expect(decodeField(Buffer.from([0xe9]), 'utf-8')).toBe('é');
  expect(decodeField(Buffer.from([0xf0, 0xd0]), 'koi8-r')).toBe('Пп');
  expect(decodeField(Buffer.from('é'), 'no-such-charset')).toBe('é');
});

test.each([
  ['multipart/form-data; boundary=abc', 'abc'],
  ['multipart/form-data; charset=utf-8; boundary="a b;c"', 'a b;c'],
  ['multipart/form-data; Boundary=abc; x=y', 'abc'],
  ['multipart/form-data', undefined],
  ['multipart/form-data; boundary=', undefined],
])('the boundary of %j', (type, boundary) => {
  expect(boundaryOf(type)).toBe(boundary);
});

test('a head of many quotes and semicolons is read in linear time', () => {
  const start = performance.now();
  head(`form-data; name="${'";"'.repeat(5000)}`);
  head(`form-data;${' ;'.repeat(8000)}`);
  head(`form-data; ${'a='.repeat(8000)}`);
  expect(performance.now() - start).toBeLessThan(1000);
});
