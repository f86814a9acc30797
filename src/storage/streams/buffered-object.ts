import { Readable } from 'node:stream';
import type { GetResult } from '../driver.ts';

/** An object that a driver has read at once. Its stream is created only on demand. */
export class BufferedObject implements GetResult {
  readonly data: Buffer;
  readonly totalBytes: number;
  #stream: Readable | undefined;

  /** @param data the requested bytes, which may be a part of the object */
  constructor(data: Buffer, totalBytes: number) {
    this.data = data;
    this.totalBytes = totalBytes;
  }

  get bytes(): number {
    return this.data.length;
  }

  get stream(): Readable {
    this.#stream ??= Readable.from(this.data.length > 0 ? [this.data] : [], { objectMode: false });
    return this.#stream;
  }
}
