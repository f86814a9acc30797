import { sql } from 'kysely';
import type { Db, Trx } from '../database.ts';
import type { JobName } from './job-outputs.ts';

/** A job that must be polled, because its provider sends no webhook. */
export interface JobPoll extends JobName {
  userId: string;
  /** Until its deadline; 0 or less once that has passed. */
  secondsLeft: number;
}

/** Lease of a taken poll. */
const POLL_SECONDS = 60;

/** Schedules a poll of a job in `seconds`, and its deadline `deadlineSeconds` after that. */
export async function setPoll(
  trx: Trx,
  { provider, jobId }: JobName,
  { seconds, deadlineSeconds }: { seconds: number; deadlineSeconds: number },
): Promise<void> {
  await trx
    .updateTable('generation_jobs')
    .set({
      poll_at: sql<string>`now() + make_interval(secs => ${seconds})`,
      poll_until: sql<string>`now() + make_interval(secs => ${deadlineSeconds})`,
    })
    .where('provider', '=', provider)
    .where('job_id', '=', jobId)
    .execute();
}

/** Polls again later. */
export async function postponePoll(trx: Trx, { provider, jobId }: JobName, seconds: number): Promise<void> {
  await trx
    .updateTable('generation_jobs')
    .set({ poll_at: sql<string>`now() + make_interval(secs => ${seconds})` })
    .where('provider', '=', provider)
    .where('job_id', '=', jobId)
    .where('poll_at', 'is not', null)
    .execute();
}

export async function endPoll(trx: Trx, { provider, jobId }: JobName): Promise<void> {
  await trx
    .updateTable('generation_jobs')
    .set({ poll_at: null, poll_until: null })
    .where('provider', '=', provider)
    .where('job_id', '=', jobId)
    .execute();
}

/** Takes a due poll for this process; undefined when none is. */
export async function takePoll(db: Db, provider: string): Promise<JobPoll | undefined> {
  const { rows } = await sql<{ job_id: string; user_id: string; seconds_left: number }>`
    UPDATE generation_jobs SET poll_at = now() + make_interval(secs => ${POLL_SECONDS})
    WHERE (provider, job_id) = (
      SELECT provider, job_id FROM generation_jobs WHERE poll_at <= now() AND provider = ${provider}
      ORDER BY poll_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING job_id, user_id, extract(epoch FROM poll_until - now())::float8 AS seconds_left`.execute(db);
  const [row] = rows;
  return row && { provider, jobId: row.job_id, userId: row.user_id, secondsLeft: row.seconds_left };
}
