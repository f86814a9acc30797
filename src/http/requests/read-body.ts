import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';
import { parseJson } from '../../json/parse-json.ts';
import type { JsonLimits } from '../../json/scan.ts';
import { isPlainObject } from '../../json/walk.ts';
import { type AddressSlots, createAddressSlots } from './address-slots.ts';
import type { BodyMemory, BodyRoom } from './body-memory.ts';
import { digestBody, watchDigest } from './content-digest.ts';
import { continueOnDemand, sendContinue } from '../connections/expect-continue.ts';
import { firstByte } from './first-byte.ts';
import { type BodyRate, createBodyPace, paced } from '../connections/minimum-rate.ts';
import { checkFormLength } from './form-length.ts';
import { type BodyForm, TAKEN, formOf, mayHaveBody, requireRouteBodies } from './route-body.ts';

export interface BodyOptions {
  /** Maximum bytes of a body that is read into memory. */
  maxJsonBytes: number;
  maxFileBytes: number;
  json: JsonLimits;
  memory: BodyMemory;
  /** Minimum rate of every body. */
  rate: BodyRate;
}

declare module 'fastify' {
  interface FastifyInstance {
    bodyOptions: BodyOptions;
  }
  interface FastifyRequest {
    /** How the body is read; undefined: there is none. */
    bodyForm: BodyForm | undefined;
    /** Whether the sender was authenticated before the body is read: by a token, a ticket or the secret in the URL. */
    senderProven: boolean;
    /** For the fields of a form, which are held in memory; present exactly when the body is a form. */
    formRoom: BodyRoom | undefined;
    /** Characters of those fields so far. */
    formBytes: number;
    /** Reads the body in its form. */
    readBody: (() => Promise<unknown>) | undefined;
  }
}

/** A body of at least this size from an unauthenticated sender takes one of the few slots of its address. */
const SLOT_FROM = 64 * 1024;
const FIRST_BUFFER = 4 * 1024;
/** Limit for `{}` with white space, where no fields are accepted. */
const EMPTY_OBJECT_BYTES = 1024;

/**
 * The single way in which bodies are read, for all routes registered afterwards. A route declares what it accepts
 * (`config.body`); anything else is refused before a byte of it is read, and an empty body counts as none, whatever its type.
 * Every body has a size limit and a minimum rate. A body in memory takes a share of the memory for bodies, and a slot of its
 * address unless its sender is authenticated.
 */
export function registerBodies(app: FastifyInstance, options: BodyOptions): void {
  const slots = createAddressSlots();
  app.decorate('bodyOptions', options);
  app.decorateRequest('bodyForm', undefined);
  app.decorateRequest('senderProven', false);
  app.decorateRequest('formRoom', undefined);
  app.decorateRequest('formBytes', 0);
  app.decorateRequest('readBody', undefined);
  requireRouteBodies(app);
  continueOnDemand(app.server);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request: FastifyRequest) => request.readBody?.() ?? Promise.resolve());
  app.addHook('preParsing', async (request, reply, payload) => {
    if (!mayHaveBody(request.method)) return payload;
    const arriving = payload as Readable;
    if (!(await hasBody(request, reply, arriving, options.rate))) {
      dropContentHeaders(request);
      return payload;
    }
    // Fastify refuses an empty one.
    if (request.headers['content-type']?.trim() === '') delete request.raw.headers['content-type'];
    checkEncoding(request);
    const route = request.routeOptions.config.body ?? 'none';
    const form = formOf(route, request.headers['content-type'] ?? '');
    if (form === undefined)
      throw new AppError('unsupported_content_type', `This route does not take that Content-Type: ${TAKEN[route]}.`);
    checkLength(request, form, options);
    request.bodyForm = form;
    request.readBody = async () => {
      if (form === 'file') return fileBody(request, reply, arriving, options.rate);
      // Its handler reads it part by part.
      return form === 'form' ? undefined : readWhole(request, reply, { form, payload: arriving, options, slots });
    };
    if (form === 'form') {
      checkFormLength(request);
      sendContinue(request, reply);
      request.formRoom = roomFor(request, reply, options);
    }
    return payload;
  });
  app.addHook('preValidation', async (request) => {
    if (request.routeOptions.config.body === 'optional-json') request.body ??= {};
  });
}

/** Whether the body has a byte; a body with an announced length is not waited for. */
async function hasBody(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: Readable,
  rate: BodyRate,
): Promise<boolean> {
  if (request.headers['transfer-encoding'] === undefined) return (announcedBytes(request) ?? 0) !== 0;
  sendContinue(request, reply);
  return firstByte(payload, rate);
}

/** Of codings that say that nothing was applied. @throws AppError unsupported_content_type */
function checkEncoding(request: FastifyRequest): void {
  const codings = (request.headers['content-encoding'] ?? '').split(',').map((coding) => coding.trim().toLowerCase());
  if (codings.every((coding) => coding === '' || coding === 'identity')) return;
  throw new AppError('unsupported_content_type', 'Bodies must not be compressed; send them without Content-Encoding.', {
    field: 'Content-Encoding',
  });
}

