import { sql } from 'kysely';
import type { Db } from '../database.ts';
import { rowsThatFit, sizeOf } from '../items/item-pages.ts';
import { type Run, toRun } from './runs.ts';

export type RunStatus = 'open' | 'completed';

export interface RunPage {
  userId?: string | undefined;
  status?: RunStatus | undefined;
  /** The run after which the page begins. */
  after?: { createdAt: string; id: string } | undefined;
  limit: number;
}

/** A run and its exact time in the order of the list. */
export interface ListedRun {
  run: Run;
  created_at: string;
}

/** Must equal the expression of the index. */
const STATUS = sql<RunStatus>`CASE WHEN completed_at IS NULL THEN 'open' ELSE 'completed' END`;
/** Bytes of what has no small bound. */
const WEIGHT = sql<number>`octet_length(input_text) + coalesce(octet_length(transformed_text), 0) + ${sizeOf('metadata')}`;

/** Runs, newest first; fewer than the limit when they are large. */
export async function listRuns(
  db: Db,
  { userId, status, after, limit }: RunPage,
): Promise<{ runs: ListedRun[]; more: boolean }> {
  let page = db.selectFrom('runs').select(['id', WEIGHT.as('weight')]);
  if (userId !== undefined) page = page.where('user_id', '=', userId);
  if (status !== undefined) page = page.where(STATUS, '=', sql.lit(status));
  if (after) page = page.where(sql<boolean>`(created_at, id) < (${after.createdAt}::timestamptz, ${after.id})`);
  const found = await page
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute();
  const ids = found.slice(0, rowsThatFit(found.slice(0, limit))).map(({ id }) => id);
  if (ids.length === 0) return { runs: [], more: false };
  const rows = await db
    .selectFrom('runs')
    .selectAll()
    .where('id', 'in', ids)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  return {
    runs: rows.map((row) => ({ run: toRun(row), created_at: row.created_at })),
    more: ids.length < found.length,
  };
}
