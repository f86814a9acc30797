import type { FastifyInstance } from 'fastify';
import { AppError } from '../../errors.ts';
import { checkDecoded } from './decoded-text.ts';

/** Refuses what no text in PostgreSQL can hold, wherever in the address it stands, and encoded bodies. */
export function registerQueryGuard(app: FastifyInstance): void {
  app.addHook('preValidation', async (request) => {
    const url = request.raw.url ?? '';
    // What a text cannot hold has to be written as an escape.
    if (!/[^\x21-\x24\x26-\x7e]/.test(url)) return;
    checkEscapes(url);
    checkTexts(request.query);
    checkTexts(request.params);
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

function checkTexts(values: unknown): void {
  for (const [name, value] of Object.entries((values ?? {}) as Record<string, unknown>)) {
    checkDecoded(name, name);
    for (const text of Array.isArray(value) ? value : [value]) if (typeof text === 'string') checkDecoded(name, text);
  }
}

/** The query parser takes a value whose escapes it cannot read as it stands: `%ff` would become a text of three characters. */
function checkEscapes(url: string): void {
  const start = url.indexOf('?');
  if (start === -1 || !url.includes('%', start)) return;
  try {
    decodeURIComponent(url.slice(start + 1));
  } catch (error) {
    throw new AppError('invalid_text', "The query has a '%' that escapes nothing, or bytes that are not UTF-8.", {
      cause: error,
    });
  }
}
