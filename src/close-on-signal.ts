import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';

/** Signals with which people and supervisors end a service. */
const ENDING = ['SIGINT', 'SIGTERM'] as const;
/** Ctrl-C reaches a service below npm twice, from the terminal and from npm; nobody has pressed it again so soon. */
const SAME_SIGNAL_MS = 1000;

/**
 * Runs `close` once, on the first signal or the first error that nobody caught, and ends the process. A second signal ends it at once.
 * @param delay milliseconds that `close` may take
 */
export function closeOnSignal(
  { delay, log }: { delay: number; log: Logger },
  close: (why: { signal?: string | undefined; err?: Error | undefined }) => Promise<void>,
): void {
  let first: { signal: string; at: number } | undefined;
  const grace = closeWithGrace({ delay, logger: log, skip: [...ENDING] }, ({ signal, err }) =>
    close({ signal: first?.signal ?? signal, err }),
  );
  for (const signal of ENDING)
    process.on(signal, () => {
      if (!first) {
        first = { signal, at: performance.now() };
        grace.close();
      } else if (performance.now() - first.at > SAME_SIGNAL_MS) {
        log.error(`second ${signal}, exiting`);
        process.exit(1);
      }
    });
}
