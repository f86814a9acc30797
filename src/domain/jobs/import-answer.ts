import type { MediaItem } from '../../db/item-columns.ts';
import { findStoredItemByKey } from '../../db/items/items.ts';
import { AppError, isAppError } from '../../errors.ts';
import type { AnswerOutput, IgnoredOutput, OutputBytes, ProviderAnswer } from '../../sources/answers/answer.ts';
import { type Provider, providerOf } from '../../sources/providers/registry.ts';
import { underKey } from './import-key.ts';
import { answerContext, assertFew, outputFields } from '../answers/answer-fields.ts';
import { lastExpiry, unreachableReason } from '../answers/apply-answer.ts';
import { type Caller, ownerFor } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { importJob } from './import-job.ts';
import { type IngestRequest, ingest } from '../ingest/ingest.ts';
import type { ItemInput } from '../items/item-fields.ts';
import { mayAdopt, objectSources } from '../ingest/object-references.ts';
import { identifyOutputs } from '../answers/output-identity.ts';
import { type Source, base64Source } from '../bytes/source.ts';
import { workThrough } from '../work-through.ts';

export interface ImportAnswerRequest {
  caller: Caller;
  provider: Provider;
  input: ItemInput;
  /** The provider's answer, verbatim. */
  response: unknown;
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface ImportedOutputs {
  items: MediaItem[];
  /** What else the answer holds of media, and why it is no output. */
  ignored?: readonly IgnoredOutput[] | undefined;
}

/** The same for any provider, including those that only older systems used. */
type AnswerRequest = Omit<ImportAnswerRequest, 'provider'> & { provider: string };

/** Outputs of one answer that are fetched and stored concurrently. */
const AT_ONCE = 4;

/**
 * Stores every output of a provider's answer. An output that cannot be fetched becomes a failure with its reason, and so does an
 * answer that reports a failure. The order of the outputs is kept.
 * @throws AppError invalid_request: the answer holds no output (yet)
 */
export async function importAnswer(deps: Deps, request: ImportAnswerRequest): Promise<ImportedOutputs> {
  const answer = providerOf(request.provider).parse(request.response);
  if (answer.outputs.length === 0 && answer.state !== 'failed' && answer.state !== 'canceled')
    throw new AppError(
      'invalid_request',
      answer.state === 'succeeded'
        ? 'The answer holds no output that could be stored; is it the whole answer, as the provider sent it?'
        : `The work is not finished (${answer.state}): send the answer that holds its outputs.`,
      { field: 'response' },
    );
  assertFew(answer, request.input);
  const jobId = request.input.jobId ?? answer.id;
  const content = async () => {
    const outputs = await identifyOutputs(answer.outputs);
    return {
      provider: request.provider,
      input: request.input,
      jobId,
      state: answer.state,
      error: answer.error,
      outputs,
    };
  };
  const items = await underKey(deps, request, content, async () => {
    // A longer text is not an id.
    if (jobId !== undefined && jobId.length <= 500)
      return (await importJob(deps, { ...request, answer, jobId })) ?? storeWithoutJob(deps, request, answer, jobId);
    return storeWithoutJob(deps, request, answer);
  });
  return { items, ignored: answer.ignored };
}

/**
 * Stores the outputs of an answer that names no job, or a job registered to another user: that registration must not block this
 * user's outputs. The job's id is then only a label, and outputs that are sent again are stored again.
 */
export async function storeWithoutJob(
  deps: Deps,
  request: AnswerRequest,
  answer: ProviderAnswer,
  jobId?: string,
): Promise<MediaItem[]> {
  const userId = ownerFor(request.caller, request.input.userId);
  const context = answerContext({
    base: request.input,
    userId,
    provider: request.provider,
    jobId,
    answer,
    body: request.response,
  });
  const input = { ...context.input, userId };
  if (answer.outputs.length === 0)
    return [await failure(deps, request, input, answer.error?.message ?? `the work was ${answer.state}`)];
  const items: MediaItem[] = [];
  const expiries = answer.outputs.map(
    ({ from }) => lastExpiry(from, request.provider, answer)?.getTime() ?? Number.MAX_SAFE_INTEGER,
  );
  const queue = [...answer.outputs.entries()].toSorted(([a], [b]) => (expiries[a] ?? 0) - (expiries[b] ?? 0));
  await workThrough(queue, { concurrency: AT_ONCE }, async ([index, output]) => {
    items[index] = await storeOutput(deps, request, outputFields(context, output, index), output, index);
  });
  return items;
}

async function storeOutput(
  deps: Deps,
  request: AnswerRequest,
  fields: ItemInput,
  output: AnswerOutput,
  index: number,
): Promise<MediaItem> {
  let last: unknown;
  for (const open of sourcesOf(deps, request, fields, output)) {
    try {
      const source = await open();
      return (await ownItemAt(deps, fields, source)) ?? (await store(deps, request, fields, source, String(index)));
    } catch (error) {
      // A concurrent request may have stored it first.
      const own = isAppError(error, 'object_taken') ? await ownItemAt(deps, fields, await open()) : undefined;
      if (own) return own;
      // A missing permission or an invalid field fails in every place.
      if (!isAppError(error, ...PLACE_ERRORS)) throw error;
      last = error;
    }
  }
  const reason = last instanceof Error ? last.message : unreachableReason(output);
  const url = output.from.find((from) => from.type === 'url');
  return failure(deps, request, fields, reason, url, index);
}

/** If the object is already an item of this user, return that item: the call is a repeat, or another call reported it before. */
async function ownItemAt(deps: Deps, { userId }: ItemInput, source: Source): Promise<MediaItem | undefined> {
  if (source.type !== 'object') return undefined;
  const item = await findStoredItemByKey(deps.db, source.store, source.key);
  return item?.userId === userId && item?.deletedAt === null ? item : undefined;
}

/** Errors of one place of an output, which another place need not have. */
const PLACE_ERRORS = [
  'fetch_failed',
  'url_not_allowed',
  'unsupported_media',
  'invalid_base64',
  'file_missing',
  'too_large',
  'length_mismatch',
  'not_found',
  'object_taken',
] as const;

/** The sources of an output, the best first. Each is created when its turn comes, because that decodes base64. */
function sourcesOf(
  deps: Deps,
  { caller }: AnswerRequest,
  { userId }: ItemInput,
  output: AnswerOutput,
): (() => Source | Promise<Source>)[] {
  return output.from.flatMap((from): (() => Source | Promise<Source>)[] => {
    if (from.type === 'url') return [() => ({ type: 'url', url: from.url })];
    if (from.type === 'base64') return [() => base64Source(from.data, 'base64', output.contentType)];
    if (from.type === 'comfyui') return [];
    return objectSources(deps, from.path).flatMap((source) =>
      source.type === 'object' && userId !== undefined && mayAdopt(caller, userId, source.key) ? [() => source] : [],
    );
  });
}

function asService(caller: Caller): Caller {
  return { ...caller, scopes: new Set([...caller.scopes, 'media:admin']) };
}

/** A repeated import returns the items of the first. */
function keyOf({ idempotencyKey }: AnswerRequest, part: string): string | undefined {
  const key = idempotencyKey === undefined ? undefined : `${idempotencyKey}:${part}`;
  return key !== undefined && key.length <= 255 ? key : undefined;
}

async function store(
  deps: Deps,
  request: AnswerRequest,
  input: ItemInput,
  source: Source,
  part: string,
): Promise<MediaItem> {
  const { signal } = request;
  // The object was checked above; a user may adopt fewer objects than a service.
  const caller = source.type === 'object' ? asService(request.caller) : request.caller;
  const ingestRequest: IngestRequest = {
    caller,
    input,
    source,
    signal,
    idempotencyKey: keyOf(request, part),
    keepPending: true,
  };
  return (await ingest(deps, ingestRequest)).item;
}

function failure(
  deps: Deps,
  request: AnswerRequest,
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
  // A separate key, so that another attempt may still store the bytes.
  return store(deps, request, fields, { type: 'none' }, `${index}:failed`);
}
