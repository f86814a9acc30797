import type { Deps } from '../domain/deps.ts';
import { sweepIntents } from '../domain/sweep.ts';
import { type JobsOptions, startJobs } from './jobs.ts';

const SWEEP_MS = 60_000;

export interface Worker {
  /** Waits for the running sweep and, for a moment, for running jobs. */
  stop(): Promise<void>;
}

/**
 * All background work of a process: the jobs, and a sweep now and every minute. Any number of processes may sweep at once:
 * each takes intents that no other has.
 */
export function startWorker(deps: Deps, options: JobsOptions): Worker {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  const sweep = () => {
    // One that takes longer than a minute, because a store is slow, is not joined by others.
    running ??= sweepIntents(deps, stopping.signal)
      .then(
        (report) => {
          if (report.removed + report.failed > 0) deps.log.info(report, 'swept what interrupted uploads left');
        },
        (error: unknown) => deps.log.warn({ err: error }, 'a sweep failed; the next one is in a minute'),
      )
      .finally(() => (running = undefined));
  };
  sweep();
  const timer = setInterval(sweep, SWEEP_MS);
  const jobs = startJobs(deps, options);
  return {
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await Promise.all([jobs.stop(), running]);
    },
  };
}
