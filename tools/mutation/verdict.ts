import type { Mutant } from './mutants.ts';

export type Verdict =
  | { state: 'killed'; by: string }
  | { state: 'timed out' }
  /** No test that was run has failed; `ran` of the `reaching` test files were. */
  | { state: 'survived'; ran: number; reaching: number }
  /** No test runs this code. */
  | { state: 'not reached' }
  /** No longer valid TypeScript, so it says nothing about the tests. */
  | { state: 'invalid' };

export interface Judged {
  mutant: Mutant;
  verdict: Verdict;
  seconds: number;
}
