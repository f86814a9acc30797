import { EventEmitter } from 'node:events';
import {
  Logger as JobLogger,
  type TaskList,
  type WorkerEvents,
  parseCronItems,
  run as startRunner,
} from 'graphile-worker';
import type { Logger } from 'pino';
import type { RunPart } from '../background/keep-running.ts';
import { within } from '../background/repeat.ts';
import { failureOf } from '../db/failure.ts';
import { QueuePool } from '../db/queue/queue-pool.ts';
import { isAppError } from '../errors.ts';

export interface RunnerOptions {
  connectionString: string;
  /** Concurrent tasks. */
  slots: number;
  taskList: TaskList;
  /** Tasks that look for due rows, once a minute. */
  watches: readonly { task: string; priority: number }[];
  log: Logger;
}

const EVERY_MINUTE = '* * * * *';
const ATTEMPTS = 3;
const CLOSE_MS = 2000;

/** Failures that graphile-worker retries by itself; while they go on, the part counts as failing. */
const FAILURES = ['worker:getJob:error', 'pool:listen:error', 'resetLocked:failure', 'pool:fatalError'] as const;
const SUCCESSES = ['worker:getJob:empty', 'job:start'] as const;

/**
 * Runs graphile-worker 0.18 until `signal` fires or it ends by itself. Its promises that nothing awaits, and how they end:
 * - `completeJob` and `failJob` in worker.js, when a task has ended. With a batch delay they reject into a handler of main.js, which
 *   emits `pool:fatalError` and shuts the pool down: this run ends, and the next one begins. QueuePool keeps them from failing
 *   for the loss of a connection alone.
 * - `release` in main.js, when the listening connection fails while it is released ("already been released"): cannot be caught.
 *   The
 *   handler of unhandled rejections assigns it to this part, which restarts.
 * - `nudge` and `doNext` in worker.js assert that their worker is active, the former in an event of the connection: likewise.
 * - `gracefulShutdown` in main.js, cron.js and `runner.promise` have handlers inside graphile-worker, and reject into none of
 *   ours.
 */
export async function runTasks(
  { connectionString, slots, taskList, watches, log }: RunnerOptions,
  { signal, worked, failed }: RunPart,
): Promise<void> {
  const events: WorkerEvents = new EventEmitter();
  for (const name of FAILURES) events.on(name, ({ error }: { error: unknown }) => failed(error));
  for (const name of SUCCESSES) events.on(name, worked);
  const pool = new QueuePool(connectionString, slots + 2, (error) => {
    if (!signal.aborted) failed(error);
  });
  const giveUp = () => pool.giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const runner = await startRunner({
      pgPool: pool,
      noHandleSignals: true,
      logger: jobLogger(log),
      events,
      taskList,
      preset: { worker: { concurrentJobs: slots, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      parsedCronItems: parseCronItems(
        watches.map(({ task, priority }) => ({
          task,
          match: EVERY_MINUTE,
          identifier: task,
          options: {
            backfillPeriod: 0,
            // The second and third attempt come after seconds, not after a minute.
            maxAttempts: ATTEMPTS,
            jobKey: task,
            jobKeyMode: 'preserve_run_at' as const,
            priority,
          },
        })),
      ),
    });
    // It rejects when the runner has stopped by itself already.
    const stop = () => void runner.stop().catch(() => {});
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      // Work that was postponed while no runner was active is due at once.
      for (const { task, priority } of watches)
        if (!signal.aborted) await runner.addJob(task, {}, { jobKey: task, maxAttempts: ATTEMPTS, priority });
    } catch (error) {
      if (!signal.aborted) failed(error);
      stop();
    }
    await runner.promise;
  } finally {
    pool.giveUp();
    await within(
      pool.end().catch(() => {}),
      CLOSE_MS,
    );
  }
}

/** Routes graphile-worker's messages to the service's log; those about single tasks and an unavailable database only at debug level. */
function jobLogger(log: Logger): JobLogger {
  return new JobLogger((scope) => (level, message, meta) => {
    const error = meta?.['error'];
    const line = { taskId: scope.jobId, task: scope.taskIdentifier, ...(error ? { err: error } : {}) };
    const known = failureOf(error) === 'gone' || isAppError(error, 'database_unavailable');
    if (level === 'error' && !known) log.error(line, message);
    else if (level === 'warning' && !known) log.warn(line, message);
    else log.debug(line, message);
  });
}
