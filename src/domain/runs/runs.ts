import type { MediaItem } from '../../db/item-columns.ts';
import { randomUUID } from 'node:crypto';
import { MAX_PAGE_BYTES } from '../../db/items/item-pages.ts';
import { runItems } from '../../db/runs/run-outputs.ts';
import { type NewRun, type Run, findRun, insertRun, setCompleted } from '../../db/runs/runs.ts';
import { AppError } from '../../errors.ts';
import { type Caller, mayReach, ownerFor } from '../caller.ts';
import { type ComfyPrompt, type PromptOutputs, storePrompt } from '../jobs/comfyui.ts';
import type { Deps } from '../deps.ts';
import { fingerprintOf, assertSameContent, openKey } from '../idempotency.ts';
import { type IngestRequest, ingest } from '../ingest/ingest.ts';
import { withDecided } from '../ingest/with-decided.ts';
import { type ItemInput, checkUserId } from '../items/item-fields.ts';
import { assertOpen } from '../staging/destination.ts';
import { itemsThatFit } from '../search/answer-size.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { checkJsonObject, checkText } from '../items/text-limits.ts';

export interface RunInput {
  userId?: string | undefined;
  inputText: string;
  transformedText?: string | undefined;
  schema?: string | undefined;
  executionMode?: string | undefined;
  safetyLevel?: string | undefined;
  metadata?: unknown;
}

export interface CreateRunRequest {
  caller: Caller;
  input: RunInput;
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Bytes at most. */
const MAX_TEXT = 256 * 1024;
const MAX_WORD = 255;
const MAX_METADATA_BYTES = 64 * 1024;
/** Items that are returned with a run; a search returns the others. */
const MAX_ITEMS = 1000;
const ITEMS_AT_ONCE = 50;

/** Begins a run and creates its folder, or has it created when its store is back. @throws AppError invalid_request, too_large, … */
export async function createRun(deps: Deps, request: CreateRunRequest): Promise<{ run: Run; replayed: boolean }> {
  const userId = ownerFor(request.caller, request.input.userId);
  const row = toNewRun(deps, request.input, userId);
  if (request.idempotencyKey === undefined) return { run: await begin(deps, row), replayed: false };
  const fingerprint = fingerprintOf({ run: request.input, userId });
  const opened = await openKey(deps.db, { caller: request.caller.sub, key: request.idempotencyKey }, request.signal);
  if (opened.state === 'done') {
    assertSameContent(opened.fingerprint, fingerprint);
    return { run: opened.response as unknown as Run, replayed: true };
  }
  try {
    const run = await deps.db.transaction().execute(async (trx) => {
      const inserted = await insertRun(trx, row);
      await opened.claim.finish(trx, fingerprint, inserted);
      return inserted;
    });
    await refreshRun(deps, run.id);
    return { run, replayed: false };
  } catch (error) {
    await opened.claim
      .release()
      .catch((cause: unknown) => deps.log.warn({ err: cause }, 'could not release an idempotency key'));
    throw error;
  }
}

async function begin(deps: Deps, row: NewRun): Promise<Run> {
  const run = await insertRun(deps.db, row);
  await refreshRun(deps, run.id);
  return run;
}

function toNewRun(deps: Deps, input: RunInput, userId: string): NewRun {
  checkUserId(userId);
  checkText('inputText', input.inputText, MAX_TEXT);
  if (input.transformedText !== undefined) checkText('transformedText', input.transformedText, MAX_TEXT);
  for (const name of ['schema', 'executionMode', 'safetyLevel'] as const)
    if (input[name] !== undefined) checkText(name, input[name], MAX_WORD);
  return {
    id: randomUUID(),
    userId,
    inputText: input.inputText,
    transformedText: input.transformedText ?? null,
    schema: input.schema ?? null,
    executionMode: input.executionMode ?? null,
    safetyLevel: input.safetyLevel ?? null,
    metadata: checkJsonObject('metadata', input.metadata ?? {}, MAX_METADATA_BYTES),
    store: deps.stores.primary.name,
  };
}

/** A run that the caller may reach. @throws AppError not_found */
export async function ownRun(deps: Pick<Deps, 'db'>, caller: Caller, id: string): Promise<Run> {
  const run = await findRun(deps.db, id);
  if (!run || !mayReach(caller, run.userId))
    throw new AppError('not_found', 'There is no such run, or this token may not see it.');
  return run;
}

export interface RunWithItems extends Run {
  /** In the order of their arrival. */
  items: MediaItem[];
  /** The run has more items than are returned here. */
  moreItems: boolean;
}

/** A run with its first items: a thousand at most, and 8 MiB of JSON. @throws AppError not_found */
export async function readRun(deps: Deps, caller: Caller, id: string): Promise<RunWithItems> {
  const run = await ownRun(deps, caller, id);
  const items: MediaItem[] = [];
  let moreItems = true;
  for (let left = MAX_PAGE_BYTES; moreItems && left > 0 && items.length < MAX_ITEMS;) {
    const limit = Math.min(ITEMS_AT_ONCE, MAX_ITEMS - items.length);
    const page = await runItems(deps.db, run, { after: items.at(-1), limit, deleted: false, maxBytes: left });
    moreItems = page.more;
    left = page.items.length < limit ? 0 : left - page.bytes;
    items.push(...page.items);
  }
  const fitting = itemsThatFit(items);
  return { ...run, items: fitting, moreItems: moreItems || fitting.length < items.length };
}

/** Media for a run: one item, or all outputs of a ComfyUI prompt. */
export type RunMediaRequest = { type: 'item'; ingest: IngestRequest } | ({ type: 'comfyui' } & ComfyPrompt);

/** Stores media in a run's folder. @throws AppError not_found, run_completed, … */
export async function addRunMedia(
  deps: Deps,
  id: string,
  media: RunMediaRequest,
): Promise<PromptOutputs & { replayed?: boolean }> {
  const { caller, input } = media.type === 'item' ? media.ingest : media;
  const run = await ownRun(deps, caller, id);
  assertSameRun(input, run);
  if (media.type === 'comfyui')
    return storePrompt(deps, { ...media, input: { ...input, userId: run.userId, runId: run.id, store: undefined } });
  const { item, replayed } = await ingest(deps, withDecided(media.ingest, { userId: run.userId, runId: run.id }));
  return { items: [item], replayed };
}

/** @throws AppError invalid_request: the request names another user, or another run. */
function assertSameRun({ userId, runId }: ItemInput, run: Run): void {
  if (userId !== undefined && userId !== run.userId)
    throw new AppError('invalid_request', "The run belongs to another user; leave 'userId' out.", { field: 'userId' });
  if (runId !== undefined && runId !== run.id)
    throw new AppError('invalid_request', "The path names another run; leave 'runId' out.", { field: 'runId' });
}

/**
 * Completes a run; no items can be added after that. Repeated with the same text, or none, it returns the run as it is.
 * @throws AppError not_found, run_completed (with another text)
 */
export async function completeRun(
  deps: Deps,
  caller: Caller,
  id: string,
  transformedText: string | undefined,
): Promise<Run> {
  if (transformedText !== undefined) checkText('transformedText', transformedText, MAX_TEXT);
  const run = await ownRun(deps, caller, id);
  const completed = await setCompleted(deps.db, run.id, transformedText);
  if (completed) {
    await refreshRun(deps, run.id, 'large');
    return completed;
  }
  const now = await ownRun(deps, caller, id);
  if (transformedText !== undefined && transformedText !== now.transformedText) assertOpen(now);
  return now;
}
