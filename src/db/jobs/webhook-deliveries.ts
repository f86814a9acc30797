import { sql } from 'kysely';
import type { Db, Trx } from '../database.ts';
import type { IntentKey } from '../objects/intents.ts';
import type { JobName } from './job-outputs.ts';

/** Where a kept body lies: in the row when it is small, else in a store. */
export type KeptBody = { inline: Buffer } | { store: string; key: string };

export interface Delivery extends JobName {
  id: string;
  body: KeptBody;
}

/** `other_owner`: the job is registered to another user than the webhook names, or the webhook names jobs of several users. */
export type ParkedReason = 'no_owner' | 'other_owner';

interface NewDelivery extends JobName {
  deliveryKey: string;
  state: 'parked' | 'done';
  /** Of a parked one. */
  reason?: ParkedReason | undefined;
  /** The user that a parked one names. */
  namedUserId?: string | undefined;
  body: KeptBody;
  bytes: number;
  keepDays: number;
}

/** Records a delivery; undefined when it was recorded before. */
export async function insertDelivery(trx: Trx, delivery: NewDelivery): Promise<string | undefined> {
  const { body } = delivery;
  const row = await trx
    .insertInto('webhook_deliveries')
    .values({
      provider: delivery.provider,
      delivery_key: delivery.deliveryKey,
      job_id: delivery.jobId,
      state: delivery.state,
      reason: delivery.reason,
      named_user_id: delivery.namedUserId,
      bytes: delivery.bytes,
      ...('inline' in body ? { body: body.inline } : { body_store: body.store, body_key: body.key }),
      expires_at: sql<string>`now() + make_interval(days => ${delivery.keepDays})`,
    })
    .onConflict((conflict) => conflict.columns(['provider', 'delivery_key']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return row?.id;
}

interface Row {
  id: string;
  provider: string;
  job_id: string;
  body: Buffer | null;
  body_store: string | null;
  body_key: string | null;
}
const ROW = ['id', 'provider', 'job_id', 'body', 'body_store', 'body_key'] as const;

function toDelivery(row: Row): Delivery {
  const body: KeptBody =
    row.body_store !== null && row.body_key !== null
      ? { store: row.body_store, key: row.body_key }
      : { inline: row.body ?? Buffer.alloc(0) };
  return { id: row.id, provider: row.provider, jobId: row.job_id, body };
}

export async function findDelivery(db: Db, id: string, state?: 'parked'): Promise<Delivery | undefined> {
  const row = await db
    .selectFrom('webhook_deliveries')
    .select(ROW)
    .where('id', '=', id)
    .$if(state !== undefined, (query) => query.where('state', '=', 'parked'))
    .executeTakeFirst();
  return row && toDelivery(row);
}

/** Whether a delivery was recorded before. */
export async function isKnownDelivery(db: Db, provider: string, deliveryKey: string): Promise<boolean> {
  const row = await db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('provider', '=', provider)
    .where('delivery_key', '=', deliveryKey)
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Removes expired deliveries, except those that a pending item still needs. Returns the objects of their bodies. Call it in a
 * transaction that turns those into intents.
 */
export async function removeExpiredDeliveries(
  trx: Db,
  limit: number,
): Promise<{ removed: number; parked: number; objects: IntentKey[] }> {
  const { rows } = await sql<{ state: string; body_store: string | null; body_key: string | null }>`
    DELETE FROM webhook_deliveries WHERE id IN (
      SELECT id FROM webhook_deliveries WHERE expires_at < now()
        AND NOT EXISTS (SELECT FROM fetches WHERE gave_up_at IS NULL
          AND sources @> jsonb_build_array(jsonb_build_object('type', 'delivery', 'deliveryId', webhook_deliveries.id::text)))
      ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)
    RETURNING state, body_store, body_key`.execute(trx);
  return {
    removed: rows.length,
    parked: rows.filter((row) => row.state === 'parked').length,
    objects: rows.flatMap(({ body_store: store, body_key: key }) =>
      store !== null && key !== null ? [{ store, key }] : [],
    ),
  };
}
