import type { FastifyInstance } from 'fastify';
import { AppError } from '../../errors.ts';

/** When one of these is repeated, a proxy may have used one value and Node another (RFC 9112, 3.2 for Host). */
const ONCE = ['host', 'authorization', 'content-type'];

/** Refuses requests that repeat a header that may occur only once, or lack the mandatory one. */
export function registerSingleHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { rawHeaders, httpVersion, headers } = request.raw;
    const twice = headerThatCameTwice(rawHeaders);
    if (twice === undefined && (headers.host !== undefined || httpVersion !== '1.1')) done();
    else if (twice === undefined)
      done(
        new AppError('invalid_request', 'The request has no header Host; HTTP/1.1 requires one.', { field: 'host' }),
      );
    else done(new AppError('invalid_request', `The header ${twice} came twice; send it once.`, { field: twice }));
  });
}

/** @param raw names and values alternating */
function headerThatCameTwice(raw: readonly string[]): string | undefined {
  let seen = 0;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (name.length !== 4 && name.length !== 12 && name.length !== 13) continue;
    const index = ONCE.indexOf(name.toLowerCase());
    if (index === -1) continue;
    if ((seen & (1 << index)) !== 0) return ONCE[index];
    seen |= 1 << index;
  }
  return undefined;
}
