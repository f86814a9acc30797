import path from 'node:path';
import type { Coverage } from './coverage.ts';
import { type Mutant, mutated } from './mutants.ts';
import { parse } from './tree.ts';
import { compiles, runTests } from './test-run.ts';
import type { WorkFolder } from './work-folder.ts';

export type Verdict =
  | { state: 'killed'; by: string }
  | { state: 'timed out' }
  /** No test that was run has failed; `ran` of the `reaching` test files were. */
  | { state: 'survived'; ran: number; reaching: number }
  /** No test runs this code. */
  | { state: 'not reached' }
  /** No longer valid TypeScript, so it says nothing about the tests. */
  | { state: 'invalid' };

/** Tests near the changed code are run first. */
const FIRST = 3;
/** Allowance for the runner's start, and for other load on the machine. */
const SLACK_MS = 30_000;

export interface JudgeOptions {
  folder: WorkFolder;
  coverage: Coverage;
  env: Readonly<Record<string, string>>;
  /** Seconds of tests per mutant, as measured when their reach was recorded. */
  budgetSeconds: number;
}

/** Runs the tests that reach a mutant. The folder is restored afterwards. */
export async function judge(mutant: Mutant, { folder, coverage, env, budgetSeconds }: JudgeOptions): Promise<Verdict> {
  const { reaching, chosen } = choose(mutant, coverage, budgetSeconds);
  if (reaching === 0) return { state: 'not reached' };
  const original = await folder.read(mutant.file);
  const text = mutated(original, mutant);
  try {
    parse(mutant.file, text);
  } catch {
    return { state: 'invalid' };
  }
  await folder.write(mutant.file, text);
  try {
    if (!(await compiles(folder.path))) return { state: 'invalid' };
    for (const files of [chosen.slice(0, FIRST), chosen.slice(FIRST)]) {
      if (files.length === 0) continue;
      const expected = files.reduce((sum, file) => sum + (coverage.get(file)?.seconds ?? 0), 0);
      const limitMs = SLACK_MS + 3 * expected * 1000;
      const outcome = await runTests({ folder: folder.path, files, env, limitMs });
      if (outcome.state === 'failed') return { state: 'killed', by: outcome.by };
      if (outcome.state === 'timed out') return outcome;
    }
    return { state: 'survived', ran: chosen.length, reaching };
  } finally {
    await folder.write(mutant.file, original);
  }
}

/** The test files to run within the budget: first those close to the code's path, then those that reach the least other code. */
function choose(
  { file, piece }: Mutant,
  coverage: Coverage,
  budgetSeconds: number,
): { reaching: number; chosen: string[] } {
  const reaching = [...coverage]
    .filter(([, { passes, pieces }]) => passes && pieces.includes(`${file}:${piece}`))
    .map(([test, reach]) => ({ test, nearness: nearness(file, test), ...reach }))
    .toSorted((a, b) => b.nearness - a.nearness || a.pieces.length - b.pieces.length);
  // Each was measured alone; together they start once.
  const start = Math.min(...[...coverage.values()].map(({ seconds }) => seconds));
  const chosen: string[] = [];
  let left = budgetSeconds;
  for (const { test, seconds } of reaching) {
    if (chosen.length > 0 && seconds - start > left) continue;
    chosen.push(test);
    left -= seconds - start;
  }
  return { reaching: reaching.length, chosen };
}

/** Number of common words in the paths of code and a test: `test` mirrors `src`. */
function nearness(file: string, test: string): number {
  const words = (name: string) =>
    new Set(
      path
        .join(path.dirname(name), path.basename(name).replace(/\..*$/, ''))
        .split(/[/-]/)
        .filter((word) => word !== 'src' && word !== 'test'),
    );
  const others = words(test);
  return [...words(file)].filter((word) => others.has(word)).length;
}
