import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { loggableUrl } from '../telemetry/loggable-url.ts';

/** The caller's request id if it has the form of one, else a new one: arbitrary text must not get into the log. */
export function requestId(raw: IncomingMessage): string {
  const given = raw.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(given) ? given : randomUUID();
}

/** Logs one line per request, answered or aborted by the client. */
export function registerLogging(
  app: FastifyInstance<RawServerDefault>,
  observe: (method: string, route: string, status: number, seconds: number) => void,
): void {
  const describe = (request: FastifyRequest) => ({
    method: request.method,
    url: loggableUrl(request.url),
    route: request.routeOptions.url ?? null,
    ip: request.ip,
    userId: request.caller?.sub,
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  app.addHook('onResponse', async (request, reply) => {
    const seconds = reply.elapsedTime / 1000;
    const route = request.routeOptions.url ?? 'none';
    observe(request.method, route, reply.statusCode, seconds);
    const level = route.startsWith('/health') || route === '/metrics' ? 'debug' : 'info';
    request.log[level](
      { ...describe(request), status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
      'answered',
    );
  });
  app.addHook('onRequestAbort', async (request) => {
    request.log.info(describe(request), 'the client closed the connection before the request was complete');
  });
}
