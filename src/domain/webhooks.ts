import { type GenerationJob, findJob, findJobsById, lockJob, lockJobId } from '../db/generation-jobs.ts';
import type { Db } from '../db/database.ts';
import { fulfilIntent } from '../db/intents.ts';
import {
  type Delivery,
  claimDelivery,
  insertDelivery,
  isKnownDelivery,
  parkedDeliveries,
} from '../db/webhook-deliveries.ts';
import { AppError } from '../errors.ts';
import { type Webhook, type WebhookProvider, readWebhook } from '../sources/answers/webhooks.ts';
import { applyAnswer } from './apply-answer.ts';
import type { Deps } from './deps.ts';
import { checkUserId } from './item-fields.ts';
import { keepBody, readKeptBody } from './kept-body.ts';
import { checkText } from './text-limits.ts';

/** A webhook whose sender was proven. */
export interface IncomingWebhook {
  provider: WebhookProvider;
  /** The same for every repetition of a delivery, and for nothing else. */
  deliveryKey: string;
  raw: Buffer;
  /** Whether the body and the address may say whose the job is. */
  namesOwner: boolean;
  /** The job that is proven to be meant; then nothing else in the body or the address names one. */
  provenJobId?: string | undefined;
  /** The owner, and the job, that its address names. */
  userId?: string | undefined;
  jobId?: string | undefined;
}

export interface WebhookOutcome {
  /** `parked`: kept until the job is registered; `duplicate`: was here before, and changes nothing. */
  state: 'accepted' | 'duplicate' | 'parked';
  jobId: string;
  itemIds: string[];
}

/** How long the raw body is kept, to look into what a provider has really sent; a parked one waits longer for its job. */
const KEEP_DAYS = 7;
const PARKED_DAYS = 30;
/** Their ids are made by the back end that calls back, and may be registered under the name of whoever does the work. */
export const KNOWS_ID_ALONE: ReadonlySet<string> = new Set<string>(['runpod', 'generation', 'comfyui-api', 'generic']);

/**
 * Takes a webhook in: its raw body becomes durable, and its job and items say what it says. No download is waited for; a worker
 * does them.
 * @throws AppError invalid_json, invalid_request: it names no job; store_unavailable
 */
export async function receiveWebhook(deps: Deps, incoming: IncomingWebhook): Promise<WebhookOutcome> {
  const { provider, deliveryKey, raw } = incoming;
  const webhook = await readWebhook(provider, raw, deps.limits.json);
  const ids = idsOf(incoming, webhook);
  const [jobId] = ids;
  if (jobId === undefined)
    throw new AppError('invalid_request', 'The webhook names no job: its body has no id of one, nor has its address.');
  for (const id of ids) checkText('jobId', id, 500);
  if (await isKnownDelivery(deps.db, provider, deliveryKey)) return { state: 'duplicate', jobId, itemIds: [] };
  const named = incoming.namesOwner ? (webhook.userId ?? incoming.userId) : undefined;
  if (named !== undefined) checkUserId(named);
  const kept = await keepBody(deps, provider, raw);
  let touched: GenerationJob | undefined;
  try {
    const outcome = await deps.db.transaction().execute(async (trx): Promise<WebhookOutcome> => {
      // Two names of who does the work would else make two jobs of one.
      if (KNOWS_ID_ALONE.has(provider)) for (const id of ids.toSorted()) await lockJobId(trx, id);
      const registered = await findRegistered(trx, provider, ids, webhook.userId);
      const userId = registered?.userId ?? named;
      const name = registered ?? { provider, jobId };
      const locked = userId === undefined ? undefined : await lockJob(trx, name, { userId });
      const deliveryId = await insertDelivery(trx, {
        provider,
        jobId: name.jobId,
        deliveryKey,
        state: locked ? 'done' : 'parked',
        body: kept.body,
        keepDays: locked ? KEEP_DAYS : PARKED_DAYS,
      });
      if (deliveryId === undefined) return { state: 'duplicate', jobId: name.jobId, itemIds: [] };
      touched = locked?.job;
      if (kept.intent) await fulfilIntent(trx, kept.intent);
      if (!locked) return { state: 'parked', jobId: name.jobId, itemIds: [] };
      const { itemIds } = await apply(deps, trx, locked.job, webhook, deliveryId);
      return { state: 'accepted', jobId: name.jobId, itemIds };
    });
    if (outcome.state === 'duplicate') await kept.discard();
    else kept.release();
    if (outcome.state === 'parked') return await afterParking(deps, outcome, provider, ids);
    if (touched) await unpark(deps, touched);
    return outcome;
  } catch (error) {
    await kept.discard();
    throw error;
  }
}

