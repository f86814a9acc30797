/** `closed` lets all calls pass, `open` none, `half-open` one, to test whether the store is back. */
export type BreakerState = 'closed' | 'open' | 'half-open';

const FAILURES_TO_OPEN = 5;
const OPEN_MS = 5000;
/** Longer than the pause between health checks, so that those, not a caller's request, test whether the store is back. */
const TRIPPED_MS = 15_000;

export interface Breaker {
  state(): BreakerState;
  /** Whether a call may pass now; a half-open breaker lets one pass, and the next when that has ended or takes longer than 5 s. */
  allows(): boolean;
  succeeded(): void;
  failed(): void;
  /** Opens at once: the store failed a health check. */
  trip(): void;
}

/** Opens after five failures in a row, so that a store that is down costs callers a millisecond instead of a timeout. */
export function createBreaker(now: () => number = Date.now): Breaker {
  let failures = 0;
  let openUntil = 0;
  const state = (): BreakerState => {
    if (failures < FAILURES_TO_OPEN) return 'closed';
    return now() < openUntil ? 'open' : 'half-open';
  };
  return {
    state,
    allows() {
      const current = state();
      // The call that passes may be an upload of minutes; the others do not wait for its end.
      if (current === 'half-open') openUntil = now() + OPEN_MS;
      return current !== 'open';
    },
    succeeded() {
      failures = 0;
    },
    trip() {
      failures = Math.max(failures, FAILURES_TO_OPEN);
      openUntil = now() + TRIPPED_MS;
    },
    failed() {
      failures += 1;
      if (failures >= FAILURES_TO_OPEN) openUntil = now() + OPEN_MS;
    },
  };
}
