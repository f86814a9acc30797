import type { IgnoredOutput } from '../../sources/answers/answer.ts';
import type { Trx } from '../../db/database.ts';
import { type GenerationJob, giveJob, lockJob } from '../../db/jobs/jobs.ts';
import { forgetOutputsOfOthers } from '../../db/jobs/job-outputs.ts';
import { canonicalId } from '../../db/items/items.ts';
import { type ParkedDelivery, claimDelivery, listParked, parkedIdsFor } from '../../db/jobs/parked-deliveries.ts';
import { type Delivery, findDelivery } from '../../db/jobs/webhook-deliveries.ts';
import { AppError } from '../../errors.ts';
import { type Webhook, readWebhook } from '../../sources/providers/read-webhook.ts';
import { applyAnswer } from '../answers/apply-answer.ts';
import type { Deps } from '../deps.ts';
import { checkUserId } from '../items/item-fields.ts';
import { readKeptBody } from './kept-body.ts';
import { listingOf, openCursor, sealCursor } from '../search/cursor.ts';
import type { SearchDeps } from '../search/search.ts';
import { identifyOutputs } from '../answers/output-identity.ts';
import { checkText } from '../items/text-limits.ts';

/** Days that the body of a processed webhook is kept, to examine what a provider really sent. */
export const KEEP_DAYS = 7;
/** Processed at once; the rest when the job is next heard of. */
const AT_ONCE = 1000;

/**
 * Processes the webhooks parked for a job's owner: those that name no user, or this one. Holds one body at a time in memory.
 * Returns the ids of its items.
 */
export async function unpark(deps: Deps, job: GenerationJob): Promise<string[]> {
  const itemIds: string[] = [];
  for (const id of await parkedIdsFor(deps.db, job, AT_ONCE)) {
    try {
      const delivery = await findDelivery(deps.db, id, 'parked');
      if (delivery) itemIds.push(...(await unparkOne(deps, job, delivery)));
    } catch (error) {
      // It stays parked; the other webhooks and the registration go on.
      deps.log.error(
        { err: error, deliveryId: id, provider: job.provider, jobId: job.jobId },
        'a parked webhook could not be carried out',
      );
    }
  }
  return itemIds;
}

async function unparkOne(deps: Deps, { userId, ...name }: GenerationJob, delivery: Delivery): Promise<string[]> {
  const told = await read(deps, delivery);
  return deps.db.transaction().execute(async (trx) => {
    const { job } = await lockJob(trx, name, { userId });
    // An admin may have released it to another user by now.
    if (job.userId !== userId || !(await claimDelivery(trx, delivery.id, KEEP_DAYS))) return [];
    return (await applyAnswer(deps, trx, { ...told, job, deliveryId: delivery.id })).itemIds;
  });
}

/** Reads a kept webhook and computes everything possible before its job is locked. */
async function read(
  deps: Deps,
  delivery: Delivery,
): Promise<Pick<Webhook, 'answer' | 'body'> & { identities: string[][] }> {
  const raw = await readKeptBody(deps, delivery.body);
  const { answer, body } = await readWebhook(delivery.provider, raw, deps.limits.json);
  return { answer, body, identities: await identifyOutputs(answer.outputs) };
}

export interface ParkedFilter {
  provider?: string | undefined;
  jobId?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** Parked webhooks, newest first, without their bodies. @throws AppError invalid_cursor */
export async function parkedWebhooks(
  deps: Pick<SearchDeps, 'db' | 'signer'>,
  { cursor, limit, ...filter }: ParkedFilter,
): Promise<{ items: ParkedDelivery[]; nextCursor: string | null }> {
  if (filter.jobId !== undefined) checkText('jobId', filter.jobId, 500);
  const listing = listingOf({ parked: filter });
  const [after] = cursor === undefined ? [] : openCursor(deps.signer, cursor, { listing, parts: 1 });
  const found = await listParked(deps.db, { ...filter, after, limit: limit + 1 });
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > limit && last ? sealCursor(deps.signer, listing, [last.id]) : null };
}

/**
 * Processes a parked webhook for a user, who then owns its job. Fields that another user has registered for the job, or sent
 * about it, do not affect the new owner's items.
 * @throws AppError not_found: no such webhook is parked; content_missing, store_unavailable: its body cannot be read
 */
export async function releaseWebhook(
  deps: Deps,
  id: string,
  userId: string,
): Promise<{ jobId: string; itemIds: string[]; ignored: readonly IgnoredOutput[] }> {
  checkUserId(userId);
  const canonical = canonicalId(id);
  const delivery = canonical === undefined ? undefined : await findDelivery(deps.db, canonical, 'parked');
  if (!delivery) throw notParked();
  const told = await read(deps, delivery);
  const released = await deps.db.transaction().execute(async (trx) => {
    const { job } = await lockJob(trx, delivery, { userId });
    if (!(await claimDelivery(trx, delivery.id, KEEP_DAYS))) throw notParked();
    const own = job.userId === userId ? job : await handOver(trx, job, userId);
    return applyAnswer(deps, trx, { ...told, job: own, deliveryId: delivery.id });
  });
  const { provider, jobId } = delivery;
  deps.log.info({ deliveryId: delivery.id, provider, jobId, userId }, 'parked webhook released');
  const itemIds = [...released.itemIds, ...(await unpark(deps, released.job))];
  return { jobId, itemIds, ignored: told.answer.ignored ?? [] };
}

async function handOver(trx: Trx, job: GenerationJob, userId: string): Promise<GenerationJob> {
  await forgetOutputsOfOthers(trx, job, userId);
  return giveJob(trx, job, userId);
}

function notParked(): AppError {
  return new AppError('not_found', 'No such webhook is parked; it may have been released, or have expired.');
}
