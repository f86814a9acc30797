import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { asAppError } from '../../domain/database-failure.ts';
import { AppError, ERROR_CODES, type ErrorCode, codeOf } from '../../errors.ts';
import { StorageError } from '../../storage/driver.ts';
import { withoutTokens } from '../../telemetry/loggable-url.ts';
import { validationError } from './validation.ts';
import { lingering } from '../connections/linger.ts';
import { waitsForContinue } from '../connections/expect-continue.ts';
import { STATUS_OF } from './statuses.ts';

/** RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  requestId: string;
  field?: string;
}

/** Errors of Fastify and its plugins, by their codes. */
const FOREIGN: Readonly<Record<string, [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_content_type',
    'This route does not take that Content-Type; send application/json, multipart/form-data or the media type of the file.',
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: [
    'too_large',
    'The body is larger than this route takes; send the file as a raw body or as multipart/form-data.',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', 'The body is empty; send a JSON object.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json', 'The body is not valid JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'invalid_request',
    'The body does not have as many bytes as Content-Length says.',
  ],
  FST_ERR_CTP_INVALID_TYPE: ['unsupported_content_type', 'The Content-Type header cannot be read.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The path is not a valid URL path.'],
  FST_ERR_ASYNC_CONSTRAINT: ['invalid_request', 'The request cannot be routed.'],
  ERR_STREAM_PREMATURE_CLOSE: ['invalid_request', 'The body ended before it was complete.'],
  ECONNRESET: ['invalid_request', 'The connection was closed before the body was complete.'],
};

/** A reset database connection has the code of a broken body, but names the system call, which Node does not for a body. */
function isOfOurConnection(error: unknown): boolean {
  return codeOf(error) === 'ECONNRESET' && (error as { syscall?: unknown }).syscall !== undefined;
}

function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  // A body failed before its first byte was delivered.
  if (error instanceof StorageError && error.code === 'UNAVAILABLE')
    return new AppError('store_unavailable', 'The store does not give the bytes just now; try again shortly.', {
      cause: error,
      retryAfter: error.retryAfter ?? 5,
    });
  const { code, validation, statusCode, message } = error as FastifyError;
  if (validation) return validationError(error as FastifyError);
  const known = code === undefined || isOfOurConnection(error) ? undefined : FOREIGN[code];
  if (known) return new AppError(known[0], known[1], { cause: error });
  if (statusCode === 429) return new AppError('rate_limited', message, { cause: error });
  if (statusCode === 503)
    return new AppError('overloaded', 'The service is overloaded; try again shortly.', { cause: error, retryAfter: 5 });
  const translated = asAppError(error);
  if (translated instanceof AppError) return translated;
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new AppError('invalid_request', 'The request is malformed.', { cause: error });
  return new AppError(
    'internal',
    'Something went wrong inside the service; the log has the details under this request id.',
    { cause: error },
  );
}

/** The failure of one part of a request, as it is sent; a fault of ours is logged, because the request itself succeeds. */
export function failedPart(thrown: unknown, request: FastifyRequest): { status: number; problem: Problem } {
  const problem = problemOf(thrown, request);
  if (problem.status >= 500)
    request.log[levelOf(problem.code)](
      { err: thrown, code: problem.code, userId: request.caller?.sub },
      'a part of a request failed',
    );
  return { status: problem.status, problem };
}

/** Refusals under load or during shutdown are expected: an operator need not act. */
function levelOf(code: ErrorCode): 'info' | 'warn' | 'error' {
  if (STATUS_OF[code] < 500) return 'info';
  return code === 'overloaded' || code === 'shutting_down' ? 'warn' : 'error';
}

/** A failure as it is sent. */
export function problemOf(thrown: unknown, request: Pick<FastifyRequest, 'id'>): Problem {
  const error = toAppError(thrown);

  return {
    type: `urn:mediakeep:error:${error.code}`,
    title: ERROR_CODES[error.code],
    status: STATUS_OF[error.code],
    detail: error.message,
    code: error.code,
    requestId: request.id,
    ...(error.field !== undefined && { field: error.field }),
  };
}

function send(reply: FastifyReply, request: FastifyRequest, error: AppError, unread = false): FastifyReply {
  const problem = problemOf(error, request);
  const { status } = problem;
  reply.headers(error.headers);
  if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter);
  if (status === 401)
    reply.header('www-authenticate', error.code === 'token_missing' ? 'Bearer' : 'Bearer error="invalid_token"');
  // Headers that a route had set for its success must not describe a problem.
  for (const name of [
    'content-range',
    'content-disposition',
    'etag',
    'last-modified',
    'content-length',
    'accept-ranges',
  ]) {
    if (!(status === 416 && name === 'content-range')) reply.removeHeader(name);
  }
  reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/problem+json; charset=utf-8')
    .serializer((payload: unknown) => JSON.stringify(payload));
  if (!unread) return reply.send(problem);
  const text = JSON.stringify(problem);
  return reply.header('content-length', Buffer.byteLength(text)).send(lingering(request.raw, text));
}

/** Sends every failure as application/problem+json; a 500 is logged with its cause and reveals nothing of it. */
export function registerErrorHandler(app: FastifyInstance): void {
  app.setErrorHandler((thrown, request, reply) => {
    const error = toAppError(thrown);
    const level = levelOf(error.code);
    request.problem = {
      code: error.code,
      detail: withoutTokens(error.message),
      ...(error.cause instanceof Error && { cause: withoutTokens(error.cause.message.slice(0, 300)) }),
    };
    // A refusal is told in the line of its request; a failure has one more, with its cause.
    if (level !== 'info')
      request.log[level](
        { err: error.cause ?? error, code: error.code, userId: request.caller?.sub },
        withoutTokens(error.message),
      );
    // The rest of the body would be read for nothing, or be taken for the next request.
    if (!request.raw.complete) reply.header('connection', 'close');
    return send(reply, request, error, !request.raw.complete && !waitsForContinue(request.raw));
  });
}

/** Responds to a failure before routing: a path that cannot be decoded. */
export function sendFrameworkError(error: FastifyError, request: unknown, reply: unknown): void {
  void send(reply as FastifyReply, request as FastifyRequest, toAppError(error));
}
