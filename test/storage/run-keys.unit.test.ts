import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MEDIA_TYPES } from '../../src/media/media-type.ts';
import { RUN_FILES, checkKey, runFolder, runKey, runSlotOf } from '../../src/storage/keys.ts';

test('the first output of a type has no number, the others count on', () => {
  expect([1, 2, 10].map((n) => runKey('r', 'image', n, 'png'))).toEqual([
    'runs/r/output_image.png',
    'runs/r/output_image_2.png',
    'runs/r/output_image_10.png',
  ]);
});

test('every assigned name is a valid key, and is recognised as its slot', () => {
  const place = fc.record({ type: fc.constantFrom(...MEDIA_TYPES), n: fc.integer({ min: 1, max: 999_999 }) });
  fc.assert(
    fc.property(fc.uuid(), place, place, (runId, a, b) => {
      const key = runKey(runId, a.type.mediaType, a.n, a.type.ext);
      expect(() => checkKey(key)).not.toThrow();
      expect(key.startsWith(runFolder(runId))).toBe(true);
      expect(runSlotOf(key.slice(runFolder(runId).length))).toEqual({ type: a.type.mediaType, n: a.n });
      const other = runKey(runId, b.type.mediaType, b.n, b.type.ext);
      const same = a.n === b.n && a.type.mediaType === b.type.mediaType && a.type.ext === b.type.ext;
      expect(key === other).toBe(same);
    }),
  );
});

test.each([
  ...RUN_FILES,
  'output_image',
  'output_image_1x.png',
  'output_image_0.png',
  'output_text.txt',
  'xoutput_image.png',
  'output_image_2.png/a',
])('%s is not a name that a run assigns', (name) => expect(runSlotOf(name)).toBeUndefined());
