import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';
import { digestBody } from './content-digest.ts';
import { COUNTED_FROM, type JsonMemory, type JsonRoom } from './json-memory.ts';
import { type BodyRate, minimumRate } from './minimum-rate.ts';

// Nothing else: a type that the routes do not declare would be parsed and then not be validated.
const JSON_TYPE = /^application\/json\s*(;|$)/i;

/** JSON, strictly: valid UTF-8, no `__proto__`, no key that could reach a prototype. Depth and numbers are checked per field. */
export function registerJsonParser(
  app: FastifyInstance,
  { maxBytes, memory, rate }: { maxBytes: number; memory: JsonMemory; rate: BodyRate },
): void {
  app.addHook('preParsing', async (request, reply, payload) => {
    if (!JSON_TYPE.test(request.headers['content-type'] ?? '')) return payload;
    const room = memory.open();
    reply.raw.once('close', room.giveBack);
    const announced = request.headers['content-length'];
    // One that is too large is refused for that.
    if (announced !== undefined) room.need(Math.min(maxBytes, Number(announced)));
    const body = minimumRate(payload, rate);
    const held = Readable.from(announced === undefined ? admitted(body, room, maxBytes) : body, { objectMode: false });
    // A body over the limit is let go without a listener; the failure of what then never comes would end the process.
    held.on('error', () => {});
    return held;
  });
  const parse = app.getDefaultJsonParser('error', 'error');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    JSON_TYPE,
    { parseAs: 'buffer', bodyLimit: maxBytes },
    (request: FastifyRequest, body: Buffer, done) => {
      let text: string;
      try {
        digestBody(request, body);
        text = decoder.decode(body);
      } catch (error) {
        done(
          error instanceof AppError
            ? error
            : new AppError('invalid_json', 'The body is not valid UTF-8.', { cause: error }),
        );
        return;
      }
      if (text.trim() === '' && request.method === 'DELETE') {
        // Many clients name a Content-Type on every request.
        done(null, undefined);
        return;
      }
      if (text.trim() === '') {
        done(new AppError('invalid_json', 'The body is empty; send a JSON object.'));
        return;
      }
      void parse(request, text, (error, parsed) => {
        if (error)
          done(
            new AppError(
              'invalid_json',
              'The body is not valid JSON, or has a key that is not allowed (__proto__, constructor.prototype).',
              { cause: error },
            ),
          );
        else done(null, parsed);
      });
    },
  );
}

/** A body that has not said how long it is is taken for as long as it may be once it is no short one. */
async function* admitted(
  body: AsyncIterable<Uint8Array>,
  room: JsonRoom,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes >= COUNTED_FROM) room.need(maxBytes);
    yield chunk;
  }
}
