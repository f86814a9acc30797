import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { watchUncaught } from './uncaught-errors.ts';

/** Signals with which people and supervisors stop a service. */
const ENDING = ['SIGINT', 'SIGTERM'] as const;
/** Ctrl-C reaches a service below npm twice, from the terminal and from npm; a second signal within this time is no new key press. */
const SAME_SIGNAL_MS = 1000;

export interface CloseOptions {
  /** Time limit of `close` in milliseconds. */
  delay: number;
  log: Logger;
  /** Counts an uncaught error that the process survives. */
  uncaught: (part: string) => void;
}

/**
 * Runs `close` once, on the first signal or the first unknown uncaught error, and ends the process; after an error with exit code
 * 1. A second signal or unknown error ends it at once.
 */
export function closeOnSignal(
  { delay, log, uncaught }: CloseOptions,
  close: (why: { signal?: string | undefined; err?: Error | undefined }) => Promise<void>,
): void {
  let first: { signal: string; at: number } | undefined;
  let fatal: Error | undefined;
  const skip = [...ENDING, 'uncaughtException' as const, 'unhandledRejection' as const];
  const grace = closeWithGrace({ delay, logger: log, skip }, async ({ signal }) => {
    await close({ signal: first?.signal ?? signal, err: fatal });
    if (fatal) process.exit(1);
  });
  watchUncaught({ log, count: uncaught }, (error) => {
    if (fatal || first) {
      log.fatal({ err: error }, 'uncaught error while closing; exiting at once');
      process.exit(1);
    }
    fatal = error;
    grace.close();
  });
  for (const signal of ENDING)
    process.on(signal, () => {
      if (!first && !fatal) {
        first = { signal, at: performance.now() };
        grace.close();
      } else if (!first || performance.now() - first.at > SAME_SIGNAL_MS) {
        log.error(`second ${signal}, exiting`);
        process.exit(1);
      }
    });
}
