import { AsyncLocalStorage } from 'node:async_hooks';
import { type Backoff, backoff } from './backoff.ts';
import type { BackgroundParts, Instance } from './parts.ts';

export interface Turn {
  /** Fires when the part is stopped, and when the turn is given up. */
  signal: AbortSignal;
  /** Resets the turn's time limit: it is not stuck. */
  progress(): void;
}

/** Returns the milliseconds until the next turn if they differ from `everyMs`; `Infinity`: not before it is requested. */
export type Work = (turn: Turn) => number | void | Promise<number | void>;

export interface RepeatOptions {
  /** Milliseconds from the end of a turn to the next. */
  everyMs: number;
  /** Milliseconds to the first turn; default 0. */
  firstMs?: number;
  retry?: Backoff;
  /** Milliseconds without progress after which a turn has failed. It is abandoned, and the next one starts beside it. */
  limitMs?: number;
  /** Logged with a failure. */
  details?: Record<string, unknown>;
}

export interface Repeated {
  /** Brings the next turn forward. A failing part keeps to its back-off. */
  soon(ms: number): void;
  /** Resolves after a turn: the running one, else one that starts at once, even during a back-off. */
  now(): Promise<void>;
  /** Resolves when the running turn has ended, or when it is given up. */
  stop(): Promise<void>;
}

const LIMIT_MS = 60_000;
const STOP_MS = 10_000;

/**
 * Runs `work` repeatedly, one turn at a time. A turn that throws, rejects or gets stuck makes the part fail and is retried with
 * back-off; its error does not reach the process. Its timers do not keep the process alive.
 */
export function repeat(parts: BackgroundParts, name: string, work: Work, options: RepeatOptions): Repeated {
  const { everyMs, firstMs = 0, limitMs = LIMIT_MS } = options;
  const retry = options.retry ?? { minMs: Math.min(1000, everyMs), maxMs: Math.min(Math.max(everyMs, 5000), 60_000) };
  const instance = parts.open(name, options.details);
  // A turn that a request brings forward is not that request's.
  const outside = AsyncLocalStorage.snapshot();
  let timer: NodeJS.Timeout | undefined;
  let due = Infinity;
  let sooner = Infinity;
  let failures = 0;
  let stopped = false;
  let cut: AbortController | undefined;
  let turn: Promise<void> | undefined;

  const schedule = (ms: number) => {
    clearTimeout(timer);
    due = performance.now() + ms;
    if (!stopped && ms !== Infinity) timer = setTimeout(begin, ms).unref();
  };
  const take = async (): Promise<void> => {
    if (failures > 0) instance.restarted();
    cut = new AbortController();
    try {
      const pause = await limited(instance, work, cut, limitMs);
      failures = 0;
      instance.worked();
      schedule(Math.min(pause ?? everyMs, sooner));
    } catch (error) {
      failures += 1;
      if (!stopped) instance.failed(error);
      schedule(backoff(failures, retry));
    }
    sooner = Infinity;
    turn = undefined;
  };
  function begin(): void {
    clearTimeout(timer);
    turn ??= outside(take);
  }

  schedule(firstMs);
  return {
    soon(ms) {
      if (turn) sooner = Math.min(sooner, ms);
      else if (failures === 0 && performance.now() + ms < due) schedule(ms);
    },
    async now() {
      if (stopped) return;
      begin();
      await turn;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      instance.close();
      cut?.abort();
      if (turn) await within(turn, STOP_MS);
    },
  };
}

/** `repeat` for the storage layer, which may not import it. */
export function repeatWith(
  parts: BackgroundParts,
): (name: string, everyMs: number, work: () => Promise<void>) => { stop(): void } {
  return (name, everyMs, work) => {
    const repeated = repeat(parts, name, work, { everyMs, firstMs: everyMs });
    return { stop: () => void repeated.stop() };
  };
}

function limited(instance: Instance, work: Work, cut: AbortController, limitMs: number): Promise<number | void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const stuck = new Error(`no end and no progress within ${limitMs / 1000} s`);
      cut.abort(stuck);
      reject(stuck);
    }, limitMs).unref();
    let over = false;
    const progress = () => {
      if (!over) timer.refresh();
    };
    instance
      .run(() => work({ signal: cut.signal, progress }))
      .then(resolve, reject)
      .finally(() => {
        over = true;
        clearTimeout(timer);
      });
  });
}

/** Waits for `work`, which never rejects, at most `ms`. */
export async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