/** The ids under which the job may be registered, the surest first. @throws AppError webhook_refused */
function idsOf({ provenJobId, jobId }: IncomingWebhook, { jobIds, answer }: Webhook): string[] {
  if (provenJobId === undefined) return [...new Set([...(jobId === undefined ? [] : [jobId]), ...jobIds])];
  if (answer.id !== undefined && answer.id !== provenJobId)
    throw new AppError('webhook_refused', 'The webhook was signed for another request than its body is about.');
  return [provenJobId];
}

/** The job may have been registered while its webhook was being parked. */
async function afterParking(
  deps: Deps,
  outcome: WebhookOutcome,
  provider: string,
  ids: readonly string[],
): Promise<WebhookOutcome> {
  const job = await findRegistered(deps.db, provider, ids);
  const itemIds = job ? await unpark(deps, job) : [];
  if (job) return { ...outcome, state: 'accepted', jobId: job.jobId, itemIds };
  deps.log.warn(
    { jobId: outcome.jobId },
    'a webhook came for a job that nobody has registered; it is kept for 30 days',
  );
  return outcome;
}

/**
 * The job of one of these ids: of the provider, or whoever is registered as doing it where a provider's ids are the back end's own.
 * @param userId whom the body names: a job of theirs is meant rather than one that somebody else has registered under the same id
 */
export async function findRegistered(
  db: Db,
  provider: string,
  ids: readonly string[],
  userId?: string,
): Promise<GenerationJob | undefined> {
  const alone = KNOWS_ID_ALONE.has(provider);
  const found: GenerationJob[] = [];
  for (const jobId of ids) {
    const exact = await findJob(db, { provider, jobId });
    if (exact) found.push(exact);
    if (alone) found.push(...(await findJobsById(db, jobId)));
  }
  const own = found.find((job) => job.userId === userId) ?? found.find((job) => job.provider === provider);
  if (own) return own;
  const [first] = found;
  // Of several that others have registered, none is surely meant.
  return new Set(found.map((job) => `${job.provider} ${job.jobId}`)).size === 1 ? first : undefined;
}

/** Carries out what was parked for a job. Answers the ids of its items. */
export async function unpark(deps: Deps, job: GenerationJob): Promise<string[]> {
  const itemIds: string[] = [];
  for (const delivery of await parkedDeliveries(deps.db, job.jobId)) {
    if (delivery.provider !== job.provider && !KNOWS_ID_ALONE.has(delivery.provider)) continue;
    try {
      itemIds.push(...(await unparkOne(deps, job, delivery)));
    } catch (error) {
      // It stays parked; neither the others nor the registration have to wait for it.
      deps.log.error(
        { err: error, deliveryId: delivery.id, provider: delivery.provider, jobId: delivery.jobId },
        'a parked webhook could not be carried out',
      );
    }
  }
  return itemIds;
}

async function unparkOne(deps: Deps, job: GenerationJob, delivery: Delivery): Promise<string[]> {
  const webhook = await readWebhook(delivery.provider, await readKeptBody(deps, delivery.body), deps.limits.json);
  return deps.db.transaction().execute(async (trx) => {
    const locked = await lockJob(trx, job, { userId: job.userId });
    if (!(await claimDelivery(trx, delivery.id, KEEP_DAYS))) return [];
    const { itemIds } = await apply(deps, trx, locked.job, webhook, delivery.id);
    return itemIds;
  });
}

function apply(
  deps: Deps,
  trx: Parameters<typeof applyAnswer>[1],
  job: GenerationJob,
  { answer, body }: Webhook,
  deliveryId: string,
) {
  return applyAnswer(deps, trx, { job, answer, body, deliveryId });
}
