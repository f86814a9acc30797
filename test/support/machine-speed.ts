const PAGE = 4096;
const ROUNDS = 5;

/** What takes time in a service that handles large bodies, and the milliseconds that it usually takes. */
const WORK: readonly (readonly [usualMs: number, work: () => void])[] = [
  // Memory that the system has to give: slow where a host reclaims it.
  [
    16,
    () => {
      const memory = Buffer.allocUnsafeSlow(64 * 1024 * 1024);
      for (let at = 0; at < memory.length; at += PAGE) memory[at] = 1;
    },
  ],
  [20, () => void JSON.parse(`[${'{},'.repeat(199_999)}{}]`)],
];

/**
 * How many times longer than usual this machine takes at the moment; never less than 1. Limits of time are multiplied by it: a
 * machine that is shared or throttled is no fault of the service.
 */
export function slowness(): number {
  return Math.max(1, ...WORK.map(([usualMs, work]) => median(() => timed(work)) / usualMs));
}

function timed(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

function median(measure: () => number): number {
  const times = Array.from({ length: ROUNDS }, measure).toSorted((a, b) => a - b);
  return times[Math.floor(ROUNDS / 2)] ?? 0;
}
