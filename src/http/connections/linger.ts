import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** How long a sender that has been refused is listened to, so that it hears why. */
const LINGER_MS = 2000;

/**
 * An answer to a request whose body is still on its way. Closing at once would reset the connection, and what the sender's system
 * had received of the answer would be thrown away with it; so the answer ends only when the body has, or after two seconds.
 */
export function lingering(request: IncomingMessage, payload: string): Readable {
  async function* answer(): AsyncGenerator<Buffer> {
    yield Buffer.from(payload);
    await rest(request);
  }
  return Readable.from(answer(), { objectMode: false });
}

/** Reads what still comes, and forgets it. */
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
