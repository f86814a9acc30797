import { AppError } from '../../errors.ts';

/*
 * A body on its way in, in one place: its bound, a look at its start, and a memory of what was read so that another store can be given
 * it. The states of what is remembered:
 *
 *   remembering ── more than `replayBytes` read, while it is being passed on ──> passing (a chunk is let go of when it is taken)
 *
 * One read of the source at a time, whichever attempt waits for it: one that was given up may still be waiting for what the next needs.
 */

export interface Head {
  /** The first bytes, joined. */
  bytes: Uint8Array;
  /** The head is the whole body. */
  complete: boolean;
}

export interface IncomingBody {
  head(): Head;
  /** Reads on until the head has `bytes` bytes, or the body ends. To be called before `read`. */
  more(bytes: number): Promise<Head>;
  /** The body from its start; an earlier reader gets nothing more. @throws the body's own error, AppError too_large */
  read(): AsyncGenerator<Uint8Array>;
  /** Whether `read` can give it from its start once more. */
  whole(): boolean;
  /** Ends the body without reading the rest. */
  cancel(): Promise<void>;
}

export interface BodyBounds {
  /** Bytes that are read before it is returned. */
  headBytes: number;
  /** Bytes at most. @throws AppError too_large while it is read */
  maxBytes?: number | undefined;
  /** Bytes up to which it can be read again; 0: once only. */
  replayBytes?: number | undefined;
}

/** Opens a body and reads its start, so that its type is known before it is decided where the bytes go. */
export async function openBody(
  source: AsyncIterable<Uint8Array>,
  { headBytes, maxBytes = Infinity, replayBytes = 0 }: BodyBounds,
): Promise<IncomingBody> {
  const iterator = source[Symbol.asyncIterator]();
  /** From the start while `remembering`; else only what the running reader has not taken yet. */
  let chunks: Uint8Array[] = [];
  let total = 0;
  let remembering = true;
  let ended = false;
  let failure: { error: unknown } | undefined;
  let pulling: Promise<void> | undefined;
  let readers = 0;

  const pull = () =>
    (pulling ??= iterator
      .next()
      .then(
        ({ done, value }) => {
          if (done) ended = true;
          else if ((total += value.length) > maxBytes)
            failure = { error: new AppError('too_large', `The file may have at most ${maxBytes} bytes.`) };
          else if (value.length > 0) chunks.push(value);
        },
        (error: unknown) => {
          failure = { error };
        },
      )
      .finally(() => (pulling = undefined)));

  const head = (): Head => {
    if (chunks.length > 1) chunks = [Buffer.concat(chunks)];
    return { bytes: chunks[0] ?? new Uint8Array(0), complete: ended };
  };
  const more = async (bytes: number): Promise<Head> => {
    while (!ended && !failure && total < bytes) await pull();
    if (failure) throw failure.error;
    return head();
  };
  const cancel = async () => {
    if (ended) return;
    const returned = iterator.return?.().catch(() => {});
    // A generator returns only after the read that it is at, which may hang.
    if (!pulling) await returned;
  };

  async function* read(): AsyncGenerator<Uint8Array> {
    readers += 1;
    const mine = readers;
    let at = 0;
    try {
      for (;;) {
        if (remembering && total > replayBytes) {
          remembering = false;
          chunks = chunks.slice(at);
        }
        if (!remembering) at = 0;
        const chunk = chunks[at];
        if (chunk !== undefined) {
          if (remembering) at += 1;
          else chunks.shift();
          yield chunk;
        } else if (failure) throw failure.error;
        else if (ended) return;
        else await pull();
        if (mine !== readers) return;
      }
    } finally {
      // Nobody can read it again.
      if (!remembering && mine === readers && !ended) void cancel();
    }
  }

  try {
    await more(headBytes);
  } catch (error) {
    await cancel();
    throw error;
  }
  return { head, more, read, whole: () => remembering && failure === undefined, cancel };
}

/** Bytes that are here already, as a body. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
