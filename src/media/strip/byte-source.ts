/** The file violates its format, so its parts cannot be told apart. */
export class MalformedFile extends Error {
  override readonly name = 'MalformedFile';
}

/** Opens a file from its start; may be called several times. */
export type OpenFile = () => Promise<AsyncIterable<Uint8Array>>;

/** Most bytes that one `take` may request. */
const MAX_TAKE = 1024 * 1024;
const EMPTY = new Uint8Array(0);

/** Reads a file once, from its start. Only one chunk and the taken bytes are in memory. */
export class ByteSource {
  /** Bytes that have been taken, passed or skipped. */
  position = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = EMPTY;

  constructor(file: AsyncIterable<Uint8Array>) {
    this.#chunks = file[Symbol.asyncIterator]();
  }

  /** Takes exactly `bytes` bytes. @throws MalformedFile when the file ends before, or `bytes` is above the limit */
  async take(bytes: number): Promise<Uint8Array> {
    if (bytes > MAX_TAKE) throw new MalformedFile(`a part of ${bytes} bytes is not expected there`);
    const taken = new Uint8Array(bytes);
    let filled = 0;
    for await (const part of this.pass(bytes)) {
      taken.set(part, filled);
      filled += part.length;
    }
    return taken;
  }

  /** Yields the next `bytes` bytes, piece by piece. @throws MalformedFile when the file ends before */
  async *pass(bytes: number): AsyncGenerator<Uint8Array> {
    for (let left = bytes; left > 0;) {
      const chunk = await this.#current();
      const part = chunk.subarray(0, left);
      this.#advance(part.length);
      left -= part.length;
      yield part;
    }
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0;) {
      const chunk = await this.#current();
      const part = Math.min(chunk.length, left);
      this.#advance(part);
      left -= part;
    }
  }

  /** Yields the bytes up to the first pair `FF xx` for which `stops(xx)` is true, and takes that pair. Returns `xx`. */
  async *passUntilMarker(stops: (code: number) => boolean): AsyncGenerator<Uint8Array, number> {
    for (;;) {
      const chunk = await this.#current();
      let at = chunk.indexOf(0xff);
      while (at >= 0 && at + 1 < chunk.length && !stops(chunk[at + 1] ?? 0)) at = chunk.indexOf(0xff, at + 2);
      const data = chunk.subarray(0, at < 0 ? chunk.length : at);
      this.#advance(data.length);
      if (data.length > 0) yield data;
      if (at < 0) continue;
      const pair = await this.take(2);
      const [, code = 0] = pair;
      if (stops(code)) return code;
      yield pair;
    }
  }

  /** Stops reading and closes the file's stream. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #current(): Promise<Uint8Array> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) throw new MalformedFile('it ends in the middle');
      this.#chunk = next.value;
    }
    return this.#chunk;
  }

  #advance(bytes: number): void {
    this.position += bytes;
    this.#chunk = this.#chunk.subarray(bytes);
  }
}
