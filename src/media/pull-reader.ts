/** Most bytes that one read may request: 4 MiB. */
export const MAX_TAKE_BYTES = 4 * 1024 * 1024;

/**
 * What a parser waits for: a number of bytes (`short`: fewer at the end of the file), any bytes, to skip some, or to skip
 * blocks that each begin with their length in one byte, up to an empty one.
 */
export type Want =
  | { kind: 'take'; bytes: number; short: boolean }
  | { kind: 'some' }
  | { kind: 'skip'; bytes: number }
  | { kind: 'blocks' };

/**
 * A parser of a streamed file, as a generator. It pauses at every `yield*`. The bytes that it gets are valid only until its
 * next `yield*`. When the file ends, the parser is not resumed.
 */
export type Pull<T = void> = Generator<Want, T, Uint8Array>;

export interface ReadSource {
  /** Bytes of the file that the parser has taken or skipped. */
  readonly position: number;
}

const EMPTY = new Uint8Array(0);

/** Takes exactly `bytes` bytes. More than MAX_TAKE_BYTES ends the parser. */
export function* take(bytes: number): Pull<Uint8Array> {
  return yield { kind: 'take', bytes, short: false };
}

/** Takes `bytes` bytes, or what is left of the file. */
export function* takeUpTo(bytes: number): Pull<Uint8Array> {
  return yield { kind: 'take', bytes, short: true };
}

/** Takes the next bytes, at least one. */
export function* takeSome(): Pull<Uint8Array> {
  return yield { kind: 'some' };
}

/** Skips `bytes` bytes. An impossible length ends the parser, not the process. */
export function* skip(bytes: number): Pull {
  if (bytes !== 0) yield { kind: 'skip', bytes };
}

/** Skips blocks that each begin with their length in one byte, up to an empty one. GIF has its pixels in such blocks. */
export function* skipBlocks(): Pull {
  yield { kind: 'blocks' };
}

/**
 * Feeds a pull parser with the chunks of a file. Memory depends on the bytes that have arrived, never on a declared
 * length, and all reads share one buffer. An error in the parser ends it; its results so far stay.
 */
export class PullReader implements ReadSource {
  position = 0;
  #parser: Pull | undefined;
  #want: Want = { kind: 'skip', bytes: 0 };
  #missing = 0;
  #kept = EMPTY;
  #filled = 0;

  start(parser: Pull): void {
    this.#parser = parser;
    this.#resume(EMPTY);
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (this.#parser !== undefined) {
      const left = chunk.length - at;
      if (this.#want.kind === 'skip') {
        const passed = Math.min(this.#missing, left);
        at += passed;
        this.position += passed;
        this.#missing -= passed;
        if (this.#missing > 0) return;
        this.#resume(EMPTY);
      } else if (this.#want.kind === 'blocks') {
        const passed = Math.min(this.#missing, left);
        at += passed;
        this.position += passed;
        this.#missing -= passed;
        if (this.#missing > 0 || at === chunk.length) return;
        this.#missing = chunk[at] ?? 0;
        at += 1;
        this.position += 1;
        if (this.#missing === 0) this.#resume(EMPTY);
      } else if (this.#want.kind === 'some') {
        if (left === 0) return;
        this.position += left;
        this.#resume(chunk.subarray(at));
        at = chunk.length;
      } else {
        const wanted = this.#want.bytes;
        if (this.#filled === 0 && left >= wanted) {
          this.position += wanted;
          at += wanted;
          this.#resume(chunk.subarray(at - wanted, at));
          continue;
        }
        const part = chunk.subarray(at, at + wanted - this.#filled);
        this.#keep(part);
        at += part.length;
        this.position += part.length;
        if (this.#filled < wanted) return;
        this.#resume(this.#kept.subarray(0, wanted));
      }
    }
  }

  /** Call at the end of the file: a waiting `takeUpTo` gets the remaining bytes. */
  end(): void {
    if (this.#want.kind === 'take' && this.#want.short) this.#resume(this.#kept.subarray(0, this.#filled));
    this.#stop();
  }

  #keep(part: Uint8Array): void {
    const needed = this.#filled + part.length;
    if (needed > this.#kept.length) {
      const grown = new Uint8Array(Math.min(MAX_TAKE_BYTES, Math.max(needed, this.#kept.length * 2, 256)));
      grown.set(this.#kept.subarray(0, this.#filled));
      this.#kept = grown;
    }
    this.#kept.set(part, this.#filled);
    this.#filled = needed;
  }

  #resume(bytes: Uint8Array): void {
    this.#filled = 0;
    try {
      const step = this.#parser?.next(bytes);
      if (step === undefined || step.done === true) return this.#stop();
      this.#want = step.value;
    } catch {
      // A malformed header is the uploader's fault; only the facts in it are lost.
      return this.#stop();
    }
    this.#missing = 0;
    if (this.#want.kind === 'some' || this.#want.kind === 'blocks') return;
    const { kind, bytes: count } = this.#want;
    if (!(count >= 0) || (kind === 'take' && count > MAX_TAKE_BYTES)) return this.#stop();
    this.#missing = count;
  }

  #stop(): void {
    this.#parser = undefined;
    this.#kept = EMPTY;
  }
}
