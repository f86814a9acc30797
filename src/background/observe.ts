import type { BackgroundParts } from './parts.ts';
import { repeat } from './repeat.ts';

/** Reports the outcomes of `work`, which something else calls and retries, as those of the part `name`. */
export function observed<Args extends unknown[], Result>(
  parts: BackgroundParts,
  name: string,
  work: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  const instance = parts.open(name);
  return async (...args) => {
    try {
      const result = await instance.run(() => work(...args));
      instance.worked();
      return result;
    } catch (error) {
      instance.failed(error);
      throw error;
    }
  };
}

export interface Wanted {
  /** Requests the work: it runs at once, or when the last run is long enough ago. */
  want(): void;
  stop(): Promise<void>;
}

/** Runs `work` on request, at most every `everyMs`, and retries it until it succeeds. */
export function onDemand(
  parts: BackgroundParts,
  name: string,
  work: () => Promise<void>,
  { everyMs }: { everyMs: number },
): Wanted {
  let last = -Infinity;
  const repeated = repeat(
    parts,
    name,
    async () => {
      last = performance.now();
      await work();
      return Infinity;
    },
    { everyMs, firstMs: Infinity },
  );
  return { want: () => repeated.soon(Math.max(0, last + everyMs - performance.now())), stop: repeated.stop };
}

export interface Measured<T> {
  /** Undefined when it could not be read in time; the part then retries until it can. Never rejects. */
  read(): Promise<T | undefined>;
  stop(): Promise<void>;
}

const MEASURE_MS = 5000;

/** Reads a value on request. */
export function measured<T>(parts: BackgroundParts, name: string, read: () => Promise<T>): Measured<T> {
  let latest: T | undefined;
  const repeated = repeat(
    parts,
    name,
    async () => {
      latest = undefined;
      latest = await read();
      return Infinity;
    },
    { everyMs: 5000, firstMs: Infinity, limitMs: MEASURE_MS },
  );
  return {
    async read() {
      await repeated.now();
      return latest;
    },
    stop: repeated.stop,
  };
}
