import { sql } from 'kysely';
import type { Db, Trx } from '../database.ts';
import type { JobName } from './job-outputs.ts';
import { recordedAt } from '../timestamps.ts';
import type { ParkedReason } from './webhook-deliveries.ts';

/** A webhook that waits for its owner, without its body. */
export interface ParkedDelivery extends JobName {
  id: string;
  state: 'parked';
  reason: ParkedReason;
  namedUserId: string | null;
  /** The user to whom the job is registered now. */
  registeredUserId: string | null;
  /** Size of the body; null where it was not recorded. */
  bytes: number | null;
  receivedAt: string;
  expiresAt: string;
}

/** Webhooks parked for the owner of a job, oldest first: only ids, because bodies may be large. */
export async function parkedIdsFor(
  db: Db,
  { provider, jobId, userId }: JobName & { userId: string },
  limit: number,
): Promise<string[]> {
  const rows = await db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('provider', '=', provider)
    .where('job_id', '=', jobId)
    .where('state', '=', 'parked')
    .where(({ or, eb }) => or([eb('reason', 'is distinct from', 'other_owner'), eb('named_user_id', '=', userId)]))
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}

export interface ParkedPage {
  provider?: string | undefined;
  jobId?: string | undefined;
  /** The id after which the page begins. */
  after?: string | undefined;
  limit: number;
}

/** Parked webhooks, newest first. */
export async function listParked(db: Db, { provider, jobId, after, limit }: ParkedPage): Promise<ParkedDelivery[]> {
  const rows = await db
    .selectFrom('webhook_deliveries as delivery')
    .leftJoin('generation_jobs as job', (join) =>
      join.onRef('job.provider', '=', 'delivery.provider').onRef('job.job_id', '=', 'delivery.job_id'),
    )
    .select([
      'delivery.id',
      'delivery.provider',
      'delivery.job_id',
      'delivery.reason',
      'delivery.named_user_id',
      'delivery.received_at',
      'delivery.expires_at',
      'job.user_id as registered_user_id',
      sql<string | null>`coalesce(delivery.bytes, octet_length(delivery.body))`.as('bytes'),
    ])
    .where('delivery.state', '=', 'parked')
    .$if(provider !== undefined, (query) => query.where('delivery.provider', '=', provider ?? ''))
    .$if(jobId !== undefined, (query) => query.where('delivery.job_id', '=', jobId ?? ''))
    .$if(after !== undefined, (query) => query.where('delivery.id', '<', after ?? ''))
    .orderBy('delivery.id', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    provider: row.provider,
    jobId: row.job_id,
    state: 'parked',
    reason: row.reason ?? 'no_owner',
    namedUserId: row.named_user_id,
    registeredUserId: row.registered_user_id,
    bytes: row.bytes === null ? null : Number(row.bytes),
    receivedAt: recordedAt(row.received_at),
    expiresAt: recordedAt(row.expires_at),
  }));
}

/** Claims a parked webhook; false when another process has claimed it. Its body is kept for `keepDays` more days. */
export async function claimDelivery(trx: Trx, id: string, keepDays: number): Promise<boolean> {
  const result = await trx
    .updateTable('webhook_deliveries')
    .set({ state: 'done', expires_at: sql<string>`now() + make_interval(days => ${keepDays})` })
    .where('id', '=', id)
    .where('state', '=', 'parked')
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}
