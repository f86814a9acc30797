import { type GenerationJob, findJob, lockJob } from '../../db/jobs/jobs.ts';
import { fulfilIntent } from '../../db/objects/intents.ts';
import { type ParkedReason, findDelivery, insertDelivery, isKnownDelivery } from '../../db/jobs/webhook-deliveries.ts';
import type { IgnoredOutput } from '../../sources/answers/answer.ts';
import { readWebhook } from '../../sources/providers/read-webhook.ts';
import { applyAnswer } from '../answers/apply-answer.ts';
import type { Deps } from '../deps.ts';
import { checkUserId } from '../items/item-fields.ts';
import { keepBody } from './kept-body.ts';
import { KEEP_DAYS, unpark } from './parked-webhooks.ts';
import { identifyOutputs } from '../answers/output-identity.ts';
import { checkText } from '../items/text-limits.ts';
import { type IncomingWebhook, idsOf, jobOf } from './webhook-owner.ts';

export interface WebhookOutcome {
  /** `parked`: kept until its owner is known; `duplicate`: received before, changes nothing. */
  state: 'accepted' | 'duplicate' | 'parked';
  jobId: string;
  itemIds: string[];
  /** What else it holds of media, and why it is no output. */
  ignored: readonly IgnoredOutput[];
}

/** A parked webhook waits longer: for its job to be registered, or for an admin. */
const PARKED_DAYS = 30;

/**
 * Receives a webhook: its raw body becomes durable, and its job and items are updated. It waits for no download; a worker does
 * those. A webhook without a known owner, or about a job that another user has registered, is parked.
 * @throws AppError invalid_json, invalid_request: it names no job; store_unavailable
 */
export async function receiveWebhook(deps: Deps, incoming: IncomingWebhook): Promise<WebhookOutcome> {
  const { provider, deliveryKey, raw, address } = incoming;
  const webhook = await readWebhook(provider, raw, deps.limits.json);
  const ids = idsOf(incoming, webhook);
  for (const id of ids) checkText('jobId', id, 500);
  const ignored = webhook.answer.ignored ?? [];
  const duplicate: WebhookOutcome = { state: 'duplicate', jobId: ids[0], itemIds: [], ignored };
  if (await isKnownDelivery(deps.db, provider, deliveryKey)) return duplicate;
  const named = incoming.namesOwner ? webhook.userId : undefined;
  const fallback = address.proven ? address.userId : undefined;
  const said = named ?? fallback;
  if (said !== undefined) checkUserId(said);
  const identities = await identifyOutputs(webhook.answer.outputs);
  const kept = await keepBody(deps, provider, raw);
  let touched: GenerationJob | undefined;
  let parked: Parked | undefined;
  try {
    const outcome = await deps.db.transaction().execute(async (trx): Promise<WebhookOutcome> => {
      const { name, userId, disputed } = await jobOf(trx, provider, ids, { named, fallback });
      const job = userId === undefined ? undefined : (await lockJob(trx, name, { userId })).job;
      // Another user may have registered the job. A webhook that names its owner is never given to that user.
      const owned = named === undefined || job?.userId === named ? job : undefined;
      const reason = named !== undefined || disputed ? 'other_owner' : 'no_owner';
      const deliveryId = await insertDelivery(trx, {
        provider,
        jobId: name.jobId,
        deliveryKey,
        ...(owned ? { state: 'done' } : { state: 'parked', reason, namedUserId: named }),
        body: kept.body,
        bytes: raw.length,
        keepDays: owned ? KEEP_DAYS : PARKED_DAYS,
      });
      if (deliveryId === undefined) return duplicate;
      if (kept.intent) await fulfilIntent(trx, kept.intent);
      if (!owned) {
        parked = { deliveryId, provider, jobId: name.jobId, reason, namedUserId: named };
        return { state: 'parked', jobId: name.jobId, itemIds: [], ignored };
      }
      touched = owned;
      const { answer, body } = webhook;
      const { itemIds } = await applyAnswer(deps, trx, { job: owned, answer, body, identities, deliveryId });
      return { state: 'accepted', jobId: name.jobId, itemIds, ignored };
    });
    if (outcome.state === 'duplicate') await kept.discard();
    else kept.release();
    if (parked) return await afterParking(deps, outcome, parked);
    if (touched) await unpark(deps, touched);
    return outcome;
  } catch (error) {
    await kept.discard();
    throw error;
  }
}

interface Parked {
  deliveryId: string;
  provider: string;
  jobId: string;
  reason: ParkedReason;
  namedUserId: string | undefined;
}

/** The job may have been registered or released while its webhook was being parked. */
async function afterParking(deps: Deps, outcome: WebhookOutcome, parked: Parked): Promise<WebhookOutcome> {
  const { deliveryId, reason, namedUserId } = parked;
  const job = await findJob(deps.db, parked);
  if (job && (reason === 'no_owner' || job.userId === namedUserId)) {
    const itemIds = await unpark(deps, job);
    if (!(await findDelivery(deps.db, deliveryId, 'parked'))) return { ...outcome, state: 'accepted', itemIds };
  }
  deps.log.warn(
    { ...parked, registeredUserId: job?.userId },
    reason === 'no_owner'
      ? 'webhook parked for 30 days: nothing names its owner'
      : 'webhook parked for 30 days: its job is registered to another user than the one it is for',
  );
  return outcome;
}
