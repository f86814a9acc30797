import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** How long a refused sender's body is still read, so that it gets the response. */
const LINGER_MS = 2000;

/**
 * A response to a request whose body is still arriving. Closing at once would reset the connection, and the sender's system would
 * discard what it had received of the response; so the response ends when the body has, or after two seconds.
 */
export function lingering(request: IncomingMessage, payload: string): Readable {
  async function* answer(): AsyncGenerator<Buffer> {
    yield Buffer.from(payload);
    await rest(request);
  }
  return Readable.from(answer(), { objectMode: false });
}

/** Reads and discards the rest of the body. */
function rest(request: IncomingMessage): Promise<void> {
  if (request.destroyed || request.readableEnded) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, LINGER_MS);
    function done() {
      clearTimeout(timer);
      request.off('end', done).off('close', done).off('error', done);
      resolve();
    }
    request.once('end', done).once('close', done).on('error', done);
    request.unpipe();
    request.resume();
  });
}
