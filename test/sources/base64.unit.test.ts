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

/** The longest turn of the event loop during some work, and all of it, in milliseconds of this thread: other load does not count. */
async function turnsOf(work: () => Promise<unknown>): Promise<{ longest: number; all: number }> {
  const used = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let longest = 0;
  const start = used();
  let last = start;
  let over = false;
  const watch = () => {
    const now = used();
    longest = Math.max(longest, now - last);
    last = now;
    if (!over) setImmediate(watch);
  };
  setImmediate(watch);
  await work();
  watch();
  over = true;
  return { longest, all: used() - start };
}

test.each([
  ['nothing but padding', '='.repeat(20 * MIB)],
  ['padding in the middle', `AAAA${'='.repeat(20 * MIB)}AA`],
  ['nothing but white space', ' '.repeat(20 * MIB)],
  ['a letter that is none at the end', `${'A'.repeat(20 * MIB)}!`],
])('%s is refused without blocking the event loop', async (_name, text) => {
  const { longest, all } = await turnsOf(() =>
    expect(decodeData(text)).rejects.toMatchObject({
      code: expect.stringMatching(/^(invalid_base64|file_missing)$/) as string,
    }),
  );
  // What is refused at once takes no time to speak of.
  expect(longest).toBeLessThan(Math.max(30, all / 3));
});
