import { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { GetResult } from '../../storage/driver.ts';

/** A stream for the response. Fastify pipes it; where its driver has a cheaper way, `sendTo` is used instead. */
export function sendableStream({ stream, sendTo }: Pick<GetResult, 'stream' | 'sendTo'>): Readable {
  if (!sendTo) return stream;
  const pipe = stream.pipe.bind(stream);
  return Object.assign(stream, {
    pipe<T extends NodeJS.WritableStream>(destination: T): T {
      if (!(destination instanceof ServerResponse)) return pipe(destination);
      sendTo((piece) => write(destination, piece)).then(
        () => {
          if (!stream.destroyed || stream.readableEnded) destination.end();
        },
        (error: unknown) => stream.destroy(error as Error),
      );
      return destination;
    },
  });
}

function write(response: ServerResponse, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}
