import { AppError } from '../../errors.ts';

export interface Head {
  /** The first bytes, joined. */
  bytes: Uint8Array;
  /** The head is the whole body. */
  complete: boolean;
}

export interface PeekedBody {
  head(): Head;
  /** Reads on until the head has `bytes` bytes, or the body ends. */
  more(bytes: number): Promise<Head>;
  /** The whole body from its start: what has been peeked at, then the rest. To be read once. */
  all(): AsyncGenerator<Uint8Array>;
  /** Ends the body without reading the rest. */
  cancel(): Promise<void>;
}

/** Reads the start of a body so that its type can be told before it is decided where the bytes go. */
export async function peek(body: AsyncIterable<Uint8Array>, bytes: number): Promise<PeekedBody> {
  const iterator = body[Symbol.asyncIterator]();
  let chunks: Uint8Array[] = [];
  let length = 0;
  let done = false;
  const more = async (wanted: number): Promise<Head> => {
    while (!done && length < wanted) {
      const next = await iterator.next();
      if (next.done) done = true;
      else if (next.value.length > 0) {
        chunks.push(next.value);
        length += next.value.length;
      }
    }
    return head();
  };
  const head = (): Head => {
    if (chunks.length > 1) chunks = [Buffer.concat(chunks)];
    return { bytes: chunks[0] ?? new Uint8Array(0), complete: done };
  };
  const cancel = async () => {
    await iterator.return?.();
  };
  await more(bytes);
  return {
    head,
    more,
    cancel,
    async *all() {
      try {
        yield* chunks;
        chunks = [];
        while (!done) {
          const next = await iterator.next();
          if (next.done) done = true;
          else yield next.value;
        }
      } finally {
        if (!done) await cancel();
      }
    },
  };
}

/** Passes a body on until it grows beyond `maxBytes`. @throws AppError too_large */
export async function* limited(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new AppError('too_large', `The file may have at most ${maxBytes} bytes.`);
    yield chunk;
  }
}

/** Bytes that are here already, as a body. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
