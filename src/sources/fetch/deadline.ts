import { AppError, isAppError } from '../../errors.ts';

/** setTimeout turns longer times into 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The one clock and the one switch of a fetch, from the DNS to the last byte. */
export interface Deadline {
  /** Aborts when the time is up, the caller gives up, or `abort` is called. The reason is always an AppError. */
  readonly signal: AbortSignal;
  abort(reason: AppError): void;
  /** Stops the clock; nothing aborts after this. */
  end(): void;
}

/**
 * Starts the clock. A limit on inactivity would not do instead: a byte every second never trips it.
 *
 * @param caller the caller's own signal; when it aborts with an AppError, that is the reason
 */
export function startDeadline(totalTimeoutMs: number, caller: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(
    () => {
      const message = `The file did not arrive within ${totalTimeoutMs / 1000} seconds.`;
      controller.abort(new AppError('fetch_failed', message));
    },
    Math.min(totalTimeoutMs, LONGEST_TIMER_MS),
  );
  const onCallerAbort = (): void => {
    const cause: unknown = caller?.reason;
    const message = 'The download was cancelled before it was complete.';
    controller.abort(isAppError(cause) ? cause : new AppError('fetch_failed', message, { cause }));
  };
  if (caller?.aborted === true) onCallerAbort();
  else caller?.addEventListener('abort', onCallerAbort, { once: true });

  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    end() {
      clearTimeout(timer);
      caller?.removeEventListener('abort', onCallerAbort);
    },
  };
}
