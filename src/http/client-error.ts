import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { AppError, codeOf } from '../errors.ts';
import { problemOf } from './error-handler.ts';

/** What the HTTP parser refuses before there is a request, as a problem like any other. */
const REFUSALS: Readonly<Record<string, AppError>> = {
  ERR_HTTP_REQUEST_TIMEOUT: new AppError('request_timeout', 'The head or the body of the request took too long.'),
  HPE_HEADER_OVERFLOW: new AppError('invalid_request', 'The head of the request is larger than 32 KiB.'),
};
const MALFORMED = new AppError('invalid_request', 'The request is not valid HTTP.');

/** Answers a connection on which no valid request came, and closes it. */
export function answerClientError(this: FastifyInstance, error: Error, socket: Socket): void {
  const code = codeOf(error) ?? '';
  if (code === 'ECONNRESET' || socket.destroyed) return;
  const problem = problemOf(REFUSALS[code] ?? MALFORMED, { id: randomUUID() });
  // An answer that has begun on this connection must not get another one into its middle.
  if (socket.writable && socket.bytesWritten === 0) {
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
  this.log.info({ code, requestId: problem.requestId }, 'a connection was closed: it sent no valid request');
  socket.destroySoon();
}
