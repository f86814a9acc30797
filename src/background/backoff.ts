export interface Backoff {
  /** The longest pause after the first failure. */
  minMs: number;
  /** The longest pause after any number of failures. */
  maxMs: number;
}

/** Milliseconds to wait after `failures` failures in a row. Half of it is random, so that replicas do not retry in step. */
export function backoff(failures: number, { minMs, maxMs }: Backoff, random: () => number = Math.random): number {
  const longest = Math.min(maxMs, minMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30));
  return longest / 2 + (longest / 2) * random();
}
