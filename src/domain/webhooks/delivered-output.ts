import { LRUCache } from 'lru-cache';
import type { Db } from '../../db/database.ts';
import { findDelivery } from '../../db/jobs/webhook-deliveries.ts';
import type { FetchSource } from '../../db/jobs/fetches.ts';
import { AppError } from '../../errors.ts';
import type { AnswerOutput } from '../../sources/answers/answer.ts';
import { readWebhook } from '../../sources/providers/read-webhook.ts';
import type { Deps } from '../deps.ts';
import { readKeptBody } from './kept-body.ts';
import type { BytesFrom } from '../ingest/fill-item.ts';

/** A webhook's outputs are stored one after the other; its body is read and parsed once for all within this time. */
const KEPT_MS = 10_000;
/** Bodies are up to 64 MiB, so only those in use by workers are cached. */
const MAX_KEPT = 2;

const recent = new WeakMap<Db, LRUCache<string, Promise<AnswerOutput[]>>>();

/**
 * The bytes of an output that came as base64 in a webhook, read from its kept body.
 * @throws AppError content_missing: the body was removed; invalid_base64, store_unavailable
 */
export async function deliveredOutput(
  deps: Deps,
  { deliveryId, output, place }: Extract<FetchSource, { type: 'delivery' }>,
): Promise<BytesFrom> {
  const found = (await outputsOf(deps, deliveryId))[output];
  const from = found?.from[place];
  if (from?.type !== 'base64') throw new AppError('content_missing', 'The webhook does not hold those bytes.');
  return { type: 'base64', data: from.data, declaredType: found?.contentType };
}

function outputsOf(deps: Deps, deliveryId: string): Promise<AnswerOutput[]> {
  const known = recent.get(deps.db) ?? new LRUCache({ max: MAX_KEPT, ttl: KEPT_MS, ttlAutopurge: true });
  recent.set(deps.db, known);
  const kept = known.get(deliveryId);
  if (kept) return kept;
  const read = readOutputs(deps, deliveryId);
  known.set(deliveryId, read);
  read.catch(() => known.delete(deliveryId));
  return read;
}

async function readOutputs(deps: Deps, deliveryId: string): Promise<AnswerOutput[]> {
  const delivery = await findDelivery(deps.db, deliveryId);
  if (!delivery) throw new AppError('content_missing', 'The webhook that brought the bytes is not kept any more.');
  const { answer } = await readWebhook(delivery.provider, await readKeptBody(deps, delivery.body), deps.limits.json);
  return answer.outputs;
}
