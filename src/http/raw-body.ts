import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.ts';
import { parseProviderJson } from '../sources/provider-json.ts';
import { digestBody } from './content-digest.ts';

/** Within `scope`, bodies of any type are handed on as the bytes that they are: signatures are over those. */
export function takeRawBodies(scope: FastifyInstance, maxBytes: number): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser<Buffer>('*', { parseAs: 'buffer', bodyLimit: maxBytes }, (_request, body, done) => {
    done(null, body);
  });
}

/** Within `scope`, JSON is read as providers write it: large integers keep their digits. */
export function takeProviderJson(scope: FastifyInstance, maxBytes: number): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser<Buffer>(
    /^application\/json\s*(;|$)/i,
    { parseAs: 'buffer', bodyLimit: maxBytes },
    (request, body, done) => {
      try {
        digestBody(request, body);
        if (body.length === 0) throw new AppError('invalid_json', 'The body is empty; send a JSON object.');
        done(null, parseProviderJson(body));
      } catch (error) {
        done(error as Error);
      }
    },
  );
}
