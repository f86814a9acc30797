import { expect, test } from 'vitest';
import { cutParts, partSize } from '../../src/storage/s3-parts.ts';

const MIB = 1024 ** 2;
const TIB = 1024 ** 4;

test('ten thousand parts reach 5 TiB, of known and of unknown size', () => {
  expect(partSize(1, 8 * MIB, 5 * TIB) * 10_000).toBeGreaterThanOrEqual(5 * TIB);
  let reached = 0;
  for (let number = 1; number <= 10_000; number += 1) reached += partSize(number, 8 * MIB, undefined);
  expect(reached).toBeGreaterThanOrEqual(5 * TIB);
});

test('parts stay small while the size allows it', () => {
  expect(partSize(1, 8 * MIB, 70 * 1024 * MIB)).toBe(8 * MIB);
  expect(partSize(1000, 8 * MIB, undefined)).toBe(8 * MIB);
});

async function cut(chunks: readonly number[], smallest: number, size?: number): Promise<[number, boolean][]> {
  async function* body() {
    for (const bytes of chunks) yield Buffer.alloc(bytes);
  }
  const parts: [number, boolean][] = [];
  for await (const part of cutParts(body(), smallest, size)) parts.push([part.bytes.length, part.last]);
  return parts;
}

test('a body is cut at the size of a part, whatever its chunks; the last part is known as the last', async () => {
  expect(await cut([], 4)).toEqual([[0, true]]);
  expect(await cut([4], 4)).toEqual([[4, true]]);
  expect(await cut([5], 4)).toEqual([
    [4, false],
    [1, true],
  ]);
  expect(await cut([1, 0, 2, 6, 3], 4)).toEqual([
    [4, false],
    [4, false],
    [4, true],
  ]);
});

test('a body of another size than announced is an error, before a last part is given', async () => {
  await expect(cut([4, 4], 4, 9)).rejects.toMatchObject({ code: 'SIZE' });
  await expect(cut([4, 4], 4, 7)).rejects.toMatchObject({ code: 'SIZE' });
});
