import { expect, test } from 'vitest';
import { createPartMemory } from '../../../src/storage/s3/part-memory.ts';
import { cutParts, largestUpload, partSize } from '../../../src/storage/s3/parts.ts';

const MIB = 1024 ** 2;
const TIB = 1024 ** 4;

test('ten thousand parts reach 5 TiB, of known and of unknown size', () => {
  expect(partSize(1, 8 * MIB, 5 * TIB) * 10_000).toBeGreaterThanOrEqual(5 * TIB);
  let reached = 0;
  for (let number = 1; number <= 10_000; number += 1) reached += partSize(number, 8 * MIB, undefined);
  expect(reached).toBeGreaterThanOrEqual(5 * TIB);
});

test('the memory for parts limits an upload of unknown size', () => {
  expect(partSize(9999, 8 * MIB, undefined, 128 * MIB)).toBe(128 * MIB);
  expect(largestUpload(8 * MIB, 8 * MIB)).toBe(80_000 * MIB);
  let reached = 0;
  for (let number = 1; number <= 10_000; number += 1) reached += partSize(number, 8 * MIB, undefined, 128 * MIB);
  expect(largestUpload(8 * MIB, 128 * MIB)).toBe(reached);
  expect(partSize(1, 8 * MIB, reached)).toBeLessThanOrEqual(128 * MIB);
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
  for await (const part of cutParts(body(), { memory: memoryOf(64, smallest), smallest, size })) {
    parts.push([part.bytes.length, part.last]);
    part.giveBack(true);
  }
  return parts;
}

const memoryOf = (bytes: number, partBytes: number) =>
  createPartMemory({ bytes, partBytes, waitMs: 50, setting: 'S3_UPLOAD_MEMORY_BYTES' });

test('a body is cut at the size of a part, whatever its chunks; the last part is marked as last', async () => {
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

test('a part takes its memory with its first byte: all of it, or the rest of a known size', async () => {
  const memory = memoryOf(64, 16);
  async function* body() {
    expect(memory.reserved()).toBe(0);
    for (const bytes of [1, 15, 4]) {
      yield Buffer.alloc(bytes);
      reserved.push(memory.reserved());
    }
  }
  let reserved: number[] = [];
  const parts = async (size?: number) => {
    reserved = [];
    const kept: number[] = [];
    for await (const part of cutParts(body(), { memory, smallest: 16, size })) {
      kept.push(memory.reserved());
      part.giveBack(true);
    }
    expect(memory.reserved()).toBe(0);
    return { reserved, kept };
  };
  expect(await parts(20)).toEqual({ reserved: [16, 16, 4], kept: [16, 4] });
  // Less than half a part leaves its buffer to others while it is sent.
  expect(await parts()).toEqual({ reserved: [16, 16, 16], kept: [16, 4] });
});

test('a body that fails releases what it has gathered, but not what was handed on', async () => {
  const memory = memoryOf(64, 16);
  async function* body() {
    yield Buffer.alloc(20);
    throw new Error('broke off');
  }
  const parts = cutParts(body(), { memory, smallest: 16, size: undefined });
  const first = await parts.next();
  await expect(parts.next()).rejects.toThrow('broke off');
  expect(memory.reserved()).toBe(16);
  first.value?.giveBack(true);
  expect(memory.reserved()).toBe(0);
});

test('a body that needs larger parts than there is memory for is too large', async () => {
  const size = 10_001 * 3 * MIB;
  const parts = cutParts([Buffer.alloc(1)] as never, { memory: memoryOf(2 * MIB, MIB), smallest: MIB, size });
  await expect(parts.next()).rejects.toMatchObject({ code: 'TOO_LARGE' });
});

test.each([0, -1, 65, Number.NaN])('%d bytes cannot be taken from a memory of 64', async (bytes) => {
  await expect(memoryOf(64, 1).take(bytes)).rejects.toThrow(RangeError);
});

test.each([1, 64])('%d bytes can be taken from a memory of 64', async (bytes) => {
  await expect(memoryOf(64, 1).take(bytes)).resolves.toBeDefined();
});
