import { createFieldCheck } from '../../shapes/validator.ts';
import type { FastifyRequest } from 'fastify';
import type { IngestRequest } from '../../domain/ingest/ingest.ts';
import { type Source, base64Source } from '../../domain/bytes/source.ts';
import type { ItemInput } from '../../domain/items/item-fields.ts';
import { AppError } from '../../errors.ts';
import { isAdmin } from '../../domain/caller.ts';
import { callerOf } from '../auth/auth.ts';
import { openForm } from './ingest-form.ts';
import { announcedBytes } from './read-body.ts';
import { IngestFields, type IngestJson, withStorageUrl } from '../../shapes/ingest.ts';

const checkFlat = createFieldCheck<IngestFields>(IngestFields);

export interface IngestOptions {
  /** Fires when the client disconnects. */
  signal: AbortSignal;
  /** The target of the file has an owner already, so the request need not name one. */
  ownerIsKnown?: boolean;
}

/** Converts a request in any of its three forms to the domain's request. @throws AppError */
export async function toIngestRequest(
  request: FastifyRequest,
  { signal, ownerIsKnown = false }: IngestOptions,
): Promise<IngestRequest> {
  const base = { caller: callerOf(request), idempotencyKey: idempotencyKey(request), signal };
  if (request.bodyForm === 'form') {
    const form = await openForm(request);
    const query = flat(request.query);
    const twice = Object.keys(form.early).find((name) => Object.hasOwn(query, name));
    if (twice !== undefined)
      throw new AppError('invalid_multipart', `The field '${twice}' came both in the query and in the form.`, {
        field: twice,
      });
    const source: Source = {
      type: 'bytes',
      via: 'multipart',
      body: form.body,
      filename: form.file.filename,
      declaredType: form.file.type,
      finish: async ({ sha256 }) => toInput({ ...flat(request.query), ...form.early, ...(await form.rest(sha256)) }),
    };
    const input = toInput({ ...query, ...form.early });
    if (input.userId === undefined && isAdmin(base.caller) && !ownerIsKnown) {
      // Read on to see whether the file is missing or only comes late: the fixes differ.
      for await (const _chunk of form.body);
      await form.rest('');
    }
    return { ...base, input, source };
  }
  if (request.bodyForm === 'file')
    return {
      ...base,
      input: toInput(flat(request.query)),
      source: rawSource(request, request.body as AsyncIterable<Uint8Array>),
    };
  // Schemas of bodies are chosen by Content-Type, so a request without body and type was not validated.
  if (request.body === undefined)
    throw new AppError('file_missing', 'The request has no body; send the file, or JSON with a source.');
  const json = request.body as IngestJson;
  if (Object.keys(flat(request.query)).length > 0)
    throw new AppError('invalid_request', 'With a JSON body, all fields belong into the body, not into the query.');
  return { ...base, ...(await readIngestJson(json)) };
}

/** A JSON form of an item, also in a batch. @throws AppError invalid_base64, invalid_request */
export async function readIngestJson(json: IngestJson): Promise<{ input: ItemInput; source: Source }> {
  const { source, ...input } = withStorageUrl(json);
  return { input, source: await jsonSource(source) };
}

async function jsonSource(source: ReturnType<typeof withStorageUrl>['source']): Promise<Source> {
  if (source === undefined) return { type: 'none' };
  // The schema's discriminator applies to objects only and lets everything else pass.
  if (typeof source !== 'object' || source === null || Array.isArray(source))
    throw new AppError('invalid_request', "'source' must be an object.", { field: 'source' });
  if (source.type !== 'base64') return source;
  return base64Source(source.data, 'base64');
}

function rawSource(request: FastifyRequest, body: AsyncIterable<Uint8Array>): Source {
  return {
    type: 'bytes',
    via: 'raw',
    body,
    declaredType: request.headers['content-type'],
    size: announcedBytes(request),
  };
}

function flat(query: unknown): Record<string, unknown> {
  return { ...(query as Record<string, unknown>) };
}

function toInput(fields: Record<string, unknown>): ItemInput {
  const { metadata, generation, ...rest } = checkFlat(fields);
  return { ...rest, metadata: parseJson('metadata', metadata), generation: parseJson('generation', generation) };
}

function parseJson(field: string, text: string | undefined): unknown {
  if (text === undefined || text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AppError('invalid_json', `'${field}' must be a JSON object written as text.`, { field, cause: error });
  }
}

/** @throws AppError invalid_request: not 1 to 255 visible ASCII characters. */
export function idempotencyKey(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(header)) {
    throw new AppError(
      'invalid_request',
      'Idempotency-Key must have 1 to 255 visible ASCII characters, without spaces.',
      { field: 'Idempotency-Key' },
    );
  }
  return header;
}
