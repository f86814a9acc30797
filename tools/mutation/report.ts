import type { Judged, Verdict } from './verdict.ts';

/** One line about one mutant. */
export function lineOf({ mutant, verdict, seconds }: Judged): string {
  const { file, line, kind, original } = mutant;
  const what = original.replaceAll(/\s+/g, ' ');
  const code = what.length > 90 ? `${what.slice(0, 89)}…` : what;
  return `${verdict.state.padEnd(11)} ${file}:${line}  ${kind}: ${code}${remarkOf(verdict)}  (${seconds.toFixed(0)} s)`;
}

function remarkOf(verdict: Verdict): string {
  if (verdict.state === 'killed') return `\n              by ${verdict.by.replaceAll(/\s+/g, ' ').slice(0, 160)}`;
  if (verdict.state === 'survived') return `  [${verdict.ran} of ${verdict.reaching} files of tests that reach it]`;
  return '';
}

/** Counts and score. Invalid mutants do not count; unreached ones have survived; an endless loop counts as caught. */
export function summaryOf(judged: readonly Judged[]): string {
  const count = (state: Verdict['state']) => judged.filter(({ verdict }) => verdict.state === state).length;
  const [killed, late, survived] = [count('killed'), count('timed out'), count('survived')];
  const [missed, invalid] = [count('not reached'), count('invalid')];
  const valid = killed + late + survived + missed;
  const share = (part: number) => (valid === 0 ? 'no score' : `${((100 * part) / valid).toFixed(1)} %`);
  return [
    `${valid} mutants judged: ${killed} killed, ${late} timed out, ${survived} survived, ${missed} not reached by any test.`,
    `${invalid} more did not compile and count as neither.`,
    `Score (killed and timed out): ${share(killed + late)}`,
  ].join('\n');
}
