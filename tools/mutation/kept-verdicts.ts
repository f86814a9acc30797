import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Coverage } from './coverage.ts';
import type { Mutant } from './mutants.ts';
import { choose } from './order.ts';
import type { Judged } from './verdict.ts';
import { CHECKOUT } from './work-folder.ts';

interface Kept extends Judged {
  /** Of the source file, and of the test files that were run, as they were. */
  source: string;
  tests: string;
}

export interface KeptVerdicts {
  /** An earlier verdict that still holds: the code is the same and, unless a test has noticed it, the tests are, too. */
  find(mutant: Mutant): Judged | undefined;
  /** Kept at once. */
  add(judged: Judged): void;
  /** Relative to the checkout. */
  file: string;
}

export interface KeptOptions {
  seed: number;
  coverage: Coverage;
  budgetSeconds: number;
  /** The text of each source file. */
  texts: ReadonlyMap<string, string>;
  /** False: starts anew. */
  goOn: boolean;
}

/** The verdicts of a seed, in a file. */
export function keepVerdicts({ seed, coverage, budgetSeconds, texts, goOn }: KeptOptions): KeptVerdicts {
  const file = path.join(CHECKOUT, 'node_modules/.cache/mediakeep/mutation', `report-${seed}.json`);
  const earlier = new Map((goOn ? read(file) : []).map((one) => [nameOf(one.mutant), one]));
  const judged: Kept[] = [];
  const sourceOf = (mutant: Mutant) => hash(texts.get(mutant.file) ?? '');
  const testsOf = (mutant: Mutant) => {
    const { chosen } = choose(mutant, coverage, budgetSeconds);
    return hash(chosen.map((test) => `${test} ${coverage.get(test)?.hash}`).join('\n'));
  };
  return {
    file: path.relative(CHECKOUT, file),
    find(mutant) {
      const kept = earlier.get(nameOf(mutant));
      if (kept?.source !== sourceOf(mutant)) return undefined;
      const isAlive = kept.verdict.state === 'survived' || kept.verdict.state === 'not reached';
      return isAlive && kept.tests !== testsOf(mutant) ? undefined : kept;
    },
    add(one) {
      judged.push({ ...one, source: sourceOf(one.mutant), tests: testsOf(one.mutant) });
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify({ seed, judged }, null, 1));
    },
  };
}

function read(file: string): Kept[] {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { judged: Kept[] }).judged;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function nameOf({ file, start, end, replacement }: Mutant): string {
  return [file, start, end, replacement].join('\n');
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
