import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkJsonObject, checkText, isStorable } from '../../../src/domain/items/text-limits.ts';

const refusal = (code: string) => expect.objectContaining({ code, field: 'f' });
const check = (value: unknown, maxBytes = 100_000) => checkJsonObject('f', value, maxBytes);
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });

test.each([
  ['a', true],
  ['', true],
  ['\u{1f98a}', true],
  ['a\u0000', false],
  ['\ud83e', false],
])('whether %j can be stored: %s', (text, expected) => {
  expect(isStorable(text)).toBe(expected);
});

test('a text is measured in bytes of UTF-8', () => {
  expect(() => checkText('f', 'aaaa', 4)).not.toThrow();
  expect(() => checkText('f', 'ää', 4)).not.toThrow();
  expect(() => checkText('f', 'aaaaa', 4)).toThrow(refusal('too_large'));
  expect(() => checkText('f', 'ääa', 4)).toThrow(refusal('too_large'));
  expect(() => checkText('f', '\u{20ac}', 2)).toThrow(refusal('too_large'));
});

test('any JSON object is returned as it is', () => {
  const value = { a: [1, -2.5, 'b', null, true, [], {}], c: { d: 9_007_199_254_740_991 } };
  expect(check(value)).toBe(value);
});

test.each([[null], ['a'], [1], [[1]], [true]])('%j is no JSON object', (value) => {
  expect(() => check(value)).toThrow(refusal('invalid_request'));
});

test.each([[new Date()], [new Map()], [Buffer.from('a')]])('%s is no JSON, at any depth', (value) => {
  expect(() => check({ a: [value] })).toThrow(refusal('invalid_request'));
});

test('32 levels are allowed, 33 are not', () => {
  expect(() => check(nested(31))).not.toThrow();
  expect(() => check(nested(32))).toThrow(refusal('invalid_request'));
});

test.each([
  ['2^53', 2 ** 53],
  ['-2^53', -(2 ** 53)],
  ['infinity', Number.POSITIVE_INFINITY],
  ['no number', Number.NaN],
])('%s cannot be kept exactly', (_what, number) => {
  expect(() => check({ a: [number] })).toThrow(refusal('invalid_request'));
});

test('texts and names that cannot be stored are refused', () => {
  expect(() => check({ a: 'b\u0000' })).toThrow(refusal('invalid_text'));
  expect(() => check({ 'a\u0000': 'b' })).toThrow(refusal('invalid_text'));
});

test('a name has at most 1,000 bytes', () => {
  expect(() => check({ ['a'.repeat(1000)]: 1 })).not.toThrow();
  expect(() => check({ ['a'.repeat(1001)]: 1 })).toThrow(refusal('too_large'));
  expect(() => check({ ['ä'.repeat(501)]: 1 })).toThrow(refusal('too_large'));
});

test('names that could change a prototype are refused, others that look like them are not', () => {
  expect(() => check(JSON.parse('{"a":{"__proto__":1}}'))).toThrow(refusal('invalid_json'));
  expect(() => check({ constructor: { prototype: 1 } })).toThrow(refusal('invalid_json'));
  for (const value of [{ constructor: 'a' }, { constructor: { a: 1 } }, { constructor: null }, { prototype: 1 }])
    expect(() => check(value)).not.toThrow();
});

test.each([
  ['texts', (count: number) => ({ a: Array.from({ length: count }, () => 'bc') })],
  ['numbers', (count: number) => ({ a: Array.from({ length: count }, () => 1) })],
  ['wide characters', (count: number) => ({ a: 'ä'.repeat(count) })],
  ['names', (count: number) => Object.fromEntries(Array.from({ length: count }, (_v, index) => [`k${index}`, 1]))],
  ['empty objects', (count: number) => ({ a: Array.from({ length: count }, () => ({})) })],
])('many %s are allowed exactly as far as their JSON fits', (_what, make) => {
  for (const count of [0, 1, 2, 3, 10, 50]) {
    const value = make(count);
    const bytes = Buffer.byteLength(JSON.stringify(value));
    expect(check(value, bytes)).toBe(value);
    expect(() => check(value, bytes - 1)).toThrow(refusal('too_large'));
  }
});

test('what is too large already is read no further', () => {
  const word = fc.stringMatching(/^[a-z]{0,12}$/);
  const { any } = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.integer({ min: 0, max: 9 }),
      word,
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(word, tie('any'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(any, (value) => {
      // The last value is read first, and a date is no JSON.
      const ends = { a: [new Date(), value] };
      const bytes = JSON.stringify({ a: [0, value] }).length - 1;
      expect(() => check(ends, bytes - 1)).toThrow(refusal('too_large'));
      expect(() => check(ends, bytes)).toThrow(refusal('invalid_request'));
    }),
  );
});
