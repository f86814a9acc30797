import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeData } from '../../src/sources/base64.ts';

const MIB = 1024 ** 2;

test('bytes are decoded with either alphabet, any padding and white space', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.constantFrom('base64' as const, 'base64url' as const),
      fc.boolean(),
      fc.integer({ min: 1, max: 9 }),
      async (bytes, alphabet, padded, width) => {
        const text = Buffer.from(bytes).toString(alphabet);
        const digits = padded ? text : text.replaceAll('=', '');
        const wrapped = digits.replace(new RegExp(`.{${width}}`, 'g'), '$&\r\n ');
        expect((await decodeData(wrapped)).bytes.equals(Buffer.from(bytes))).toBe(true);
        expect((await decodeData(`data:image/png;base64,${wrapped}`)).bytes.equals(Buffer.from(bytes))).toBe(true);
      },
    ),
  );
});

test('bytes are decoded correctly across slices, also in escapes of several bytes', async () => {
  const bytes = Buffer.alloc(2.5 * MIB, 'é中😀x');
  expect((await decodeData(bytes.toString('base64'))).bytes.equals(bytes)).toBe(true);
  const text = bytes.toString();
  expect((await decodeData(`data:,${encodeURIComponent(text)}`)).bytes.equals(Buffer.from(text))).toBe(true);
  expect((await decodeData(`data:,${text}`)).bytes.equals(Buffer.from(text))).toBe(true);
});

/** How often other work had its turn meanwhile. Time says little of that on a busy machine. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const count = () => {
    turns += 1;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  await work();
  over = true;
  return turns;
}

test.each([
  // Refused at the first look.
  ['nothing but padding', '='.repeat(20 * MIB), 0],
  ['padding in the middle', `AAAA${'='.repeat(20 * MIB)}AA`, 0],
  // Refused at the end, a turn for each MiB.
  ['nothing but white space', ' '.repeat(20 * MIB), 15],
  ['a letter that is none at the end', `${'A'.repeat(20 * MIB)}!`, 15],
])('%s is refused without blocking the event loop', async (_name, text, least) => {
  const turns = await turnsDuring(() =>
    expect(decodeData(text)).rejects.toMatchObject({
      code: expect.stringMatching(/^(invalid_base64|file_missing)$/) as string,
    }),
  );
  expect(turns).toBeGreaterThanOrEqual(least);
});
