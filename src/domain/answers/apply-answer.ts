import type { Trx } from '../../db/database.ts';
import type { FetchSource, NewFetch } from '../../db/jobs/fetches.ts';
import { type GenerationJob, updateJob } from '../../db/jobs/jobs.ts';
import type { AnswerOutput, OutputBytes, ProviderAnswer } from '../../sources/answers/answer.ts';
import { urlExpiresAt } from '../../sources/fetch/url-expiry.ts';
import { type AnswerContext, MAX_ANSWER_OUTPUTS, answerContext, outputFields } from './answer-fields.ts';
import type { Deps } from '../deps.ts';
import type { ItemInput } from '../items/item-fields.ts';
import { changeOf } from './job-state.ts';
import { objectSources } from '../ingest/object-references.ts';
import { hashesOf } from './output-identity.ts';
import { type NewOutput, recordFailure, recordOutputs } from './record-outputs.ts';

export interface TellingOf {
  /** Locked by the caller. */
  job: GenerationJob;
  answer: ProviderAnswer;
  /** As it arrived. */
  body: unknown;
  /** Of each output, from `identifyOutputs`. */
  identities: readonly string[][];
  /** The stored webhook whose body holds the base64. */
  deliveryId?: string | undefined;
}

/** Writes a provider's answer into its job's row and items, in the transaction that has locked the job. Returns the items' ids. */
export async function applyAnswer(
  deps: Deps,
  trx: Trx,
  { job, answer, body, identities, deliveryId }: TellingOf,
): Promise<{ job: GenerationJob; itemIds: string[] }> {
  const change = changeOf(job, answer, new Date());
  const changed = change ? await updateJob(trx, job, change) : job;
  const context = answerContext({
    base: { ...(job.fields as ItemInput), userId: job.userId },
    userId: job.userId,
    provider: job.provider,
    jobId: job.jobId,
    answer,
    body,
  });
  if (answer.outputs.length > MAX_ANSWER_OUTPUTS)
    deps.log.warn(
      { provider: job.provider, jobId: job.jobId, outputs: answer.outputs.length },
      `a webhook tells of more than ${MAX_ANSWER_OUTPUTS} outputs; the others are left out`,
    );
  const outputs = answer.outputs
    .slice(0, MAX_ANSWER_OUTPUTS)
    .map((output, index) =>
      newOutput(deps, context, output, { deliveryId, index, identities: identities[index] ?? [] }),
    );
  const itemIds = (await recordOutputs(deps, trx, job, outputs)).map((recorded) => recorded.id);
  if (
    (outputs.length === 0 || answer.partial === true) &&
    (changed.status === 'failed' || changed.status === 'canceled')
  ) {
    const error = changed.error ?? `the work was ${changed.status}`;
    const id = await recordFailure(deps, trx, job, {
      fields: outputFields(context, { from: [] }),
      error,
      partial: answer.partial,
    });
    if (id !== undefined) itemIds.push(id);
  }
  return { job: changed, itemIds };
}

/** An output with its identities and the places that have its bytes. */
export function newOutput(
  deps: Deps,
  context: AnswerContext,
  output: AnswerOutput,
  from: { deliveryId?: string | undefined; index: number; identities: readonly string[] },
): NewOutput {
  return {
    identities: from.identities,
    fields: outputFields(context, output, from.index),
    wanted: wantedOf(deps, context, output, from),
    unreachable: unreachableReason(output),
  };
}

/** Reported when no place is left: a path below no store's mount point, or an address that only its owner can read. */
export function unreachableReason({ from }: AnswerOutput): string {
  const object = from.find((each) => each.type === 'object');
  if (!object) return 'No place is known that has the bytes.';
  if (/^[a-z][a-z0-9]*:\/\//i.test(object.path))
    return `The object ${object.path.slice(0, 500)} cannot be read: no store of this service has that bucket. Fetch it and upload it, or configure its bucket as a store.`;
  return `The object ${object.path.slice(0, 500)} lies in no store of this service: a path must be below a store's folder or one of its MOUNT_ALIASES, a key in a store.`;
}

function wantedOf(
  deps: Deps,
  { base, provider, answer }: AnswerContext,
  output: AnswerOutput,
  { deliveryId, index, identities }: { deliveryId?: string | undefined; index: number; identities: readonly string[] },
): NewFetch {
  const hashes = hashesOf(output, identities);
  const sources = output.from.flatMap((from, place): FetchSource[] => {
    if (from.type === 'object') return objectSources(deps, from.path);
    if (from.type === 'url') return [{ type: 'url', url: from.url }];
    if (from.type === 'comfyui') {
      const { filename, subfolder, fileType } = from;
      return [{ type: 'comfyui', filename, subfolder, fileType }];
    }
    return deliveryId === undefined
      ? []
      : [{ type: 'delivery', deliveryId, output: index, place, sha256: hashes.get(from) }];
  });
  return {
    sources,
    options: { subfolder: base.subfolder, store: base.store, contentType: output.contentType },
    expiresAt: lastExpiry(output.from, provider, answer),
  };
}

/** When the last place expires; undefined when a place has no known expiry. */
export function lastExpiry(from: readonly OutputBytes[], provider: string, answer: ProviderAnswer): Date | undefined {
  const completed = answer.generation['completedAt'];
  const since = typeof completed === 'string' && !Number.isNaN(Date.parse(completed)) ? new Date(completed) : undefined;
  const expiries = from.map((each) => {
    if (each.type !== 'url') return undefined;
    return each.expiresAt === undefined ? urlExpiresAt(each.url, { provider, since }) : new Date(each.expiresAt);
  });
  const known = expiries.filter((date) => date !== undefined);
  return known.length === expiries.length && known.length > 0 ? new Date(Math.max(...known.map(Number))) : undefined;
}
