import { StorageError } from './driver.ts';

const MIB = 1024 ** 2;
/** S3 takes no more parts than that in one upload. */
const MAX_PARTS = 10_000;
/** With an unknown size parts double after so many, which reaches 5 TiB within the parts allowed. */
const DOUBLE_AFTER = 1000;

/** Size of the part `number` (from 1), as small as the whole allows: a part is held in memory until it is stored. */
export function partSize(number: number, smallest: number, size: number | undefined): number {
  if (size === undefined) return smallest * 2 ** Math.floor((number - 1) / DOUBLE_AFTER);
  return Math.max(smallest, Math.ceil(size / MAX_PARTS / MIB) * MIB);
}

export interface Part {
  /** From 1. */
  number: number;
  bytes: Buffer;
  /** The body has ended with this part. */
  last: boolean;
}

/**
 * Cuts a body into parts. A part is given once it is known whether it is the last, so that a body which fails at its very
 * end has not been taken for whole.
 * @throws StorageError SIZE when there are not `size` bytes; the body's own error
 */
export async function* cutParts(
  body: AsyncIterable<Uint8Array>,
  smallest: number,
  size: number | undefined,
): AsyncGenerator<Part> {
  let number = 1;
  let waiting: Uint8Array[] = [];
  let gathered = 0;
  let total = 0;
  for await (const chunk of body) {
    total += chunk.length;
    if (size !== undefined && total > size)
      throw new StorageError('SIZE', `The body has more than the ${size} bytes announced`);
    let rest = chunk;
    while (rest.length > 0) {
      const room = partSize(number, smallest, size) - gathered;
      if (room === 0) {
        yield { number, bytes: Buffer.concat(waiting, gathered), last: false };
        number += 1;
        waiting = [];
        gathered = 0;
        continue;
      }
      const taken = rest.subarray(0, room);
      waiting.push(taken);
      gathered += taken.length;
      rest = rest.subarray(taken.length);
    }
  }
  if (size !== undefined && total !== size)
    throw new StorageError('SIZE', `The body has ${total} of the ${size} bytes announced`);
  yield { number, bytes: Buffer.concat(waiting, gathered), last: true };
}
