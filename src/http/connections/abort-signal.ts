import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';

/** Fires when the client disconnects before its response is complete. */
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
