import { sql } from 'kysely';
import { codeOf } from '../../errors.ts';
import type { Db } from '../database.ts';

/**
 * Has a worker look for copies to make, in a second, so that a burst of uploads is one job. Not part of any upload's
 * transaction: the wish is a row already, and without this a worker finds it within a minute.
 */
export async function requestCopies(db: Db): Promise<void> {
  try {
    await sql`
      SELECT graphile_worker.add_job('copies', run_at := now() + interval '1 second', max_attempts := 3,
        job_key := 'copies', job_key_mode := 'preserve_run_at')`.execute(db);
  } catch (error) {
    // No worker has ever run on this database: there is nobody to tell.
    if (!['3F000', '42883'].includes(codeOf(error) ?? '')) throw error;
  }
}

/** Downloads come after everything else that is due: they may be many, and slow. A higher number is later. */
export const DOWNLOAD_PRIORITY = 10;

/** What a worker can be asked to do. */
export type TaskName = 'fetch' | 'fetch-at-hand' | 'comfyui';

/** The task that fetches what has these places. */
export function fetchTask(atHand: boolean): TaskName {
  return atHand ? 'fetch-at-hand' : 'fetch';
}

/** Has workers do `task` so many times, from the commit of this transaction on, and not before so many seconds have passed. */
export async function enqueue(db: Db, task: TaskName, times = 1, runInSeconds = 0): Promise<void> {
  await sql`
    SELECT graphile_worker.add_job(${task}, run_at := now() + make_interval(secs => ${runInSeconds}), max_attempts := 3,
      priority := ${task === 'fetch' ? DOWNLOAD_PRIORITY : 0})
    FROM generate_series(1, ${times})`.execute(db);
}
