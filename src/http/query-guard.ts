import type { FastifyInstance } from 'fastify';
import { isStorable } from '../domain/text-limits.ts';
import { AppError } from '../errors.ts';

/** Refuses what no text in PostgreSQL can hold, wherever in the address it stands, and encoded bodies. */
export function registerQueryGuard(app: FastifyInstance): void {
  app.addHook('preValidation', async (request) => {
    for (const part of [request.query, request.params]) {
      for (const [name, value] of Object.entries((part ?? {}) as Record<string, unknown>)) {
        for (const text of [name, ...[value].flat()]) {
          if (typeof text === 'string' && (!isStorable(text) || text.includes('\ufffd'))) {
            throw new AppError(
              'invalid_text',
              `'${name.slice(0, 100)}' holds a NUL character or bytes that are not UTF-8; remove them.`,
            );
          }
        }
      }
    }
  });
  app.addHook('onRequest', async (request) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
      throw new AppError(
        'unsupported_content_type',
        'Bodies must not be compressed; send them without Content-Encoding.',
        { field: 'Content-Encoding' },
      );
    }
  });
}
