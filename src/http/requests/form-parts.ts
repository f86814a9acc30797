import { finished, type Readable } from 'node:stream';
import { Dicer } from '@fastify/busboy';
import { AppError } from '../../errors.ts';
import { type PartHead, boundaryOf, readPartHead } from './part-headers.ts';

/** One part of a form. Its bytes must be read before the next part can come. */
export interface FormPart extends PartHead {
  bytes: AsyncIterable<Buffer>;
}

/** A boundary has at most 70 characters (RFC 2046, 5.1.1); some senders need a few more. */
const MAX_BOUNDARY = 200;
const MAX_PARTS = 120;
const MAX_HEADERS = 50;
const MAX_HEAD_BYTES = 16 * 1024;

const malformed = (cause?: unknown) =>
  new AppError(
    'invalid_multipart',
    'The multipart body is malformed: its boundary is missing or unusable, or it was cut off.',
    { cause },
  );

/** The bytes of a part; one that was cut off reports it in the parser's own words. @throws AppError invalid_multipart */
async function* bytesOf(part: Readable): AsyncGenerator<Buffer> {
  try {
    yield* part.iterator({ destroyOnReturn: false });
  } catch (error) {
    throw error instanceof AppError ? error : malformed(error);
  }
}

/**
 * Reads the parts of a multipart/form-data body, one after the other. After a failure the rest of the body is left unread.
 * @returns a function that waits for the next part; undefined: there is no other
 * @throws AppError invalid_multipart
 */
export function readParts(body: Readable, contentType: string): () => Promise<FormPart | undefined> {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined || boundary.length > MAX_BOUNDARY) throw malformed();
  const parser = new Dicer({
    boundary,
    maxHeaderPairs: MAX_HEADERS,
    maxHeaderSize: MAX_HEAD_BYTES,
  } as ConstructorParameters<typeof Dicer>[0]);
  /** Parts that the parser has found and nobody has asked for; one, as a rule. */
  const found: FormPart[] = [];
  let count = 0;
  let headless = false;
  let reading: Readable | undefined;
  let outcome: { failure?: AppError } | undefined;
  let wake = () => {};

  const end = (result: { failure?: AppError }) => {
    outcome ??= result;
    wake();
  };
  const fail = (failure: AppError) => {
    body.unpipe(parser);
    // Whoever reads it would wait for ever.
    reading?.destroy(failure);
    end({ failure });
  };
  parser.on('part', (bytes) => {
    // A part that was cut off reports it on its own stream, too.
    bytes.on('error', () => {});
    if (headless) return fail(malformed());
    headless = true;
    reading = bytes;
    if ((count += 1) > MAX_PARTS)
      return fail(new AppError('invalid_multipart', 'The multipart body has too many parts.'));
    bytes.once('header', (headers) => {
      headless = false;
      const head = readPartHead(headers as Record<string, string[]>);
      if (!head) return fail(new AppError('invalid_multipart', 'A part of the form has no name.'));
      found.push({ ...head, bytes: bytesOf(bytes) });
      wake();
    });
  });
  parser.on('error', (error) => fail(malformed(error)));
  // What follows the last boundary belongs to the body: it may be endless, or shorter than announced.
  let open = 2;
  const close = () => {
    open -= 1;
    if (open === 0) end({});
  };
  parser.on('finish', () => {
    if (headless) return fail(malformed());
    close();
    // The pipe ends with the last boundary; what follows is read for nothing, and counted by whoever watches the body.
    process.nextTick(() => body.resume());
  });
  finished(body, { writable: false }, (error) => (error ? fail(malformed(error)) : close()));
  body.pipe(parser);

  return async () => {
    while (found.length === 0 && outcome === undefined)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    const part = found.shift();
    if (part) return part;
    if (outcome?.failure) throw outcome.failure;
    return undefined;
  };
}
