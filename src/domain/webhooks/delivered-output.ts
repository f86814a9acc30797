import { findDelivery } from '../../db/jobs/webhook-deliveries.ts';
import type { FetchSource } from '../../db/jobs/fetches.ts';
import { AppError } from '../../errors.ts';
import { readWebhook } from '../../sources/providers/read-webhook.ts';
import type { Deps } from '../deps.ts';
import { readKeptBody } from './kept-body.ts';
import type { BytesFrom } from '../ingest/fill-item.ts';

/**
 * The bytes of an output that came as base64 in a webhook, read out of its kept body.
 * @throws AppError content_missing: the body was removed; invalid_base64, store_unavailable
 */
export async function deliveredOutput(
  deps: Deps,
  { deliveryId, output, place }: Extract<FetchSource, { type: 'delivery' }>,
): Promise<BytesFrom> {
  const delivery = await findDelivery(deps.db, deliveryId);
  if (!delivery) throw new AppError('content_missing', 'The webhook that brought the bytes is not kept any more.');
  const { answer } = await readWebhook(delivery.provider, await readKeptBody(deps, delivery.body), deps.limits.json);
  const found = answer.outputs[output];
  const from = found?.from[place];
  if (from?.type !== 'base64') throw new AppError('content_missing', 'The webhook does not hold those bytes.');
  return { type: 'base64', data: from.data, declaredType: found?.contentType };
}
