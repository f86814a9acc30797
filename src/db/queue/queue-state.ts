import { sql } from 'kysely';
import type { Db } from '../database.ts';

/** Tasks in the queue: all; due for more than two minutes and not running, so no worker takes them; given up after their attempts. */
export async function queueState(db: Db): Promise<{ tasks: number; overdue: number; givenUp: number }> {
  const { rows } = await sql<{ tasks: string; overdue: string; given_up: string }>`
    SELECT count(*) AS tasks,
      count(*) FILTER (WHERE locked_at IS NULL AND attempts < max_attempts AND run_at < now() - interval '2 minutes') AS overdue,
      count(*) FILTER (WHERE attempts >= max_attempts) AS given_up
    FROM graphile_worker.jobs`.execute(db);
  const [row] = rows;
  return { tasks: Number(row?.tasks ?? 0), overdue: Number(row?.overdue ?? 0), givenUp: Number(row?.given_up ?? 0) };
}
