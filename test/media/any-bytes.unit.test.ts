import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { createInspector } from '../../src/media/inspect/inspect.ts';
import { MEDIA_TYPES, mediaTypeByExtension } from '../../src/media/media-type.ts';
import { inspectFile, sniffFile } from './judge.ts';
import { AUDIO } from './made-audio.ts';
import { IMAGES } from './made-images.ts';
import { MODELS } from './made-models.ts';
import { VIDEOS } from './made-video.ts';

const MADE = [...IMAGES, ...VIDEOS, ...AUDIO, ...MODELS].filter((made) => made.file.length < 20_000);

interface Damage {
  keep: number;
  changes: [at: number, byte: number][];
}

const damage: fc.Arbitrary<Damage> = fc.record({
  keep: fc.double({ min: 0, max: 1, noNaN: true }),
  changes: fc.array(fc.tuple(fc.nat(400), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff))), {
    maxLength: 8,
  }),
});

function damaged(file: Uint8Array, { keep, changes }: Damage): Uint8Array {
  const copy = file.slice(0, Math.ceil(file.length * keep));
  for (const [at, byte] of changes) if (at < copy.length) copy[at] = byte;
  return copy;
}

function expectSane(result: ReturnType<typeof inspectFile>): void {
  if (typeof result === 'string') return;
  for (const value of [result.width, result.height]) {
    if (value !== null) expect(Number.isInteger(value) && value > 0 && value < 2 ** 31).toBe(true);
  }
  if (result.durationMs !== null) expect(Number.isSafeInteger(result.durationMs) && result.durationMs > 0).toBe(true);
}

describe('any bytes', () => {
  test('are sniffed without an error, under any name', async () => {
    const names = fc.constantFrom(undefined, ...MEDIA_TYPES.map((type) => `a.${type.ext}`));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), names, fc.string(), async (file, name, type) => {
        expect(['media', 'unknown']).toContain((await sniffFile(file, name, type)).kind);
      }),
      { numRuns: 500 },
    );
  });

  test('are inspected without an error, as any type', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...MEDIA_TYPES), (file, type) => {
        expectSane(inspectFile(file, type, 7));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('damaged files', () => {
  test('are sniffed and inspected without an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...MADE), damage, async ({ file, ext, filename }, harm) => {
        const bytes = damaged(file, harm);
        await sniffFile(bytes, filename ?? `a.${ext}`);
        expectSane(inspectFile(bytes, mediaTypeByExtension(ext)!, 64));
      }),
      { numRuns: 3000 },
    );
  });

  test('give the same result in chunks of any size', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.constantFrom(...MADE), damage, sizes, ({ file, ext }, harm, lengths) => {
        const bytes = damaged(file, harm);
        const type = mediaTypeByExtension(ext)!;
        const inspector = createInspector(type);
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = i < 200 ? lengths[i % lengths.length]! : bytes.length;
          inspector.push(bytes.slice(at, at + length));
          at += length;
        }
        const result = inspector.finish();
        expect(result.ok ? result.inspection : result.reason).toEqual(inspectFile(bytes, type, bytes.length || 1));
      }),
      { numRuns: 3000 },
    );
  });
});

test('every proper beginning of every format is sniffed and inspected', async () => {
  for (const { file, ext, filename } of MADE) {
    for (let length = 0; length < Math.min(file.length, 120); length++) {
      await sniffFile(file.subarray(0, length), filename);
      expectSane(inspectFile(file.subarray(0, length), mediaTypeByExtension(ext)!, 5));
    }
  }
});
