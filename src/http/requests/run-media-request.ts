import type { FastifyRequest } from 'fastify';
import type { RunMediaRequest } from '../../domain/runs/runs.ts';
import { AppError } from '../../errors.ts';
import { callerOf } from '../auth/auth.ts';
import { type IngestOptions, idempotencyKey, toIngestRequest } from './ingest-request.ts';
import type { RunMediaJson } from '../schemas/runs.ts';

/** Converts a request for a run's media in any of its forms to the domain's request. @throws AppError */
export async function toRunMediaRequest(request: FastifyRequest, options: IngestOptions): Promise<RunMediaRequest> {
  const ingestOptions = { ...options, ownerIsKnown: true };
  if (request.bodyForm !== 'json') return { type: 'item', ingest: await toIngestRequest(request, ingestOptions) };
  const body = request.body as RunMediaJson;
  const { output, source = told(output), ...input } = body;
  if (output !== undefined && body.source !== undefined)
    throw new AppError('invalid_request', "Send 'source' or 'output', not both.", { field: 'output' });
  if (source?.type === 'comfyui') {
    const { status: _status, error: _error, sha256: _sha256, ...fields } = input;
    return {
      type: 'comfyui',
      promptId: source.promptId,
      input: fields,
      caller: callerOf(request),
      idempotencyKey: idempotencyKey(request),
      signal: options.signal,
    };
  }
  request.body = { ...input, ...(source && { source }) };
  return { type: 'item', ingest: await toIngestRequest(request, ingestOptions) };
}

/** A generator's output is a URL when it starts with `http:` or `https:`, else the id of a ComfyUI prompt. */
function told(output: string | undefined): RunMediaJson['source'] {
  if (output === undefined) return undefined;
  return /^https?:/i.test(output) ? { type: 'url', url: output } : { type: 'comfyui', promptId: output };
}
