import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';

/**
 * HEAD needs the headers alone. Fastify would read a stream to its end, which for events never comes, and would write
 * `content-length: 0` over the length of content that a handler left out. An empty stream in place of either prevents both.
 */
export function registerHeadRequests(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    if (request.method !== 'HEAD') done(null, payload);
    else if (payload instanceof Readable) {
      payload.on('error', () => {});
      payload.destroy();
      done(null, Readable.from([]));
    } else if (payload === undefined && reply.hasHeader('content-length')) done(null, Readable.from([]));
    else done(null, payload);
  });
}
