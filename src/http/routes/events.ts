import { Readable } from 'node:stream';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import type { EventStreams } from '../../domain/events/event-streams.ts';
import { scopeOf } from '../../domain/search/search.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import { eventStream } from '../responses/event-stream.ts';
import { problems } from '../../shapes/common.ts';
import { EventsHeaders, EventsQuery, eventsResponse } from '../schemas/events.ts';

/** The stream of events. */
export function eventRoutes(instance: FastifyInstance, streams: EventStreams): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.addHook('onReady', async () => streams.start());
  // Before the server waits for its connections, which streams would keep open.
  app.addHook('preClose', async () => streams.stop());
  app.addHook('onClose', () => streams.settled());

  app.route({
    method: 'GET',
    url: '/v1/events',
    config: { access: 'media:read' },
    schema: {
      operationId: 'followEvents',
      tags: ['Events'],
      summary: 'Follow events',
      description:
        'Items that are stored or fail and jobs that change, as server-sent events, from now on or behind `Last-Event-ID`, each once and in order, whichever replica is asked. They are kept for a day. The stream ends when the token expires.',
      querystring: EventsQuery,
      headers: EventsHeaders,
      response: { 200: eventsResponse, ...problems },
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const { told, close } = await streams.follow({
        subject: caller.sub,
        userId: scopeOf(caller, request.query.userId),
        // Empty: the client has seen no event yet.
        after: request.headers['last-event-id'] || request.query.lastEventId || undefined,
        expires: caller.expires,
        signal: abortSignal(request, reply),
      });
      const stream = Readable.from(eventStream(told), { objectMode: false });
      stream.once('close', close);
      stream.on('error', (error) => request.log.info({ err: error }, 'an event stream broke off'));
      reply.headers({
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
        // A stream ends with its token or this process; with keep-alive the connection would delay the shutdown.
        connection: 'close',
      });
      return reply.send(stream as never);
    },
  });
}
