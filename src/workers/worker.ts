import type { Logger } from 'pino';
import type { Db } from '../db/database.ts';
import { sweepIntents } from '../domain/sweep.ts';
import type { Stores } from '../storage/stores.ts';

const SWEEP_MS = 60_000;

export interface Worker {
  /** Waits for the running sweep. */
  stop(): Promise<void>;
}

/** Sweeps now and every minute. Any number of processes may do so at once: each takes intents that no other has. */
export function startWorker(deps: { db: Db; stores: Stores; log: Logger }): Worker {
  let running: Promise<void> = Promise.resolve();
  const sweep = () => {
    running = running.then(async () => {
      try {
        const report = await sweepIntents(deps);
        if (report.removed + report.failed > 0) deps.log.info(report, 'swept what interrupted uploads left');
      } catch (error) {
        deps.log.warn({ err: error }, 'a sweep failed; the next one is in a minute');
      }
    });
  };
  sweep();
  const timer = setInterval(sweep, SWEEP_MS);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
