export interface Replayable {
  /** The body from its start; an earlier attempt gets nothing more. @throws the body's own error */
  attempt(): AsyncGenerator<Uint8Array>;
  /** Whether all that was read so far is still there to be given again. */
  whole(): boolean;
  /** Ends the body without reading the rest. */
  cancel(): Promise<void>;
}

/**
 * A body that can be given to one store after another: what was read is kept until it grows beyond `maxBytes`. An attempt
 * that ends early does not end the body.
 */
export function replayable(body: AsyncIterable<Uint8Array>, maxBytes: number): Replayable {
  const iterator = body[Symbol.asyncIterator]();
  /** From the start while `kept`; else only what the running attempt has not taken yet. */
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let kept = true;
  let ended = false;
  let failure: { error: unknown } | undefined;
  let pulling: Promise<void> | undefined;
  let current = 0;

  /** One read at a time, whoever waits for it: an attempt that was given up may still be waiting for what the next one needs. */
  const pull = () =>
    (pulling ??= iterator
      .next()
      .then(
        (next) => {
          if (next.done) ended = true;
          else {
            chunks.push(next.value);
            bytes += next.value.length;
          }
        },
        (error: unknown) => {
          failure = { error };
        },
      )
      .finally(() => (pulling = undefined)));

  return {
    async *attempt() {
      current += 1;
      const mine = current;
      let at = 0;
      for (;;) {
        if (kept && bytes > maxBytes) {
          kept = false;
          chunks = chunks.slice(at);
        }
        if (!kept) at = 0;
        const chunk = chunks[at];
        if (chunk !== undefined) {
          if (kept) at += 1;
          else chunks.shift();
          yield chunk;
        } else if (failure) throw failure.error;
        else if (ended) return;
        else await pull();
        if (mine !== current) return;
      }
    },
    whole: () => kept && failure === undefined,
    async cancel() {
      if (!ended && !failure) await iterator.return?.();
    },
  };
}
