import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest, RawServerDefault } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { traceOf, withLogContext } from '../telemetry/log-context.ts';
import { loggableUrl, withoutTokens } from '../telemetry/loggable-url.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Why it was refused or failed, for the log. */
    problem: { code: string; detail: string; cause?: string } | undefined;
    /** The item that it is about, where the path does not name it. */
    itemId: string | undefined;
  }
}

/** The caller's request id if it has the form of one, else a new one: arbitrary text must not get into the log. */
export function requestId(raw: IncomingMessage): string {
  const given = raw.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(given) ? given : randomUUID();
}

const MAX_AGENT = 200;
/** What `{id}` means, by the first word of a route. */
const ID_OF: Readonly<Record<string, string>> = {
  media: 'itemId',
  runs: 'runId',
  uploads: 'uploadId',
  'webhook-deliveries': 'deliveryId',
};
const NAMED = ['provider', 'jobId', 'runId', 'projectId', 'sceneId'];
/** What a creation answers with. */
const CREATED = /^\/v1\/(media|runs|uploads)\/([\w-]+)$/;

/** Ids of what a request is about: those in its path, and that of what it has made. */
function idsOf(request: FastifyRequest, reply: FastifyReply | undefined): Record<string, string> {
  const ids: Record<string, string> = {};
  const params = (request.params ?? {}) as Record<string, string | undefined>;
  const kind = ID_OF[request.routeOptions.url?.split('/')[2] ?? ''];
  if (kind !== undefined && params['id'] !== undefined) ids[kind] = params['id'];
  for (const name of NAMED) if (params[name] !== undefined) ids[name] = params[name];
  const location = reply?.getHeader('location');
  const [, made = '', id] = (typeof location === 'string' && CREATED.exec(location)) || [];
  const madeKind = ID_OF[made];
  if (madeKind !== undefined && id !== undefined) ids[madeKind] = id;
  if (request.itemId !== undefined) ids['itemId'] = request.itemId;
  for (const [name, value] of Object.entries(ids)) ids[name] = withoutTokens(value.slice(0, 200));
  return ids;
}

/** Bytes of the requests and responses on a connection that are accounted for. */
const counted = new WeakMap<Socket, { read: number; written: number }>();

/** Bytes on the connection since its last request, with the headers. */
function trafficOf({ socket }: IncomingMessage): { bytesIn?: number; bytesOut?: number } {
  const { bytesRead, bytesWritten } = socket as { bytesRead?: number; bytesWritten?: number };
  // A test that injects a request has no connection.
  if (bytesRead === undefined || bytesWritten === undefined) return {};
  const before = counted.get(socket) ?? { read: 0, written: 0 };
  counted.set(socket, { read: bytesRead, written: bytesWritten });
  return { bytesIn: bytesRead - before.read, bytesOut: bytesWritten - before.written };
}

/** Logs one line per request, answered or aborted by the client. Every other line that is written on its behalf has its ids. */
export function registerLogging(
  app: FastifyInstance<RawServerDefault>,
  observe: (method: string, route: string, status: number, seconds: number) => void,
): void {
  app.decorateRequest('problem', undefined);
  app.decorateRequest('itemId', undefined);
  const describe = (request: FastifyRequest, reply?: FastifyReply) => {
    const { 'user-agent': agent, traceparent } = request.headers;
    return {
      requestId: request.id,
      ...traceOf(traceparent),
      method: request.method,
      url: loggableUrl(request.url),
      route: request.routeOptions.url ?? null,
      ...(reply && { status: reply.statusCode, ms: Math.round(reply.elapsedTime) }),
      ...trafficOf(request.raw),
      ip: request.ip,
      userId: request.caller?.sub,
      ...idsOf(request, reply),
      ...(agent !== undefined && { userAgent: withoutTokens(agent.slice(0, MAX_AGENT)) }),
      ...request.problem,
    };
  };
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    withLogContext({ requestId: request.id, ...traceOf(request.headers.traceparent) }, done);
  });
  const told = new WeakSet<FastifyRequest>();
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    observe(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    if (told.has(request)) return;
    const level = route.startsWith('/health') || route === '/metrics' ? 'debug' : 'info';
    request.log[level](describe(request, reply), 'answered');
  });
  // It may never be answered.
  app.addHook('onRequestAbort', async (request) => {
    told.add(request);
    request.log.info(
      { ...describe(request), code: 'aborted' },
      'the client closed the connection before the request was complete',
    );
  });
}