/** An empty body is no body, so its type means nothing (RFC 9110, 8.3), and no parser may be chosen by it. */
function dropContentHeaders(request: FastifyRequest): void {
  for (const name of ['content-type', 'content-encoding', 'content-length', 'transfer-encoding'])
    delete request.raw.headers[name];
}

/** @throws AppError too_large, before anything is read */
function checkLength(request: FastifyRequest, form: BodyForm, { maxJsonBytes, maxFileBytes }: BodyOptions): void {
  const announced = announcedBytes(request) ?? 0;
  if (form === 'file' && announced > maxFileBytes)
    throw new AppError('too_large', `The file may have at most ${maxFileBytes} bytes.`);
  if (form === 'empty-object' && announced > EMPTY_OBJECT_BYTES)
    throw new AppError('invalid_request', `This route takes no fields: ${TAKEN.none}.`);
  if (form !== 'file' && form !== 'form' && announced > maxJsonBytes) throw bodyTooLarge(maxJsonBytes);
}

function bodyTooLarge(maxBytes: number): AppError {
  return new AppError(
    'too_large',
    `This body may have at most ${maxBytes} bytes; send the file as a raw body or as multipart/form-data.`,
  );
}

/** The value of Content-Length; undefined when the body delimits itself. */
export function announcedBytes(request: FastifyRequest): number | undefined {
  const length = request.headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

/**
 * A file's bytes as they arrive, checked against their digest; `100 Continue` is sent at the first read. @throws AppError
 * invalid_digest
 */
function fileBody(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: Readable,
  rate: BodyRate,
): AsyncIterable<Uint8Array> {
  const pace = createBodyPace(rate);
  const digest = watchDigest(request);
  return paced(payload, pace, {
    begin: () => sendContinue(request, reply),
    arrived: (chunk) => {
      pace.arrived(chunk.length);
      digest?.update(chunk);
    },
    end: () => digest?.check(),
  });
}

/** Its share of the memory for bodies, until the response has ended. */
function roomFor(request: FastifyRequest, reply: FastifyReply, { memory }: Pick<BodyOptions, 'memory'>): BodyRoom {
  const room = memory.open(request.senderProven);
  reply.raw.once('close', room.giveBack);
  return room;
}

interface Reading {
  form: BodyForm;
  payload: Readable;
  options: BodyOptions;
  slots: AddressSlots;
}

async function readWhole(request: FastifyRequest, reply: FastifyReply, reading: Reading): Promise<unknown> {
  const { form, options } = reading;
  const body = await collect(request, reply, reading);
  digestBody(request, body);
  if (form === 'bytes') return body;
  const parsed = await parseJson(body, { limits: options.json, mode: form === 'provider-json' ? 'lenient' : 'strict' });
  if (form !== 'empty-object') return parsed;
  if (!isPlainObject(parsed) || Object.keys(parsed).length > 0)
    throw new AppError('invalid_request', `This route takes no fields: ${TAKEN.none}.`);
  return undefined;
}

/** Reads a body into one buffer, within its limits. Its memory is released when the response has ended. */
async function collect(
  request: FastifyRequest,
  reply: FastifyReply,
  { form, payload, options: { memory, rate, ...most }, slots }: Reading,
): Promise<Buffer> {
  const maxJsonBytes = form === 'empty-object' ? EMPTY_OBJECT_BYTES : most.maxJsonBytes;
  sendContinue(request, reply);
  const room = roomFor(request, reply, { memory });
  let slot = request.senderProven;
  const hold = async (bytes: number) => {
    if (!slot && bytes >= SLOT_FROM) {
      slot = true;
      const release = await slots.take(request.ip);
      if (reply.raw.destroyed) release();
      else reply.raw.once('close', release);
    }
    room.grow(bytes);
  };
  const announced = announcedBytes(request);
  if (announced !== undefined) await hold(announced);
  let buffer = Buffer.allocUnsafeSlow(announced ?? FIRST_BUFFER);
  let length = 0;
  const pace = createBodyPace(rate);
  for await (const chunk of paced(payload, pace)) {
    pace.arrived(chunk.length);
    if (length + chunk.length > maxJsonBytes) throw bodyTooLarge(maxJsonBytes);
    if (length + chunk.length > buffer.length) {
      const bytes = Math.min(maxJsonBytes, Math.max(buffer.length * 2, length + chunk.length));
      await hold(bytes);
      const larger = Buffer.allocUnsafeSlow(bytes);
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    buffer.set(chunk, length);
    length += chunk.length;
  }
  if (announced !== undefined && length !== announced)
    throw new AppError('invalid_request', 'The body does not have as many bytes as Content-Length says.');
  return buffer.subarray(0, length);
}
