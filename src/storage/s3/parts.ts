import { StorageError } from '../driver.ts';
import { buffersPassed } from '../streams/minor-gc.ts';
import type { PartMemory, Room } from './part-memory.ts';

const MIB = 1024 ** 2;
/** S3's limit of parts in one upload. */
const MAX_PARTS = 10_000;
/** With an unknown size, parts double after each of these many, which reaches 5 TiB within the parts allowed. */
const DOUBLE_AFTER = 1000;

/**
 * Size of the part `number` (from 1), as small as the whole allows: a part is held in memory until it is stored. Parts of an
 * unknown size do not grow beyond `largest`.
 */
export function partSize(
  number: number,
  smallest: number,
  size: number | undefined,
  largest: number = Infinity,
): number {
  if (size === undefined) return Math.min(largest, smallest * 2 ** Math.floor((number - 1) / DOUBLE_AFTER));
  return size <= smallest * MAX_PARTS ? smallest : Math.ceil(size / MAX_PARTS / MIB) * MIB;
}

/** Largest upload of unknown size when no part exceeds `largest`; one of known size can be larger. */
export function largestUpload(smallest: number, largest: number): number {
  let bytes = 0;
  for (let from = 1; from <= MAX_PARTS; from += DOUBLE_AFTER)
    bytes += DOUBLE_AFTER * partSize(from, smallest, undefined, largest);
  return bytes;
}

export interface UploadPart {
  /** From 1. */
  number: number;
  bytes: Buffer;
  /** The body has ended with this part. */
  last: boolean;
  /** The receiver of the part calls it when the part is stored or given up. See `Room`. */
  giveBack: Room['giveBack'];
}

export interface Cut {
  memory: PartMemory;
  smallest: number;
  /** Expected size of the body, if known. */
  size: number | undefined;
  /** Ends a wait for memory. */
  signal?: AbortSignal;
}

/**
 * Cuts a body into parts, each gathered in memory that was reserved before its first byte. A part is yielded once it is known
 * whether it is the last, so that a body that fails at its very end is not taken for whole.
 * @throws StorageError TOO_LARGE; AppError overloaded; the body's own error
 */
export async function* cutParts(
  body: AsyncIterable<Uint8Array>,
  { memory, smallest, size, signal }: Cut,
): AsyncGenerator<UploadPart> {
  let number = 1;
  let room: Room | undefined;
  let gathered = 0;
  let total = 0;
  try {
    for await (const chunk of body) {
      const before = total;
      total += chunk.length;
      for (let at = 0; at < chunk.length;) {
        if (room && gathered === room.buffer.length) {
          const full = room;
          // From here on the receiver owns it.
          room = undefined;
          yield { number, bytes: full.buffer, last: false, giveBack: full.giveBack };
          number += 1;
          gathered = 0;
        }
        room ??= await memory.take(roomFor(number, before + at, { memory, smallest, size }), signal);
        const taken = chunk.subarray(at, at + room.buffer.length - gathered);
        room.buffer.set(taken, gathered);
        gathered += taken.length;
        at += taken.length;
      }
      // A small body is not worth a garbage collection.
      if (number > 1) buffersPassed(chunk.length);
    }
    const last = room;
    room = undefined;
    const bytes = last?.keep(gathered) ?? Buffer.alloc(0);
    yield { number, bytes, last: true, giveBack: (unread) => last?.giveBack(unread) };
  } finally {
    room?.giveBack(true);
  }
}

/** Maximum bytes of the part `number`, which begins at `start`. */
function roomFor(number: number, start: number, { memory, smallest, size }: Cut): number {
  const bytes = partSize(number, smallest, size, memory.bytes);
  if (bytes > memory.bytes || number > MAX_PARTS)
    throw new StorageError(
      'TOO_LARGE',
      `Parts of ${memory.bytes} bytes are too small for it: an upload has at most ${MAX_PARTS}`,
    );
  return size === undefined ? bytes : Math.min(bytes, size - start);
}
