import { Readable, addAbortSignal } from 'node:stream';
import { type ByteRange, StorageError } from '../driver.ts';

/** GitHub may stop sending in the middle of a body; a slow reader is waited for. */
const STALL_MS = 30_000;

/**
 * The bytes of a blob as a stream, or the part `range` of them: GitHub sends whole blobs only. The stream fails when the body is
 * shorter or longer than the blob.
 */
export function blobStream(
  body: ReadableStream<Uint8Array> | Buffer,
  size: number,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Readable {
  const chunks = Buffer.isBuffer(body) ? [body] : read(body);
  const stream = Readable.from(part(chunks, size, range ?? { start: 0, end: size - 1 }), { objectMode: false });
  return signal ? addAbortSignal(signal, stream) : stream;
}

async function* part(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  size: number,
  { start, end }: ByteRange,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const chunk of chunks) {
    const wanted = chunk.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at));
    at += chunk.length;
    if (wanted.length > 0) yield wanted;
    // Do not wait for the rest.
    if (at > end && at < size && end < size - 1) return;
  }
  if (at !== size) throw new StorageError('UNAVAILABLE', `GitHub sent ${at} of ${size} bytes`);
}

async function* read(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await unlessStalled(reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function unlessStalled<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new StorageError('UNAVAILABLE', `GitHub sent nothing for ${STALL_MS / 1000} s`)),
      STALL_MS,
    );
  });
  try {
    return await Promise.race([work, stalled]);
  } finally {
    clearTimeout(timer);
  }
}
