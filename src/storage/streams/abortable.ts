/** Passes a body on until the signal fires, also while nothing arrives: a sender that hangs must not hold anything open. */
export async function* abortable(body: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (!signal) return yield* body;
  const iterator = body[Symbol.asyncIterator]();
  let ended = false;
  // One listener for all chunks: to add and remove one costs more than a chunk does.
  let giveUp = () => {};
  const abort = () => giveUp();
  signal.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = () => reject(signal.reason as Error);
        if (signal.aborted) giveUp();
        iterator.next().then(resolve, reject);
      });
      if (next.done) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    // Not awaited: a generator answers only after the read that hangs.
    if (!ended) void iterator.return?.().catch(() => {});
  }
}

/** The work’s outcome, or at once the signal’s reason when that fires first; the work itself goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
