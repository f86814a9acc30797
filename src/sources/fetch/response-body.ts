import { Readable } from 'node:stream';
import { AppError } from '../../errors.ts';
import { type ContentCoding, decodeBody } from './decode-body.ts';
import { fetchFailure, tooLarge } from './fetch-failure.ts';

export interface ResponseBodyOptions {
  source: Readable;
  host: string;
  coding: ContentCoding | undefined;
  /** The Content-Length, if any; with a content coding it counts encoded bytes. */
  announced: number | undefined;
  maxBytes: number;
  signal: AbortSignal;
  /** The socket's error; the HTTP parser does not always pass it on. */
  socketError: () => Error | undefined;
  /** Called once, when the body has ended, failed or been destroyed. Closes the connection and stops the clock. */
  release: () => void;
}

/**
 * A stream of the decoded bytes of a response, with backpressure to the socket. It ends only when the body is complete;
 * otherwise it is destroyed with an AppError, even while it is not read. Destroying it, or leaving a `for await` over
 * it, closes the connection.
 */
export function responseBody(options: ResponseBodyOptions): Readable {
  const { signal, host, release } = options;
  const bytes = checkedBytes(options);

  const body = new Readable({
    read() {
      bytes.next().then(
        ({ done, value }) => this.push(done === true ? null : value),
        (error: unknown) => this.destroy(signal.aborted ? signal.reason : fetchFailure(error, host, 'receiving')),
      );
    },
    destroy(error, callback) {
      signal.removeEventListener('abort', onAbort);
      release();
      // Ends a decoder that is waiting for its reader.
      bytes.return(undefined).catch(() => {});
      callback(error);
    },
  });
  const onAbort = (): void => void body.destroy(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();

  // Without a listener, an error before the reader arrives would end the process.
  body.on('error', () => {});
  return body;
}

async function* checkedBytes(options: ResponseBodyOptions): AsyncGenerator<Uint8Array> {
  const { source, coding, announced, maxBytes, socketError } = options;
  const chunks = coding === undefined ? (source as AsyncIterable<Buffer>) : decodeBody(source, coding, maxBytes);

  let received = 0;
  for await (const chunk of chunks) {
    received += chunk.length;
    if (received > maxBytes) throw tooLarge(maxBytes);
    yield chunk;
  }
  // A body without a length ends when the connection closes, and undici takes a reset for such an end.
  const broken = socketError();
  if (broken !== undefined) throw broken;
  if (coding === undefined && announced !== undefined && received !== announced) {
    throw new AppError('fetch_failed', `The file has ${received} bytes, but ${announced} were announced.`);
  }
}
