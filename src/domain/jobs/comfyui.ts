import type { MediaItem } from '../../db/item-columns.ts';
import type { JsonObject } from '../../json/json.ts';
import { lockJob, updateJob, findJob } from '../../db/jobs/jobs.ts';
import { setPoll } from '../../db/jobs/job-polls.ts';
import { findJobOutputs } from '../../db/jobs/job-outputs.ts';
import { enqueue } from '../../db/queue/enqueue.ts';
import { byId, readBounded } from '../../db/items/item-pages.ts';
import { AppError, isAppError } from '../../errors.ts';
import { comfyAnswer } from '../../sources/comfyui/history-answer.ts';
import { type ComfyClient, checkPromptId } from '../../sources/comfyui/client.ts';
import { underKey } from './import-key.ts';
import { type Caller, isAdmin, ownerFor } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { importAnswer, type ImportAnswerRequest, type ImportedOutputs } from './import-answer.ts';
import { importJob } from './import-job.ts';
import { checkParent } from '../ingest/ingest.ts';
import { type ItemInput, checkFields } from '../items/item-fields.ts';
import { assertOpen, findRunOf } from '../staging/destination.ts';

export const COMFYUI = 'comfyui';

export interface ComfyPrompt {
  caller: Caller;
  promptId: string;
  /** Fields of all of its items. */
  input: ItemInput;
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Stored items, or the job that will store them. */
export interface PromptOutputs extends ImportedOutputs {
  job?: { provider: string; jobId: string } | undefined;
}

/** Delay of the first poll after the one that the caller waited for. */
const FIRST_POLL_SECONDS = 1;

/**
 * Stores all outputs of a ComfyUI prompt; a worker stores those of a running prompt once it has ended. Repeated, it returns the
 * same items.
 * @throws AppError comfyui_not_configured; invalid_request: no prompt id; not_found: the prompt is another user's;
 * run_completed
 */
export function storePrompt(deps: Deps, prompt: ComfyPrompt, field = 'source.promptId'): Promise<PromptOutputs> {
  const { promptId, input } = prompt;
  return underKey(
    deps,
    prompt,
    () => ({ provider: COMFYUI, promptId, input }),
    () => outputsOf(deps, prompt, field),
  );
}

async function outputsOf(deps: Deps, prompt: ComfyPrompt, field: string): Promise<PromptOutputs> {
  const { caller, promptId, input, signal } = prompt;
  const comfyui = clientOf(deps);
  checkPromptId(promptId, field);
  const userId = ownerFor(caller, input.userId);
  const fields = checkFields({ ...input, provider: input.provider ?? COMFYUI }, userId);
  assertOpen(await findRunOf(deps, fields));
  await checkParent(deps, caller, fields.parentId);
  const name = { provider: COMFYUI, jobId: promptId };
  const history = await comfyui.history(promptId, signal).catch((error: unknown) => {
    // ComfyUI may be restarting; that does not lose the prompt.
    if (!isAppError(error, 'fetch_failed', 'too_large') || signal?.aborted === true) throw error;
    deps.log.warn({ err: error, promptId }, 'ComfyUI did not tell of a prompt; a worker asks again');
    return {};
  });
  const answer = comfyAnswer(history, promptId);
  if (answer) {
    const request = { caller, ...name, input: { ...input, userId }, response: history, answer, signal };
    return { items: (await importJob(deps, request)) ?? othersPrompt(field), ignored: answer.ignored };
  }
  const known = await findJob(deps.db, name);
  // ComfyUI forgets its history; the outputs recorded before remain valid.
  if (known?.userId === userId && known.status === 'succeeded') return { items: await itemsOf(deps, name) };
  const { userId: _owner, ...said } = fields;
  await deps.db.transaction().execute(async (trx) => {
    const kept = JSON.parse(JSON.stringify(said)) as JsonObject;
    const { job, made } = await lockJob(trx, name, { userId, fields: kept });
    if (job.userId !== userId) othersPrompt(field);
    if (!made) await updateJob(trx, name, { fields: kept });
    await setPoll(trx, name, { seconds: FIRST_POLL_SECONDS, deadlineSeconds: comfyui.deadlineSeconds });
    await enqueue(trx, COMFYUI, 1, FIRST_POLL_SECONDS);
  });
  return { items: [], job: name };
}

/** A prompt's id does not name its owner: the first user to register it owns it and its outputs. */
function othersPrompt(field: string): never {
  throw new AppError('not_found', 'There is no such prompt, or it belongs to another user.', { field });
}

function clientOf({ comfyui }: Deps): ComfyClient {
  if (!comfyui)
    throw new AppError('comfyui_not_configured', 'No ComfyUI is configured here: the operator has to set COMFYUI_URL.');
  return comfyui;
}

/** Items of a prompt that are returned; listing the job returns all. */
const MAX_ANSWERED = 1000;

async function itemsOf(deps: Deps, name: { provider: string; jobId: string }): Promise<MediaItem[]> {
  const ids = await deps.db.transaction().execute(async (trx) => [...(await findJobOutputs(trx, name)).keys()]);
  const items = await readBounded(deps.db, ids.toSorted(byId).slice(0, MAX_ANSWERED));
  return items.filter((item) => item.deletedAt === null);
}

/**
 * Stores a provider's answer. For ComfyUI that may also be the response of `POST /prompt` or `GET /history`.
 * @throws AppError as importAnswer and storePrompt
 */
export async function importOrPrompt(deps: Deps, request: ImportAnswerRequest): Promise<PromptOutputs> {
  if (request.provider !== COMFYUI) return importAnswer(deps, request);
  const { caller, input, response, signal, idempotencyKey } = request;
  const entry = historyEntry(response);
  const promptId = entry?.promptId ?? promptIdOf(response);
  if (promptId === undefined) return importAnswer(deps, request);
  // A user's history could name the files of others, so ask ComfyUI itself which files the prompt made.
  if (entry === undefined || !isAdmin(caller))
    return storePrompt(deps, { caller, promptId, input, idempotencyKey, signal }, 'response');
  clientOf(deps);
  checkPromptId(promptId, 'response');
  const answer = comfyAnswer({ [promptId]: entry.history }, promptId);
  if (!answer) return storePrompt(deps, { caller, promptId, input, idempotencyKey, signal }, 'response');
  const told = { caller, provider: COMFYUI, jobId: promptId, input, response, answer, signal };
  const items = () => importJob(deps, told);
  return {
    items:
      (await underKey(deps, request, () => ({ provider: COMFYUI, promptId, input }), items)) ??
      othersPrompt('response'),
    ignored: answer.ignored,
  };
}

type Fields = Record<string, unknown>;

/** `{promptId}`, or the response of `POST /prompt`; a response of comfyui-api holds images and another id. */
function promptIdOf(response: unknown): string | undefined {
  if (!isFields(response)) return undefined;
  const id = response['promptId'] ?? response['prompt_id'];
  return typeof id === 'string' ? id : undefined;
}

/** An entry of the history, bare or under its id. @throws AppError invalid_request: several */
function historyEntry(response: unknown): { promptId: string; history: Fields } | undefined {
  if (!isFields(response)) return undefined;
  if (isEntry(response)) {
    const id = Array.isArray(response['prompt']) ? (response['prompt'] as unknown[])[1] : undefined;
    if (typeof id !== 'string')
      throw new AppError('invalid_request', 'The history entry does not say which prompt it is about.', {
        field: 'response',
      });
    return { promptId: id, history: response };
  }
  const entries = Object.entries(response).filter((pair): pair is [string, Fields] => isEntry(pair[1]));
  if (entries.length > 1)
    throw new AppError('invalid_request', 'The history holds several prompts; send one at a time.', {
      field: 'response',
    });
  const [found] = entries;
  return found && { promptId: found[0], history: found[1] };
}

function isEntry(value: unknown): value is Fields {
  return isFields(value) && isFields(value['outputs']) && (Array.isArray(value['prompt']) || isFields(value['status']));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
