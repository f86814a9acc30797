import type { JobHelpers } from 'graphile-worker';
import { DOWNLOAD_PRIORITY } from '../db/queue/enqueue.ts';

type Work = (payload: unknown, helpers: JobHelpers) => Promise<void>;

/** A task with a backlog yields to others after this time, and continues later. */
export const TURN_MS = 50_000;

/** Concurrent tasks in a process that allows this many downloads. */
export function taskSlots(concurrency: number): number {
  return concurrency + 1;
}

/** Enqueues a task that is needed only once, due in so many seconds by the database's clock, which alone decides what is due. */
export function addOnce(helpers: JobHelpers, task: string, seconds = 0): Promise<unknown> {
  return helpers.query(
    'SELECT graphile_worker.add_job($1, run_at := now() + make_interval(secs => $2), max_attempts := 3, job_key := $1)',
    [task, seconds],
  );
}

/**
 * Runs one of these at a time in this process: a task that finds another one running leaves its work to that one, which checks
 * once more.
 */
export function alone(name: string, work: (helpers: JobHelpers) => Promise<void>): Work {
  let running = false;
  let asked = false;
  return async (_payload, helpers) => {
    if (running) {
      asked = true;
      return;
    }
    running = true;
    try {
      await work(helpers);
    } finally {
      running = false;
    }
    if (!asked) return;
    asked = false;
    await addOnce(helpers, name);
  };
}

/**
 * Downloads take all slots but one (`taskSlots`), so that however many wait, and however slow they are, everything else gets
 * through. Each task takes the fetch that expires first until none is due; a task without a slot ends, because the running ones
 * get there.
 * @param fetchNext makes one attempt; undefined: none is due
 */
export function downloads(
  fetchNext: (signal: AbortSignal | undefined) => Promise<unknown>,
  concurrency: number,
  turnMs = TURN_MS,
): Work {
  const slots = concurrency;
  let running = 0;
  let asked = false;
  return async (_payload, helpers) => {
    if (running >= slots) {
      asked = true;
      return;
    }
    running += 1;
    try {
      const end = Date.now() + turnMs;
      while (!helpers.abortSignal?.aborted) {
        asked = false;
        const found = await fetchNext(helpers.abortSignal);
        if (found === undefined) {
          // A task that arrived during this check may have ended because of it, for an item that this one has not seen.
          if (asked) continue;
          return;
        }
        if (Date.now() < end) continue;
        await helpers.addJob('fetches', {}, { jobKey: 'fetches', maxAttempts: 3, priority: DOWNLOAD_PRIORITY });
        return;
      }
    } finally {
      running -= 1;
    }
  };
}
