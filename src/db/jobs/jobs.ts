import type { JsonObject } from '../../json/json.ts';
import { type Selectable, sql } from 'kysely';
import { recordEvent } from '../events.ts';
import type { Db, Trx } from '../database.ts';
import type { JobName } from './job-outputs.ts';
import type { GenerationJobsTable, JobStatus } from '../tables.ts';
import { recordedAt, toIsoTime } from '../timestamps.ts';

/** A generation job at a provider. */
export interface GenerationJob extends JobName {
  userId: string;
  status: JobStatus;
  /** 0 to 100. */
  progress: number | null;
  error: string | null;
  errorClass: string | null;
  /** Fields of its items. */
  fields: JsonObject;
  timings: JsonObject;
  startedAt: string | null;
  completedAt: string | null;
  createdAt: string;
  updatedAt: string;
}

export function toJob(row: Omit<Selectable<GenerationJobsTable>, 'poll_at' | 'poll_until'>): GenerationJob {
  const createdAt = recordedAt(row.created_at);
  return {
    provider: row.provider,
    jobId: row.job_id,
    userId: row.user_id,
    status: row.status,
    progress: row.progress,
    error: row.error,
    errorClass: row.error_class,
    fields: row.fields,
    timings: row.timings,
    startedAt: toIsoTime(row.started_at),
    completedAt: toIsoTime(row.completed_at),
    createdAt,
    updatedAt: toIsoTime(row.updated_at) ?? createdAt,
  };
}

export async function findJob(db: Db, { provider, jobId }: JobName): Promise<GenerationJob | undefined> {
  const row = await db
    .selectFrom('generation_jobs')
    .selectAll()
    .where('provider', '=', provider)
    .where('job_id', '=', jobId)
    .executeTakeFirst();
  return row && toJob(row);
}

/**
 * Inserts the job unless it exists, and locks it until the transaction ends, so that reports about one job are serialised. Given
 * fields replace the job's.
 */
export async function lockJob(
  trx: Trx,
  { provider, jobId }: JobName,
  { userId, fields }: { userId: string; fields?: JsonObject | undefined },
): Promise<{ job: GenerationJob; made: boolean }> {
  const made = await trx
    .insertInto('generation_jobs')
    .values({ provider, job_id: jobId, user_id: userId, fields: JSON.stringify(fields ?? {}), timings: '{}' })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
  if (made) {
    await recordEvent(trx, { kind: 'job.changed', userId, provider, jobId, status: made.status });
    return { job: toJob(made), made: true };
  }
  const row = await trx
    .selectFrom('generation_jobs')
    .selectAll()
    .where('provider', '=', provider)
    .where('job_id', '=', jobId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  return { job: toJob(row), made: false };
}

/**
 * Gives a job to another user, in the transaction that has locked it. It starts afresh: the state and fields of its former owner
 * are removed.
 */
export async function giveJob(trx: Trx, { provider, jobId }: JobName, userId: string): Promise<GenerationJob> {
  const row = await trx
    .updateTable('generation_jobs')
    .set({
      user_id: userId,
      status: 'queued',
      progress: null,
      error: null,
      error_class: null,
      fields: '{}',
      timings: '{}',
      poll_at: null,
      poll_until: null,
      started_at: null,
      completed_at: null,
      updated_at: sql<string>`now()`,
    })
    .where('provider', '=', provider)
    .where('job_id', '=', jobId)
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordEvent(trx, { kind: 'job.changed', userId, provider, jobId, status: row.status });
  return toJob(row);
}

export type JobChange = Partial<
  Pick<
    GenerationJob,
    'status' | 'progress' | 'error' | 'errorClass' | 'fields' | 'timings' | 'startedAt' | 'completedAt'
  >
>;

export async function updateJob(trx: Trx, { provider, jobId }: JobName, change: JobChange): Promise<GenerationJob> {
  const row = await trx
    .updateTable('generation_jobs')
    .set({
      ...(change.status !== undefined && { status: change.status }),
      ...(change.progress !== undefined && { progress: change.progress }),
      ...(change.error !== undefined && { error: change.error }),
      ...(change.errorClass !== undefined && { error_class: change.errorClass }),
      ...(change.fields !== undefined && { fields: JSON.stringify(change.fields) }),
      ...(change.timings !== undefined && { timings: JSON.stringify(change.timings) }),
      ...(change.startedAt !== undefined && { started_at: change.startedAt }),
      ...(change.completedAt !== undefined && { completed_at: change.completedAt }),
      updated_at: sql<string>`now()`,
    })
    .where('provider', '=', provider)
    .where('job_id', '=', jobId)
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordEvent(trx, { kind: 'job.changed', userId: row.user_id, provider, jobId, status: row.status });
  return toJob(row);
}
