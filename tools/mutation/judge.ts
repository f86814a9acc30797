import type { Coverage } from './coverage.ts';
import { type Mutant, mutated } from './mutants.ts';
import { choose } from './order.ts';
import { parse } from './tree.ts';
import { compiles, runTests } from './test-run.ts';
import type { Judged, Verdict } from './verdict.ts';
import type { WorkFolder } from './work-folder.ts';

/** Allowance for the runner's start, and for other load on the machine. */
const SLACK_MS = 45_000;
/** Most mutants are noticed by these. */
const FIRST_SECONDS = 20;

export interface JudgeOptions {
  folder: WorkFolder;
  coverage: Coverage;
  env: Readonly<Record<string, string>>;
  /** Seconds of tests per mutant, as measured when their reach was recorded. */
  budgetSeconds: number;
}

/** Runs the tests that reach a mutant. The folder is restored afterwards. */
export async function judge(mutant: Mutant, options: JudgeOptions): Promise<Judged> {
  const started = performance.now();
  const verdict = await verdictOn(mutant, options);
  return { mutant, verdict, seconds: (performance.now() - started) / 1000 };
}

async function verdictOn(mutant: Mutant, { folder, coverage, env, budgetSeconds }: JudgeOptions): Promise<Verdict> {
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
    for (const files of inTwo(chosen, coverage)) {
      const limitMs = SLACK_MS + 3000 * secondsOf(files, coverage);
      const outcome = await runTests({ folder: folder.path, files, env, limitMs });
      if (outcome.state === 'failed') return { state: 'killed', by: outcome.by };
      if (outcome.state === 'timed out') return outcome;
    }
    return { state: 'survived', ran: chosen.length, reaching };
  } finally {
    await folder.write(mutant.file, original);
  }
}

/** The first files separately, so that a test without end is stopped soon. */
function inTwo(files: readonly string[], coverage: Coverage): string[][] {
  let count = 1;
  while (count < files.length && secondsOf(files.slice(0, count + 1), coverage) <= FIRST_SECONDS) count += 1;
  return [files.slice(0, count), files.slice(count)].filter(({ length }) => length > 0);
}

function secondsOf(files: readonly string[], coverage: Coverage): number {
  return files.reduce((sum, file) => sum + (coverage.get(file)?.seconds ?? 0), 0);
}
