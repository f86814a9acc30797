import { LRUCache } from 'lru-cache';
import type { Db } from '../../db/database.ts';
import { findDelivery } from '../../db/jobs/webhook-deliveries.ts';
import type { FetchSource } from '../../db/jobs/fetches.ts';
import { AppError } from '../../errors.ts';
import type { AnswerOutput, OutputBytes } from '../../sources/answers/answer.ts';
import { readWebhook } from '../../sources/providers/read-webhook.ts';
import { hashesOf, identifyOutputs } from '../answers/output-identity.ts';
import type { Deps } from '../deps.ts';
import { readKeptBody } from './kept-body.ts';
import type { BytesFrom } from '../ingest/fill-item.ts';

/** A webhook's outputs are stored one after the other; its body is read and parsed once for all within this time. */
const KEPT_MS = 10_000;
/** Bodies are up to 64 MiB, so only those in use by workers are cached. */
const MAX_KEPT = 2;

interface Delivered {
  outputs: AnswerOutput[];
  /** By the SHA-256 of its bytes: the output, and the base64 that holds them. */
  byHash: ReadonlyMap<string, BytesFrom>;
}

const recent = new WeakMap<Db, LRUCache<string, Promise<Delivered>>>();

/**
 * The bytes of an output that came as base64 in a webhook, read from its kept body. They are found by their hash: a later version
 * of this service may read the outputs of the same body in another order.
 * @throws AppError content_missing: the body was removed, or does not hold the bytes; invalid_base64, store_unavailable
 */
export async function deliveredOutput(
  deps: Deps,
  { deliveryId, output, place, sha256 }: Extract<FetchSource, { type: 'delivery' }>,
): Promise<BytesFrom> {
  const { outputs, byHash } = await read(deps, deliveryId);
  const found = sha256 === undefined ? bytesOf(outputs[output], outputs[output]?.from[place]) : byHash.get(sha256);
  if (!found) throw new AppError('content_missing', 'The webhook does not hold those bytes.');
  return found;
}

function bytesOf(output: AnswerOutput | undefined, from: OutputBytes | undefined): BytesFrom | undefined {
  if (from?.type !== 'base64') return undefined;
  return { type: 'base64', data: from.data, declaredType: output?.contentType };
}

function read(deps: Deps, deliveryId: string): Promise<Delivered> {
  const known = recent.get(deps.db) ?? new LRUCache({ max: MAX_KEPT, ttl: KEPT_MS, ttlAutopurge: true });
  recent.set(deps.db, known);
  const kept = known.get(deliveryId);
  if (kept) return kept;
  const outputs = readOutputs(deps, deliveryId);
  known.set(deliveryId, outputs);
  outputs.catch(() => known.delete(deliveryId));
  return outputs;
}

async function readOutputs(deps: Deps, deliveryId: string): Promise<Delivered> {
  const delivery = await findDelivery(deps.db, deliveryId);
  if (!delivery) throw new AppError('content_missing', 'The webhook that brought the bytes is not kept any more.');
  const { answer } = await readWebhook(delivery.provider, await readKeptBody(deps, delivery.body), deps.limits.json);
  const { outputs } = answer;
  const identities = await identifyOutputs(outputs);
  const byHash = new Map<string, BytesFrom>();
  for (const [index, output] of outputs.entries())
    for (const [from, hash] of hashesOf(output, identities[index] ?? [])) {
      const bytes = bytesOf(output, from);
      if (bytes && !byHash.has(hash)) byHash.set(hash, bytes);
    }
  return { outputs, byHash };
}
