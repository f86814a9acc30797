import { AppError } from '../../errors.ts';

/*
 * An incoming body: its size limit, its head for type detection, and a buffer from which another store can be given it again.
 *
 *   remembering ── more than `replayBytes` read, while it is being passed on ──> passing (a chunk is released once it is taken)
 *
 * Only one read of the source runs at a time, shared by all attempts: one that was given up may still wait for the chunk that the
 * next attempt needs.
 */

export interface Head {
  /** The first bytes, joined. */
  bytes: Uint8Array;
  /** The head is the whole body. */
  complete: boolean;
}

export interface IncomingBody {
  head(): Head;
  /** Reads on until the head has `bytes` bytes, or the body ends. Call it before `read`. */
  more(bytes: number): Promise<Head>;
  /** The body from its start; an earlier reader gets nothing further. @throws the body's own error, AppError too_large */
  read(): AsyncGenerator<Uint8Array>;
  /** Whether `read` can return it from its start once more. */
  whole(): boolean;
  /** Ends the body without reading the rest. */
  cancel(): Promise<void>;
}

export interface BodyBounds {
  /** Bytes that are read before `openBody` returns. */
  headBytes: number;
  /** Maximum bytes. @throws AppError too_large while it is read */
  maxBytes?: number | undefined;
  /** Bytes up to which it can be read again; 0: only once. */
  replayBytes?: number | undefined;
}

/** Opens a body and reads its head, so that its type is known before a destination is chosen. */
export async function openBody(
  source: AsyncIterable<Uint8Array>,
  { headBytes, maxBytes = Infinity, replayBytes = 0 }: BodyBounds,
): Promise<IncomingBody> {
  const iterator = source[Symbol.asyncIterator]();
  /** From the start while `remembering`; else only what the current reader has not taken yet. */
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
    // A generator's return() waits for its running read, which may hang.
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
      // It cannot be read again.
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

/** Bytes in memory as a body. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
