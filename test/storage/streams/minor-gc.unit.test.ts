import { afterEach, expect, test } from 'vitest';
import { buffersPassed, largeTextsPassed } from '../../../src/storage/streams/minor-gc.ts';

const own = globalThis.gc;
afterEach(() => {
  globalThis.gc = own;
});

test('young buffers are collected after every 16 MiB, where gc is exposed', () => {
  const asked: unknown[] = [];
  globalThis.gc = ((options: unknown) => void asked.push(options)) as typeof globalThis.gc;
  for (let piece = 0; piece < 3 * 256; piece += 1) buffersPassed(64 * 1024);
  expect(asked).toEqual(Array.from({ length: 3 }, () => ({ type: 'minor', execution: 'sync' })));
  globalThis.gc = undefined;
  expect(() => buffersPassed(32 * 1024 ** 2)).not.toThrow();
});

test('all is collected after every 12 MiB of large texts, and small texts count for nothing', () => {
  const asked: unknown[] = [];
  globalThis.gc = ((options: unknown) => void asked.push(options)) as typeof globalThis.gc;
  for (let text = 0; text < 1000; text += 1) largeTextsPassed(64 * 1024 - 1);
  expect(asked).toEqual([]);
  for (let text = 0; text < 2 * 192; text += 1) largeTextsPassed(64 * 1024);
  expect(asked).toEqual([undefined, undefined]);
  globalThis.gc = undefined;
  expect(() => largeTextsPassed(32 * 1024 ** 2)).not.toThrow();
});
