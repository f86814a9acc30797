/**
 * A body that ends with its signal's reason when that fires, even while nothing arrives: a sender that hangs must not hold
 * anything open.
 */
export function abortable(body: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncIterable<Uint8Array> {
  if (!signal) return body;
  return { [Symbol.asyncIterator]: () => new Abortable(body, signal) };
}

class Abortable implements AsyncIterator<Uint8Array> {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal;
  // One listener for all chunks: adding and removing one costs more than a chunk does.
  #giveUp = () => {};
  readonly #abort = () => this.#giveUp();

  constructor(body: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    this.#iterator = body[Symbol.asyncIterator]();
    this.#signal = signal;
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
      this.#giveUp = () => {
        this.#release();
        reject(this.#signal.reason as Error);
      };
      if (this.#signal.aborted) this.#giveUp();
      else this.#iterator.next().then(resolve, reject);
    });
    if (next.done) this.#signal.removeEventListener('abort', this.#abort);
    return next;
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#release();
    return { done: true, value: undefined };
  }

  #release(): void {
    this.#signal.removeEventListener('abort', this.#abort);
    // Not awaited: a generator returns only after the read that hangs.
    void this.#iterator.return?.().catch(() => {});
  }
}

/** The work’s outcome, or at once the signal’s reason if that fires first; the work itself goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
