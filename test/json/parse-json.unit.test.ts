import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson } from '../../src/json/parse-json.ts';
import { scanJson } from '../../src/json/scan.ts';

const LIMITS = { structureBytes: 4 * 1024 * 1024, values: 200_000 };
const parse = (text: string, mode: 'strict' | 'lenient' = 'strict') =>
  parseJson(Buffer.from(text), { limits: LIMITS, mode });
const scan = (text: string, limits = LIMITS) => scanJson(Buffer.from(text), limits);

/** Strings on both sides of what is decoded apart, with and without escapes. */
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc
    .tuple(fc.constantFrom('A', 'é', '中', '😀', '\\', '"', '\n'), fc.integer({ min: 16_000, max: 17_000 }))
    .map(([unit, times]) => unit.repeat(times)),
);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    texts,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.constantFrom(null, true, false),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      texts.filter((name) => name !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value;

function countOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return 1 + Object.values(value).reduce<number>((sum, entry) => sum + countOf(entry), 0);
}

test('any text gives what JSON.parse gives, and its number of values', async () => {
  await fc.assert(
    fc.asyncProperty(json, fc.constantFrom(undefined, 2), async (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      expect(await parse(text)).toEqual(JSON.parse(text));
      expect((await scan(text)).values).toBe(countOf(JSON.parse(text)));
    }),
    { numRuns: 300 },
  );
});

test('any bytes that JSON.parse refuses are refused, and any that it accepts give the same value', async () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '"a"',
    '1',
    '-',
    'e5',
    'null',
    ' ',
    '\\u12',
    'é',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(pieces, { maxLength: 12 }), async (parts) => {
      const text = parts.join('');
      const expected = (() => {
        try {
          return { value: JSON.parse(text) as unknown };
        } catch {
          return undefined;
        }
      })();
      const found = await parse(text).then(
        (value) => ({ value: value as unknown }),
        (error: { code?: string }) => (error.code === 'invalid_json' ? undefined : error),
      );
      expect(found).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});

describe('limits', () => {
  test.each([
    ['exactly as many values', `[${'1,'.repeat(98)}1]`, true],
    ['one value more', `[${'1,'.repeat(99)}1]`, false],
    ['as many objects', `[${'{},'.repeat(98)}{}]`, true],
    ['names are no values', `{${Array.from({ length: 99 }, (_, n) => `"${n}":1`).join(',')}}`, true],
    ['one object more', `[${'{},'.repeat(99)}{}]`, false],
    ['strings are values', `[${'"",'.repeat(99)}""]`, false],
  ])('%s', async (_name, text, taken) => {
    const result = scan(text, { values: 100, structureBytes: 10_000 });
    if (taken) expect((await result).values).toBe(100);
    else await expect(result).rejects.toMatchObject({ code: 'json_too_complex' });
  });

  test.each([
    ['text', `["${'x'.repeat(5000)}"]`, true],
    ['white space', `[${' '.repeat(5000)}1]`, false],
    ['numbers', `[${'1'.repeat(5000)}]`, false],
    ['names', `{"${'x'.repeat(5000)}":1}`, false],
    ['long names', `{"${'x'.repeat(50_000)}":1}`, false],
  ])('%s count as structure or not', async (_name, text, taken) => {
    const result = scan(text, { values: 100, structureBytes: 1000 });
    if (taken) expect((await result).values).toBe(2);
    else await expect(result).rejects.toMatchObject({ code: 'json_too_complex' });
  });

  test('nesting beyond 1,000 levels is refused before it is parsed', async () => {
    expect(await parse(`${'['.repeat(1000)}${']'.repeat(1000)}`)).toBeInstanceOf(Array);
    await expect(parse(`${'['.repeat(1001)}${']'.repeat(1001)}`)).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('long strings', () => {
  const long = 'A'.repeat(20_000);
  test.each([
    ['plain', long],
    ['beginning with a byte order mark', `\ufeff${long}`],
    ['with characters of several bytes at its ends', `é${long}中`],
    ['with an escaped quote', `${long}"${long}`],
    ['ending in a backslash', `${long}\\`],
  ])('%s come out as they were', async (_name, text) => {
    expect(await parse(JSON.stringify({ a: [text, 'short', text] }))).toEqual({ a: [text, 'short', text] });
  });

  test('a raw control character in a long string is refused as in a short one', async () => {
    for (const text of ['a', long])
      for (const at of [0, 1, 2, 3, text.length])
        await expect(parse(`["${text.slice(0, at)}\n${text.slice(at)}"]`)).rejects.toMatchObject({
          code: 'invalid_json',
        });
  });

  test('bytes in a long string that are not UTF-8 are refused', async () => {
    const body = Buffer.from(`["${long}"]`);
    body[5000] = 0xff;
    await expect(parseJson(body, { limits: LIMITS, mode: 'strict' })).rejects.toMatchObject({ code: 'invalid_json' });
  });
});

describe("a provider's JSON", () => {
  test('keeps the digits of integers beyond 2^53 and drops keys that could change a prototype', async () => {
    const text =
      '{"seed":12345678901234567890,"n":1.5,"__proto__":{"x":1},"a":{"constructor":{"prototype":{}}},"big":1e300}';
    expect(await parse(text, 'lenient')).toEqual({ seed: '12345678901234567890', n: 1.5, a: {}, big: 1e300 });
  });
  test('has characters that PostgreSQL cannot store replaced', async () => {
    expect(await parse('["a\\u0000b","\\ud800"]', 'lenient')).toEqual([
      expect.not.stringContaining('\u0000'),
      '\ufffd',
    ]);
  });
});

test.each(['{"__proto__":{"x":1}}', '{"a":[{"constructor":{"prototype":{"x":1}}}]}', '{"\\u005f_proto__":1}'])(
  "a caller's JSON with a key that could reach a prototype is refused: %s",
  async (text) => {
    await expect(parse(text)).rejects.toMatchObject({ code: 'invalid_json' });
  },
);
