import { expect, test } from 'vitest';

import { MAX_TAKE_BYTES, PullReader, skip, take, takeSome, takeUpTo, type Pull } from '../../src/media/pull-reader.ts';
import { bytes, zeros } from './bytes.ts';

function run(parser: () => Pull, ...chunks: Uint8Array[]): PullReader {
  const reader = new PullReader();
  reader.start(parser());
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return reader;
}

test('takes and skips across chunk boundaries', () => {
  const seen: string[] = [];
  const parser = function* (): Pull {
    seen.push(String(yield* take(3)));
    yield* skip(2);
    seen.push(String(yield* take(0)), String(yield* takeSome()), String(yield* takeUpTo(9)));
  };
  const reader = run(parser, bytes(1, 2), bytes(), bytes(3, 4), bytes(5, 6), bytes(7, 8));
  expect(seen).toEqual(['1,2,3', '', '6', '7,8']);
  expect(reader.position).toBe(8);
});

test.each([MAX_TAKE_BYTES + 1, 2 ** 56, Number.NaN, -1, Number.POSITIVE_INFINITY])(
  'a read of %d bytes ends the parser',
  (count) => {
    let resumed = false;
    const parser = function* (): Pull {
      try {
        yield* takeUpTo(count);
        resumed = true;
      } catch {
        resumed = true;
      }
    };
    run(parser, zeros(MAX_TAKE_BYTES), zeros(MAX_TAKE_BYTES));
    expect(resumed).toBe(false);
  },
);

test('an error in a parser ends only that parser', () => {
  const parser = function* (): Pull {
    yield* take(1);
    throw new RangeError('a header that cannot be');
  };
  expect(() => run(parser, bytes(1), bytes(2))).not.toThrow();
});

test('at the end of the file a parser is resumed only if it waits in takeUpTo, and once', () => {
  let resumed = 0;
  const forever = function* (): Pull {
    for (;;) {
      yield* takeUpTo(10);
      resumed++;
    }
  };
  run(forever, bytes(1, 2, 3));
  expect(resumed).toBe(1);
  const strict = function* (): Pull {
    yield* take(10);
    resumed++;
  };
  run(strict, bytes(1, 2, 3));
  expect(resumed).toBe(1);
});
