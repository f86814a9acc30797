import { type RunStatus, listRuns } from '../../db/runs/list-runs.ts';
import type { Run } from '../../db/runs/runs.ts';
import type { Caller } from '../caller.ts';
import { itemsThatFit } from '../search/answer-size.ts';
import { listingOf, openCursor, sealCursor, timeInCursor, timeOfCursor } from '../search/cursor.ts';
import { type SearchDeps, scopeOf } from '../search/search.ts';
import { checkText } from '../items/text-limits.ts';

export interface RunFilter {
  userId?: string | undefined;
  status?: RunStatus | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** One page of the runs that the caller may see, newest first. @throws AppError invalid_cursor, user_mismatch */
export async function runsOf(
  deps: Pick<SearchDeps, 'db' | 'signer'>,
  caller: Caller,
  { cursor, limit, ...given }: RunFilter,
): Promise<{ runs: Run[]; nextCursor: string | null }> {
  const filter = { ...given, userId: scopeOf(caller, given.userId) };
  if (filter.userId !== undefined) checkText('userId', filter.userId, 2000);
  const listing = listingOf({ runs: filter, sub: caller.sub });
  const { runs, more } = await listRuns(deps.db, { ...filter, limit, after: placeIn(deps, cursor, listing) });
  const shown = itemsThatFit(runs);
  const last = shown.at(-1);
  const ended = !more && shown.length === runs.length;
  return {
    runs: shown.map(({ run }) => run),
    nextCursor:
      last === undefined || ended
        ? null
        : sealCursor(deps.signer, listing, [timeInCursor(last.created_at), last.run.id]),
  };
}

function placeIn({ signer }: Pick<SearchDeps, 'signer'>, cursor: string | undefined, listing: string) {
  if (cursor === undefined) return undefined;
  const [createdAt = '', id = ''] = openCursor(signer, cursor, { listing, parts: 2 });
  return { createdAt: timeOfCursor(createdAt), id };
}
