import { AppError, isAppError } from '../../errors.ts';

/** setTimeout fires after 1 ms for longer times. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Limits the time of one fetch, from the DNS lookup to the last byte, and can abort it. */
export interface Deadline {
  /** Aborts when the time is up, the caller's signal aborts, or `abort` is called. The reason is always an AppError. */
  readonly signal: AbortSignal;
  abort(reason: AppError): void;
  /** Stops the clock. The signal does not abort after this, except by `abort`. */
  end(): void;
}

/**
 * Starts the clock. An inactivity timeout would not be enough: a server that sends a byte every second never exceeds it.
 *
 * @param caller the caller's signal; when it aborts with an AppError, that becomes the reason
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
