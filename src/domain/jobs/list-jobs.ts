import { type ListedJob, listJobs } from '../../db/jobs/list-jobs.ts';
import type { JobStatus } from '../../db/tables.ts';
import type { Caller } from '../caller.ts';
import { itemsThatFit } from '../search/answer-size.ts';
import { listingOf, openCursor, sealCursor, timeInCursor, timeOfCursor } from '../search/cursor.ts';
import { type SearchDeps, scopeOf } from '../search/search.ts';
import { checkText } from '../items/text-limits.ts';

export interface JobFilter {
  userId?: string | undefined;
  provider?: string | undefined;
  status?: JobStatus | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** One page of the jobs that the caller may see, newest first. @throws AppError invalid_cursor, user_mismatch */
export async function jobsOf(
  deps: Pick<SearchDeps, 'db' | 'signer'>,
  caller: Caller,
  { cursor, limit, ...given }: JobFilter,
): Promise<{ jobs: ListedJob['job'][]; nextCursor: string | null }> {
  const filter = { ...given, userId: scopeOf(caller, given.userId) };
  if (filter.userId !== undefined) checkText('userId', filter.userId, 2000);
  const listing = listingOf({ jobs: filter, sub: caller.sub });
  const { jobs, more } = await listJobs(deps.db, { ...filter, limit, after: placeIn(deps, cursor, listing) });
  const shown = itemsThatFit(jobs);
  const last = shown.at(-1);
  const ended = !more && shown.length === jobs.length;
  return {
    jobs: shown.map(({ job }) => job),
    nextCursor:
      last === undefined || ended
        ? null
        : sealCursor(deps.signer, listing, [timeInCursor(last.created_at), last.job.provider, last.job.jobId]),
  };
}

function placeIn({ signer }: Pick<SearchDeps, 'signer'>, cursor: string | undefined, listing: string) {
  if (cursor === undefined) return undefined;
  const [createdAt = '', provider = '', jobId = ''] = openCursor(signer, cursor, { listing, parts: 3 });
  return { createdAt: timeOfCursor(createdAt), provider, jobId };
}
