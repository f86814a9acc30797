import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../driver.ts';
import { unlessAborted } from '../streams/abortable.ts';

/** A write that would wait longer is refused, so that its caller can use another store. */
const MAX_QUEUE_SECONDS = 60;

/** Spaces out write requests. */
export interface RequestPace {
  /** Resolves when the next write may be sent. */
  next(): Promise<void>;
  /** @throws StorageError UNAVAILABLE when `queued` further writes would wait for more than a minute. */
  assertRoom(queued: number): void;
}

/**
 * A token bucket of `perMinute` writes in the worst minute: a quarter of them at once, the rest evenly. GitHub asks for a second
 * between writes and allows 80 a minute; a single upload should not have to wait that second.
 */
export function createRequestPace(
  perMinute: number,
  now: () => number = Date.now,
  wait: (milliseconds: number) => Promise<unknown> = sleep,
): RequestPace {
  if (perMinute === 0) return { next: async () => {}, assertRoom: () => {} };
  const burst = Math.max(1, Math.floor(perMinute / 4));
  const interval = 60_000 / Math.max(1, perMinute - burst);
  /** When the bucket is full again; each write adds one interval. */
  let fullAt = 0;
  return {
    async next() {
      const at = now();
      fullAt = Math.max(fullAt, at) + interval;
      const early = fullAt - at - burst * interval;
      if (early > 0) await wait(early);
    },
    assertRoom(queued) {
      const ahead = Math.max(fullAt - now(), 0) + (queued - burst) * interval;
      if (ahead > MAX_QUEUE_SECONDS * 1000)
        throw new StorageError('UNAVAILABLE', 'More waits to be written to GitHub than its limits let through', {
          retryAfter: Math.ceil(ahead / 1000) - MAX_QUEUE_SECONDS + 1,
        });
    },
  };
}

/** Runs at most `places` tasks at once, in order of arrival. */
export interface Gate {
  waiting(): number;
  run<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T>;
}

export function createGate(places: number): Gate {
  let free = places;
  const queue: (() => void)[] = [];
  return {
    waiting: () => queue.length,
    async run(work, signal) {
      signal?.throwIfAborted();
      if (free > 0) free -= 1;
      else {
        let enter = () => {};
        const entered = new Promise<void>((resolve) => (enter = resolve));
        queue.push(enter);
        try {
          await (signal ? unlessAborted(entered, signal) : entered);
        } catch (error) {
          const at = queue.indexOf(enter);
          if (at >= 0) queue.splice(at, 1);
          // The place was granted at the same moment: it goes to the next one.
          else leave();
          throw error;
        }
      }
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };

  function leave(): void {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  }
}
