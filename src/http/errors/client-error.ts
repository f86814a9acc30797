import { randomUUID } from 'node:crypto';
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { AppError, codeOf } from '../../errors.ts';
import { problemOf } from './error-handler.ts';

/** Problems for requests that the HTTP parser refuses. */
const REFUSALS: Readonly<Record<string, AppError>> = {
  ERR_HTTP_REQUEST_TIMEOUT: new AppError('request_timeout', 'The head or the body of the request took too long.'),
  HPE_HEADER_OVERFLOW: new AppError(
    'headers_too_large',
    'The head of the request is larger than 32 KiB: shorten the URL, the token or the cookies.',
  ),
};
const MALFORMED = new AppError('invalid_request', 'The request is not valid HTTP.');

/** The unfinished responses of each connection, oldest first. */
const unfinished = new WeakMap<Socket, Set<ServerResponse>>();

/** Tracks running responses for `answerClientError`. */
export function trackResponses(server: Server): void {
  server.prependListener('request', ({ socket }, response) => {
    const answers = unfinished.get(socket) ?? new Set();
    unfinished.set(socket, answers.add(response));
    response.once('close', () => answers.delete(response));
  });
}

/** Whether a response on the connection has begun and not ended. */
function isAnswering(socket: Socket): boolean {
  const [oldest] = unfinished.get(socket) ?? [];
  return oldest?.headersSent === true;
}

/** Responds on a connection without a valid request, and closes it. */
export function answerClientError(this: FastifyInstance, error: Error, socket: Socket): void {
  const code = codeOf(error) ?? '';
  if (code === 'ECONNRESET' || socket.destroyed) return;
  // The client went away within a request, whose own line tells so.
  const isTold = code === 'HPE_INVALID_EOF_STATE' && (unfinished.get(socket)?.size ?? 0) > 0;
  const problem = problemOf(REFUSALS[code] ?? MALFORMED, { id: randomUUID() });
  // Never write into the middle of a response that has begun on this connection.
  if (socket.writable && !isAnswering(socket)) {
    const body = JSON.stringify(problem);
    socket.write(
      [
        `HTTP/1.1 ${problem.status} ${problem.code}`,
        'content-type: application/problem+json; charset=utf-8',
        `content-length: ${Buffer.byteLength(body)}`,
        `x-request-id: ${problem.requestId}`,
        'cache-control: no-store',
        'connection: close',
        '',
        body,
      ].join('\r\n'),
    );
  }
  // oxlint-disable-next-line oxc/no-this-in-exported-function -- Fastify calls it with the instance as `this`
  const { log } = this;
  if (!isTold) log.info({ code, requestId: problem.requestId }, 'a connection was closed: it sent no valid request');
  socket.destroySoon();
}
