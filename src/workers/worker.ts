import { repeat } from '../background/repeat.ts';
import type { Deps } from '../domain/deps.ts';
import { keepRollups } from '../domain/search/rollups.ts';
import { splitAgain } from '../domain/search/split-again.ts';
import { sweepIntents } from '../domain/staging/sweep.ts';
import { type TaskOptions, startTasks } from './tasks.ts';

const SWEEP_MS = 60_000;
/** Time limit of one object in a sweep: stores time out earlier. */
const SWEEP_LIMIT_MS = 300_000;
/** How far totals may lag. Counting many changes at once costs less per change. */
const ROLLUP_MS = 2000;
/** Rows of writers that use SQL are found by text after that time. */
const WORDS_MS = 30_000;

export interface Worker {
  /** Waits for the running sweep and, for a moment, for running tasks. */
  stop(): Promise<void>;
}

/**
 * All background work of a process: tasks, a sweep every minute, totals every two seconds, and words of rows that lack them. Several
 * processes may sweep concurrently: each takes different intents. One process at a time updates the totals; the others skip their
 * turn.
 */
export function startWorker(deps: Deps, options: TaskOptions): Worker {
  const sweeps = repeat(
    deps.background,
    'sweeps',
    async ({ signal, progress }) => {
      const report = await sweepIntents(deps, signal, progress);
      if (report.removed + report.failed > 0) deps.log.info(report, 'swept what interrupted uploads left');
    },
    { everyMs: SWEEP_MS, limitMs: SWEEP_LIMIT_MS },
  );
  const totals = repeat(
    deps.background,
    'totals',
    async ({ signal, progress }) => {
      await keepRollups(deps, signal, progress);
    },
    { everyMs: ROLLUP_MS, retry: { minMs: ROLLUP_MS, maxMs: 30_000 } },
  );
  const words = repeat(
    deps.background,
    'search words',
    async ({ signal, progress }) => {
      await splitAgain(deps, signal, progress);
    },
    { everyMs: WORDS_MS },
  );
  const tasks = startTasks(deps, options);
  return {
    async stop() {
      await Promise.all([tasks.stop(), sweeps.stop(), totals.stop(), words.stop()]);
    },
  };
}
