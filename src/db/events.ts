import { sql } from 'kysely';
import type { Db, Trx } from './database.ts';
import { toIsoTime } from './timestamps.ts';

export type EventKind = 'item.stored' | 'item.failed' | 'job.changed';

export interface NewEvent {
  kind: EventKind;
  /** The owner, who may read it. */
  userId: string;
  mediaId?: string | undefined;
  provider?: string | undefined;
  jobId?: string | undefined;
  runId?: string | undefined;
  /** Of the item or the job. */
  status?: string | undefined;
}

/**
 * Records an event in the transaction that causes it. A plain INSERT without a notification or task, since both take a lock that
 * all commits share; `numberEvents` finds the row once it is committed.
 */
export async function recordEvent(trx: Trx, event: NewEvent): Promise<void> {
  await trx
    .insertInto('media_event_outbox')
    .values({
      kind: event.kind,
      user_id: event.userId,
      media_id: event.mediaId,
      provider: event.provider,
      job_id: event.jobId,
      run_id: event.runId,
      status: event.status,
    })
    .execute();
}

/**
 * Gives committed events their positions, at most `limit`; returns how many. Transactions commit in another order than they
 * write, so a number given while writing could appear behind one that a reader has already passed. Here one process at a time
 * gives numbers, and its commit order is their order. Returns 0 at once when another process is numbering.
 */
export async function numberEvents(db: Db, limit: number): Promise<number> {
  const { rows } = await sql<{ numbered: string }>`
    WITH log AS (
      SELECT last_position FROM media_event_log
      WHERE id = 1 AND (SELECT id FROM media_event_outbox ORDER BY id LIMIT 1) IS NOT NULL
      FOR UPDATE SKIP LOCKED
    ), taken AS (
      DELETE FROM media_event_outbox
      WHERE EXISTS (SELECT FROM log)
        AND id = ANY (ARRAY(SELECT id FROM media_event_outbox ORDER BY id LIMIT ${limit}))
      RETURNING *
    ), numbered AS (
      INSERT INTO media_events (position, kind, user_id, media_id, provider, job_id, run_id, status, made_at)
      SELECT log.last_position + row_number() OVER (ORDER BY taken.id), kind, user_id, media_id, provider, job_id, run_id, status, made_at
      FROM taken CROSS JOIN log
      RETURNING position
    )
    UPDATE media_event_log SET last_position = (SELECT max(position) FROM numbered)
    WHERE id = 1 AND EXISTS (SELECT FROM numbered)
    RETURNING (SELECT count(*) FROM numbered) AS numbered`.execute(db);
  return Number(rows[0]?.numbered ?? 0);
}

export interface EventLog {
  /** The position of the newest event; 0 before the first. */
  last: number;
  /** Events up to here have been deleted. */
  forgottenTo: number;
}

export async function readEventLog(db: Db): Promise<EventLog> {
  const row = await db
    .selectFrom('media_event_log')
    .select(['last_position', 'forgotten_to'])
    .where('id', '=', 1)
    .executeTakeFirst();
  return { last: Number(row?.last_position ?? 0), forgottenTo: Number(row?.forgotten_to ?? 0) };
}

export interface MediaEvent {
  position: number;
  kind: string;
  userId: string;
  itemId: string | null;
  provider: string | null;
  jobId: string | null;
  runId: string | null;
  status: string | null;
  at: string;
}

/** Events after a position, of one user or of all, in order; and the kept range, from the same snapshot. */
export async function readEvents(
  db: Db,
  { after, userId, limit }: { after: number; userId: string | undefined; limit: number },
): Promise<EventLog & { events: MediaEvent[] }> {
  const ofUser = userId === undefined ? sql`` : sql`AND user_id = ${userId}`;
  const { rows } = await sql<{
    last_position: string;
    forgotten_to: string;
    position: string | null;
    kind: string;
    user_id: string;
    media_id: string | null;
    provider: string | null;
    job_id: string | null;
    run_id: string | null;
    status: string | null;
    made_at: string;
  }>`
    SELECT log.last_position, log.forgotten_to, event.*
    FROM media_event_log AS log LEFT JOIN LATERAL (
      SELECT position, kind, user_id, media_id, provider, job_id, run_id, status, made_at FROM media_events
      WHERE position > ${after}::bigint ${ofUser}
      ORDER BY position LIMIT ${limit}
    ) AS event ON TRUE
    WHERE log.id = 1
    ORDER BY event.position`.execute(db);
  const [first] = rows;
  return {
    last: Number(first?.last_position ?? 0),
    forgottenTo: Number(first?.forgotten_to ?? 0),
    events: rows
      .filter((row) => row.position !== null)
      .map((row) => ({
        position: Number(row.position),
        kind: row.kind,
        userId: row.user_id,
        itemId: row.media_id,
        provider: row.provider,
        jobId: row.job_id,
        runId: row.run_id,
        status: row.status,
        at: toIsoTime(row.made_at) ?? '',
      })),
  };
}

/** The owners of the events after a position. */
export async function usersOfEvents(db: Db, after: number): Promise<Set<string>> {
  const rows = await db
    .selectFrom('media_events')
    .select('user_id')
    .distinct()
    .where('position', '>', String(after))
    .execute();
  return new Set(rows.map((row) => row.user_id));
}

/** Deletes events that were numbered longer ago than that, the oldest `limit` at most; returns how many. */
export async function forgetEvents(db: Db, olderThanSeconds: number, limit: number): Promise<number> {
  const { rows } = await sql<{ forgotten: string }>`
    WITH log AS (
      SELECT id FROM media_event_log WHERE id = 1 FOR UPDATE SKIP LOCKED
    ), oldest AS (
      SELECT position, numbered_at FROM media_events ORDER BY position LIMIT ${limit}
    ), gone AS (
      DELETE FROM media_events
      WHERE EXISTS (SELECT FROM log)
        AND position <= (SELECT max(position) FROM oldest WHERE numbered_at < now() - make_interval(secs => ${olderThanSeconds}))
      RETURNING position
    )
    UPDATE media_event_log SET forgotten_to = (SELECT max(position) FROM gone)
    WHERE id = 1 AND EXISTS (SELECT FROM gone)
    RETURNING (SELECT count(*) FROM gone) AS forgotten`.execute(db);
  return Number(rows[0]?.forgotten ?? 0);
}
