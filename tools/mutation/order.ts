import path from 'node:path';
import type { Coverage, Reach } from './coverage.ts';
import type { Mutant } from './mutants.ts';

export interface Choice {
  /** How many test files run the mutated code. */
  reaching: number;
  /** Those within the budget, the likeliest to notice in the shortest time first. */
  chosen: string[];
}

/** By coverage, as it stays the same for all mutants. */
const weights = new WeakMap<Coverage, Map<string, number>>();

/** The test files to run on a mutant, within a budget of seconds. */
export function choose(
  { file, piece }: Pick<Mutant, 'file' | 'piece'>,
  coverage: Coverage,
  budgetSeconds: number,
): Choice {
  const reaching = [...coverage]
    .filter(([, { passes, pieces }]) => passes && pieces.includes(`${file}:${piece}`))
    .map(([test, reach]) => ({ test, reach, ...focusOf(reach, file, weightsOf(coverage)) }));
  const most = Math.max(...reaching.map(({ share }) => share), 1e-9);
  const purest = Math.max(...reaching.map(({ purity }) => purity), 1e-9);
  const ranked = reaching
    .map(({ test, reach, share, purity }) => {
      const likelihood = 0.1 + nearness(file, test) + share / most + purity / purest;
      const seconds = Math.max(0.3, reach.seconds);
      return { test, seconds, rank: likelihood / Math.sqrt(seconds) };
    })
    .toSorted((a, b) => b.rank - a.rank);
  const chosen: string[] = [];
  let left = budgetSeconds;
  for (const { test, seconds } of ranked) {
    if (chosen.length > 0 && seconds > left) continue;
    chosen.push(test);
    left -= seconds;
  }
  return { reaching: reaching.length, chosen };
}

/** What runs in every test file weighs nothing, what runs in few weighs much. */
function weightsOf(coverage: Coverage): Map<string, number> {
  const known = weights.get(coverage);
  if (known) return known;
  const counts = new Map<string, number>();
  for (const { pieces } of coverage.values())
    for (const piece of pieces) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  const result = new Map([...counts].map(([piece, count]) => [piece, Math.log(coverage.size / count)]));
  weights.set(coverage, result);
  return result;
}

/** `share`: how much of the source file a test file runs. `purity`: how much of what it runs is of that source file. */
function focusOf({ pieces }: Reach, file: string, weight: ReadonlyMap<string, number>) {
  let [share, all] = [0, 0];
  for (const piece of pieces) {
    const heavy = weight.get(piece) ?? 0;
    all += heavy;
    if (piece.startsWith(`${file}:`)) share += heavy;
  }
  return { share, purity: share / Math.max(all, 1e-9) };
}

/** 0 to 3: `test` mirrors `src`, and a test file's name says its subject. */
export function nearness(file: string, test: string): number {
  const subject = path.basename(file, '.ts');
  const words = wordsOf(subject);
  const others = new Set([
    ...wordsOf(path.basename(test).replace(/\..*$/, '')),
    ...wordsOf(path.basename(path.dirname(test))),
  ]);
  const common = words.filter((word) => others.has(word)).length / words.length;
  const isMirrored = path.relative('src', path.dirname(file)) === path.relative('test', path.dirname(test));
  return (isMirrored ? 1 : 0) + 2 * common;
}

function wordsOf(name: string): string[] {
  // A plural names the same thing.
  return name.split('-').map((word) => word.replace(/s$/, ''));
}
