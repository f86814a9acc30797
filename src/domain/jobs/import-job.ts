import type { MediaItem } from '../../db/item-columns.ts';
import { lockJob, updateJob } from '../../db/jobs/jobs.ts';
import { renewHeldFetches, reviveFetches } from '../../db/jobs/fetches.ts';
import { readBounded } from '../../db/items/item-pages.ts';
import { findItem, findItemForUpdate, updateItem } from '../../db/items/items.ts';
import type { AnswerOutput, ProviderAnswer } from '../../sources/answers/answer.ts';
import { answerContext, assertFew, outputFields } from '../answers/answer-fields.ts';
import { newOutput } from '../answers/apply-answer.ts';
import { type Caller, ownerFor } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { keepFetches } from '../pending/fetch-lease.ts';
import { fetchPending } from '../pending/fetch-pending.ts';
import { checkParent } from '../ingest/ingest.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { checkScene } from '../scenes/scenes.ts';
import { type ItemInput, checkFields } from '../items/item-fields.ts';
import { changeOf } from '../answers/job-state.ts';
import { identifyOutputs } from '../answers/output-identity.ts';
import { mayAdopt } from '../ingest/object-references.ts';
import { unpark } from '../webhooks/parked-webhooks.ts';
import { assertOpen, checkDestination, findRunOf } from '../staging/destination.ts';
import { type NewOutput, type RecordedOutput, recordFailure, recordOutputs } from '../answers/record-outputs.ts';
import type { BytesFrom } from '../ingest/fill-item.ts';

export interface ImportJobRequest {
  caller: Caller;
  provider: string;
  jobId: string;
  input: ItemInput;
  /** The provider's answer, verbatim, and its parsed form. */
  response: unknown;
  answer: ProviderAnswer;
  signal?: AbortSignal | undefined;
}

/** Outputs of one answer that are fetched and stored concurrently. */
const AT_ONCE = 4;

/**
 * Stores the outputs of an answer that names its job; a repeated import or webhook yields the same items. Outputs whose bytes are
 * unavailable stay pending and a worker retries them. The order of the outputs is kept. Returns undefined, having stored nothing,
 * when the job is registered to another user.
 * @throws AppError store_unavailable: bytes that came with the answer could not be stored
 */
export async function importJob(deps: Deps, request: ImportJobRequest): Promise<MediaItem[] | undefined> {
  const { caller, answer, signal } = request;
  const userId = ownerFor(caller, request.input.userId);
  assertFew(answer, request.input);
  const said = checkFields(request.input, userId);
  assertOpen(await findRunOf(deps, said));
  await checkDestination(deps, said);
  await checkParent(deps, caller, request.input.parentId);
  await checkScene(deps, userId, request.input);
  const identities = await identifyOutputs(answer.outputs);
  const known = await recordJob(deps, request, userId, identities);
  if (!known) return undefined;
  const { job, recorded, outputs } = known;
  const failures: unknown[] = [];
  const ids = recorded.map(({ id }) => id);
  const stored = [...ids];
  const queue = [...recorded.entries()].toSorted(([a], [b]) => expiryOf(outputs[a]) - expiryOf(outputs[b])).values();
  const worker = async () => {
    for (const [index, one] of queue)
      stored[index] = await fetchNow(deps, one, heldBytes(answer.outputs[index]), failures, signal);
  };
  // Outputs that wait for their turn must not look abandoned to workers.
  const lease = keepFetches(deps, { jobId: job.jobId }, () => renewHeldFetches(deps.db, ids));
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    void lease.stop();
  }
  // Concurrent writers may each have left the run's files to the other.
  await refreshRun(deps, request.input.runId ?? (job.fields as ItemInput).runId);
  if (failures.length > 0) throw failures[0];
  await unpark(deps, job);
  return readBounded(deps.db, [...new Set(stored)]);

  function expiryOf(output: NewOutput | undefined): number {
    return output?.wanted.expiresAt?.getTime() ?? Number.MAX_SAFE_INTEGER;
  }
}

/** Inserts the job and its items, without bytes, in one transaction. Returns undefined when another user owns the job. */
async function recordJob(deps: Deps, request: ImportJobRequest, userId: string, identities: readonly string[][]) {
  const { caller, provider, jobId, answer, response } = request;
  return deps.db.transaction().execute(async (trx) => {
    const { job } = await lockJob(trx, { provider, jobId }, { userId });
    if (job.userId !== userId) return undefined;
    const change = changeOf(job, answer, new Date());
    if (change) await updateJob(trx, job, change);
    const said = Object.fromEntries(Object.entries(request.input).filter(([, value]) => value !== undefined));
    const context = answerContext({
      base: { ...(job.fields as ItemInput), ...said, userId },
      userId,
      provider,
      jobId,
      answer,
      body: response,
    });
    const outputs = answer.outputs.map((output, index): NewOutput => {
      const made = newOutput(deps, context, output, { index, identities: identities[index] ?? [] });
      const sources = made.wanted.sources.filter(
        (source) => source.type !== 'object' || mayAdopt(caller, userId, source.key),
      );
      const held = sources.length > 0 || output.from.some((from) => from.type === 'base64');
      return { ...made, wanted: { ...made.wanted, sources, held } };
    });
    const recorded = await recordOutputs(deps, trx, job, outputs);
    if (outputs.length === 0 || answer.partial === true) {
      const error = answer.error?.message ?? `the work was ${answer.state}`;
      const fields = outputFields(context, { from: [] });
      const id = await recordFailure(deps, trx, job, {
        fields,
        error: error.slice(0, 10_000),
        partial: answer.partial,
      });
      if (id !== undefined) recorded.push({ id });
    }
    return { job, recorded, outputs };
  });
}

function heldBytes(output: AnswerOutput | undefined): BytesFrom[] {
  return (output?.from ?? []).flatMap((from) =>
    from.type === 'base64' ? [{ type: 'base64', data: from.data, declaredType: output?.contentType }] : [],
  );
}

async function fetchNow(
  deps: Deps,
  { id }: RecordedOutput,
  held: readonly BytesFrom[],
  failures: unknown[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const item = await findItem(deps.db, id);
  if (!item || item.deletedAt !== null || item.storageKey !== null) return id;
  let outcome = await fetchPending(deps, { mediaId: id }, { held, signal });
  // A worker that knew no place may have failed the item while these bytes waited for their turn.
  if (!outcome && held.length > 0 && (await revive(deps, id)))
    outcome = await fetchPending(deps, { mediaId: id }, { held, signal });
  if (outcome?.state === 'lost') failures.push(outcome.error);
  // A different item, if its object turned out to be an item already.
  return outcome?.state === 'stored' ? outcome.item.id : id;
}

/** Whether there is anything to retry. */
function revive(deps: Deps, id: string): Promise<boolean> {
  return deps.db.transaction().execute(async (trx) => {
    const item = await findItemForUpdate(trx, id);
    if (!item || item.storageKey !== null || item.deletedAt !== null) return false;
    const [revived] = await reviveFetches(trx, [id]);
    if (revived !== undefined) await updateItem(trx, id, { status: 'pending', error: null });
    return revived !== undefined;
  });
}
