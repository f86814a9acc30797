import { Readable } from 'node:stream';
import type { ByteRange } from '../../storage/driver.ts';

/** A part of a stream, for stores that can only return the whole; ends the stream as soon as the part is out. */
export function slice(whole: Readable, { start, end }: ByteRange): Readable {
  // It may fail before anything reads it; the iterator reports that then.
  whole.on('error', () => {});
  async function* part(): AsyncGenerator<Uint8Array> {
    let at = 0;
    for await (const chunk of whole as AsyncIterable<Uint8Array>) {
      const from = Math.max(0, start - at);
      const to = Math.min(chunk.length, end + 1 - at);
      if (from < to) yield chunk.subarray(from, to);
      at += chunk.length;
      if (at > end) return;
    }
  }
  return Readable.from(part(), { objectMode: false });
}
