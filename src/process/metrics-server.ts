import { type Server, createServer } from 'node:http';
import { checkMetricsToken } from '../http/metrics-access.ts';
import { STATUS_OF } from '../http/errors/statuses.ts';
import { isAppError } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface MetricsServerOptions {
  host: string;
  port: number;
  token: string | undefined;
  metrics: Metrics;
}

const REQUEST_MS = 10_000;

/** Serves `/metrics`, and nothing else, on a port of its own. @throws EADDRINUSE and others of `listen` */
export async function startMetricsServer({ host, port, token, metrics }: MetricsServerOptions): Promise<Server> {
  const server = createServer((request, response) => {
    const say = (status: number, text: string) => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${text}\n`);
    };
    const answer = async () => {
      if (request.url?.split('?')[0] !== '/metrics') return say(404, 'Only /metrics is here.');
      if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'Read it with GET.');
      checkMetricsToken(token, request.headers.authorization);
      const text = await metrics.registry.metrics();
      response.writeHead(200, { 'content-type': metrics.registry.contentType });
      return response.end(request.method === 'HEAD' ? undefined : text);
    };
    answer().catch((error: unknown) => {
      if (isAppError(error)) say(STATUS_OF[error.code], error.message);
      else say(500, 'The metrics could not be read.');
    });
  });
  server.requestTimeout = REQUEST_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}
