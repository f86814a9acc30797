import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';

/** Aborts when the client goes away before its answer is complete. */
export function abortSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished)
      controller.abort(
        new AppError('invalid_request', 'The client closed the connection.', {
          cause: request.raw.errored ?? undefined,
        }),
      );
  });
  return controller.signal;
}
