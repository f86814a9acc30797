import { sql } from 'kysely';
import type { Db } from '../database.ts';
import { rowsThatFit, sizeOf } from '../items/item-pages.ts';
import type { JobStatus } from '../tables.ts';
import type { JobName } from './job-outputs.ts';
import { type GenerationJob, toJob } from './jobs.ts';

export interface JobPage {
  userId?: string | undefined;
  provider?: string | undefined;
  status?: JobStatus | undefined;
  /** The job after which the page begins. */
  after?: (JobName & { createdAt: string }) | undefined;
  limit: number;
}

/** A job without the fields of its items, and its exact time in the order of the list. */
export interface ListedJob {
  job: Omit<GenerationJob, 'fields'>;
  created_at: string;
}

/** All columns of a job but the fields of its items, which may be large. */
const SHOWN = [
  'provider',
  'job_id',
  'user_id',
  'status',
  'progress',
  'error',
  'error_class',
  'timings',
  'started_at',
  'completed_at',
  'created_at',
  'updated_at',
] as const;
/** Bytes of what has no small bound. */
const WEIGHT = sql<number>`coalesce(octet_length(error), 0) + ${sizeOf('timings')}`;

/** Jobs, newest first; fewer than the limit when they are large. */
export async function listJobs(
  db: Db,
  { userId, provider, status, after, limit }: JobPage,
): Promise<{ jobs: ListedJob[]; more: boolean }> {
  let page = db.selectFrom('generation_jobs').select(['provider', 'job_id', WEIGHT.as('weight')]);
  if (userId !== undefined) page = page.where('user_id', '=', userId);
  if (provider !== undefined) page = page.where('provider', '=', provider);
  if (status !== undefined) page = page.where('status', '=', status);
  if (after)
    page = page.where(
      sql<boolean>`(created_at, provider, job_id) < (${after.createdAt}::timestamptz, ${after.provider}, ${after.jobId})`,
    );
  const found = await page
    .orderBy('created_at', 'desc')
    .orderBy('provider', 'desc')
    .orderBy('job_id', 'desc')
    .limit(limit + 1)
    .execute();
  const fitting = found.slice(0, rowsThatFit(found.slice(0, limit)));
  if (fitting.length === 0) return { jobs: [], more: false };
  const names = sql.join(fitting.map((row) => sql`(${row.provider}, ${row.job_id})`));
  const rows = await db
    .selectFrom('generation_jobs')
    .select(SHOWN)
    .where(sql<boolean>`(provider, job_id) IN (${names})`)
    .orderBy('created_at', 'desc')
    .orderBy('provider', 'desc')
    .orderBy('job_id', 'desc')
    .execute();
  return {
    jobs: rows.map((row) => {
      const { fields: _notRead, ...job } = toJob({ ...row, fields: {} });
      return { job, created_at: row.created_at };
    }),
    more: fitting.length < found.length,
  };
}
