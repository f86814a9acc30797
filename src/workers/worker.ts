import type { Deps } from '../domain/deps.ts';
import { keepRollups } from '../domain/rollups.ts';
import { sweepIntents } from '../domain/sweep.ts';
import { type JobsOptions, startJobs } from './jobs.ts';

const SWEEP_MS = 60_000;
/** How far totals may be behind. More changes at once cost less for each than few. */
const ROLLUP_MS = 2000;

export interface Worker {
  /** Waits for the running sweep and, for a moment, for running jobs. */
  stop(): Promise<void>;
}

/** Does something now and after every `ms`; while it runs it is not joined by itself. */
function repeat(ms: number, work: () => Promise<void>): { stop(): Promise<void> } {
  let running: Promise<void> | undefined;
  const turn = () => {
    running ??= work().finally(() => (running = undefined));
  };
  turn();
  const timer = setInterval(turn, ms);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

/**
 * All background work of a process: the jobs, a sweep every minute, and totals every two seconds. Any number of processes may sweep
 * at once: each takes intents that no other has. One at a time keeps the totals, and others pass on.
 */
export function startWorker(deps: Deps, options: JobsOptions): Worker {
  const stopping = new AbortController();
  const { signal } = stopping;
  const sweeps = repeat(SWEEP_MS, () =>
    sweepIntents(deps, signal).then(
      (report) => {
        if (report.removed + report.failed > 0) deps.log.info(report, 'swept what interrupted uploads left');
      },
      (error: unknown) => deps.log.warn({ err: error }, 'a sweep failed; the next one is in a minute'),
    ),
  );
  let failed = false;
  const totals = repeat(ROLLUP_MS, () =>
    keepRollups(deps, signal).then(
      () => void (failed = false),
      (error: unknown) => {
        // Once for as long as it lasts: the next attempt is two seconds away.
        if (!failed) deps.log.warn({ err: error }, 'totals could not be kept; it is tried again every two seconds');
        failed = true;
      },
    ),
  );
  const jobs = startJobs(deps, options);
  return {
    async stop() {
      stopping.abort();
      await Promise.all([jobs.stop(), sweeps.stop(), totals.stop()]);
    },
  };
}
