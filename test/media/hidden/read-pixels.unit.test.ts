import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HiddenTextProbe } from '../../../src/media/hidden/probe.ts';
import { readPixels } from '../../../src/media/hidden/read-pixels.ts';
import * as made from './made-hidden.ts';

/** The pixels as the probe keeps them of a file that comes in pieces; undefined when it finds that nothing is hidden. */
function probed({ width, height, channels }: Omit<made.Picture, 'pixels'>, compressed: Uint8Array, piece: number) {
  const probe = new HiddenTextProbe({ width, height, channels });
  for (let at = 0; at < compressed.length; at += piece) probe.push(compressed.subarray(at, at + piece));
  return probe.finish();
}

const filters = fc.array(fc.constantFrom(...made.ALL_FILTERS), { minLength: 1, maxLength: 7 });
const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter((each) => each.isWellFormed());
const way = fc.record({
  place: fc.constantFrom<made.Hiding['place']>('png', 'rgb'),
  gzipped: fc.boolean(),
  height: fc.integer({ min: 1, max: 90 }),
  spare: fc.nat(20),
  alpha: fc.boolean(),
  filters,
  piece: fc.integer({ min: 1, max: 9000 }),
  level: fc.constantFrom(0, 6, 9),
});

test('any text is read back from a picture of any size that has room', async () => {
  await fc.assert(
    fc.asyncProperty(text, way, async (hidden, { place, height, spare, alpha, level, piece, ...rest }) => {
      const bits = made.payload(hidden, { place, gzipped: rest.gzipped });
      const width = Math.ceil(made.pixelsFor(bits, place) / height) + spare;
      const picture = made.hide(made.picture(width, height, place === 'png' || alpha ? 4 : 3), bits, place);
      const kept = probed(picture, deflateSync(made.filteredRows(picture, rest.filters), { level }), piece);
      expect(kept && (await readPixels(kept))).toBe(hidden);
    }),
    { numRuns: 150 },
  );
});

test('any pixels, cut anywhere, are read or refused', async () => {
  const size = fc.integer({ min: 1, max: 40 });
  const body = fc.uint8Array({ maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(size, size, body, fc.nat(2000), fc.nat(0xffffffff), async (width, height, bytes, cut, bits) => {
      const place = bits % 2 === 0 ? 'png' : 'rgb';
      const hidden = made.payload(bytes, { place, gzipped: bits % 3 === 0, bits: bits % 5 === 0 ? bits : cut });
      const picture = made.hide(made.picture(width, height, 4), hidden, place);
      const kept = probed(picture, deflateSync(made.filteredRows(picture, made.ALL_FILTERS)).subarray(0, cut), 100);
      const read = kept && (await readPixels(kept).catch((error: unknown) => error));
      expect(read === undefined || typeof read === 'string' || read instanceof Error).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('sizes that the pixels do not have are refused', async () => {
  const compressed = deflateSync(Buffer.alloc(1000));
  for (const [width, height] of [
    [2 ** 31 - 1, 1],
    [1, 2 ** 31 - 1],
    [2 ** 31 - 1, 2 ** 31 - 1],
    [100_000, 100_000],
  ] as const) {
    const pixels = { compressed, width, height, channels: 4 as const };
    await expect(readPixels({ ...pixels, certain: true })).rejects.toThrow('end too early');
    await expect(readPixels({ ...pixels, certain: false })).resolves.toBeUndefined();
  }
});

test('pictures without a signature are ruled out by their first rows, and not kept', () => {
  for (const channels of [3, 4] as const) {
    const { pixels: _pixels, ...layout } = made.picture(300, 300, channels);
    const compressed = deflateSync(made.filteredRows(made.picture(300, 300, channels), made.ALL_FILTERS));
    const probe = new HiddenTextProbe(layout);
    probe.push(compressed.subarray(0, 4096));
    expect(probe.open).toBe(false);
    expect(probed(layout, compressed.subarray(0, 4000), 100)).toBeUndefined();
  }
});
