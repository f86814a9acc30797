import type { MediaItem } from '../db/media-item.ts';
import type { JsonObject } from '../db/tables.ts';
import { AppError, isAppError } from '../errors.ts';
import type { AnswerOutput, OutputBytes, ProviderAnswer } from '../sources/answers/answer.ts';
import { compactAnswer } from '../sources/answers/compact-answer.ts';
import { ANSWERS, type Provider } from '../sources/answers/providers.ts';
import { decodeData } from '../sources/base64.ts';
import type { Caller } from './caller.ts';
import type { Deps } from './deps.ts';
import { type IngestRequest, ingest } from './ingest.ts';
import type { ItemInput } from './item-fields.ts';
import type { Source } from './source.ts';

export interface ImportAnswerRequest {
  caller: Caller;
  provider: Provider;
  input: ItemInput;
  /** The provider's answer, verbatim. */
  response: unknown;
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Outputs of one answer that are fetched and stored at once. */
const AT_ONCE = 4;

/**
 * Stores every output of a provider's answer; one that cannot be had becomes a failure with its reason, and so does an answer that
 * is itself a failure. The order of the outputs is kept.
 * @throws AppError invalid_request: the answer holds no output (yet)
 */
export async function importAnswer(deps: Deps, request: ImportAnswerRequest): Promise<MediaItem[]> {
  const answer = ANSWERS[request.provider](request.response);
  const input = inputOf(request, answer);
  if (answer.outputs.length === 0) {
    if (answer.state !== 'failed' && answer.state !== 'canceled')
      throw new AppError(
        'invalid_request',
        answer.state === 'succeeded'
          ? 'The answer holds no output that could be stored; is it the whole answer, as the provider sent it?'
          : `The work is not finished (${answer.state}): send the answer that holds its outputs.`,
        { field: 'response' },
      );
    return [await failure(deps, request, input, answer.error?.message ?? `the work was ${answer.state}`)];
  }
  const items: MediaItem[] = [];
  const queue = answer.outputs.entries();
  const worker = async () => {
    for (const [index, output] of queue) items[index] = await storeOutput(deps, request, input, output, index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return items;
}

/** What the caller says counts; the answer fills in the rest. */
function inputOf({ input, provider, response }: ImportAnswerRequest, answer: ProviderAnswer): ItemInput {
  return {
    ...input,
    provider: input.provider ?? provider,
    prompt: input.prompt ?? answer.prompt,
    model: input.model ?? answer.model,
    size: input.size ?? short(answer.size),
    quality: input.quality ?? short(answer.quality),
    jobId: input.jobId ?? answer.id,
    generation: { ...answer.generation, ...(input.generation as JsonObject | undefined) },
    providerResponse: compactAnswer(response),
  };
}

/** These columns are narrow; what does not fit is in the kept answer. */
function short(text: string | undefined): string | undefined {
  return text !== undefined && text.length <= 20 ? text : undefined;
}

async function storeOutput(
  deps: Deps,
  request: ImportAnswerRequest,
  input: ItemInput,
  output: AnswerOutput,
  index: number,
): Promise<MediaItem> {
  let last: unknown;
  for (const from of output.from) {
    try {
      return await store(deps, request, fieldsOf(input, output), sourceOf(from, output), String(index));
    } catch (error) {
      // Who may not write, or what is wrong with the fields, is the same for every place.
      if (
        !isAppError(
          error,
          'fetch_failed',
          'url_not_allowed',
          'unsupported_media',
          'invalid_base64',
          'file_missing',
          'too_large',
          'length_mismatch',
          'not_stored',
        )
      )
        throw error;
      last = error;
    }
  }
  const reason = last instanceof Error ? last.message : 'the output could not be had';
  return failure(
    deps,
    request,
    fieldsOf(input, output),
    reason,
    output.from.find((from) => from.type === 'url'),
    index,
  );
}

function fieldsOf(input: ItemInput, output: AnswerOutput): ItemInput {
  return {
    ...input,
    filename: input.filename ?? output.filename,
    generation: { ...(input.generation as JsonObject | undefined), ...output.generation },
  };
}

function sourceOf(from: OutputBytes, output: AnswerOutput): Source {
  if (from.type === 'url') return { type: 'url', url: from.url };
  if (from.type === 'object')
    throw new AppError(
      'not_stored',
      `The object ${from.path} is not taken over by this version; send its bytes or its URL.`,
    );
  const { bytes, declaredType } = decodeData(from.data);
  return {
    type: 'bytes',
    via: 'base64',
    body: (async function* () {
      yield bytes;
    })(),
    declaredType: output.contentType ?? declaredType,
    size: bytes.length,
  };
}

/** A repeated import answers the items of the first: told from the caller's key, or from the provider's own id. */
function keyOf({ idempotencyKey, provider }: ImportAnswerRequest, input: ItemInput, part: string): string | undefined {
  const base = idempotencyKey ?? (input.jobId === undefined ? undefined : `import:${provider}:${input.jobId}`);
  const key = base === undefined ? undefined : `${base}:${part}`;
  return key !== undefined && key.length <= 255 && /^[\x21-\x7e]+$/.test(key) ? key : undefined;
}

async function store(
  deps: Deps,
  request: ImportAnswerRequest,
  input: ItemInput,
  source: Source,
  part: string,
): Promise<MediaItem> {
  const { caller, signal } = request;
  const ingestRequest: IngestRequest = { caller, input, source, signal, idempotencyKey: keyOf(request, input, part) };
  return (await ingest(deps, ingestRequest)).item;
}

function failure(
  deps: Deps,
  request: ImportAnswerRequest,
  input: ItemInput,
  error: string,
  url?: OutputBytes,
  index = 0,
): Promise<MediaItem> {
  const fields = {
    ...input,
    status: 'failed',
    error: error.slice(0, 10_000),
    ...(url?.type === 'url' && { originalUrl: url.url.slice(0, 2000) }),
  };
  // A key of its own: another try may still get the bytes.
  return store(deps, request, fields, { type: 'none' }, `${index}:failed`);
}
