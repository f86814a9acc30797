import { sql } from 'kysely';
import { codeOf } from '../../errors.ts';
import type { Db } from '../database.ts';

/**
 * Asks a worker to make pending copies. The task starts after a second, so that a burst of uploads becomes one task. It is
 * not part of an upload's transaction: the pending copy is a row already, and a worker finds it within a minute anyway.
 */
export async function requestCopies(db: Db): Promise<void> {
  try {
    await sql`
      SELECT graphile_worker.add_job('copies', run_at := now() + interval '1 second', max_attempts := 3,
        job_key := 'copies', job_key_mode := 'preserve_run_at')`.execute(db);
  } catch (error) {
    // The task queue has no schema yet: no worker has ever run on this database.
    if (!['3F000', '42883'].includes(codeOf(error) ?? '')) throw error;
  }
}

/** Downloads run after all other due tasks, because they may be many and slow. A higher number runs later. */
export const DOWNLOAD_PRIORITY = 10;

/** Names of the tasks that are queued with a row. */
export type TaskName = 'fetch' | 'fetch-at-hand' | 'comfyui';

/** The task that fetches an item's bytes: from a place at hand, which needs no download, or by a download. */
export function fetchTask(atHand: boolean): TaskName {
  return atHand ? 'fetch-at-hand' : 'fetch';
}

/** Adds `times` tasks. Workers see them when the transaction commits, and start them after `runInSeconds` seconds. */
export async function enqueue(db: Db, task: TaskName, times = 1, runInSeconds = 0): Promise<void> {
  await sql`
    SELECT graphile_worker.add_job(${task}, run_at := now() + make_interval(secs => ${runInSeconds}), max_attempts := 3,
      priority := ${task === 'fetch' ? DOWNLOAD_PRIORITY : 0})
    FROM generate_series(1, ${times})`.execute(db);
}
