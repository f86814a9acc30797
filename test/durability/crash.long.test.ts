// Case numbers in titles are those of the table in docs/threat-model.md.
import { expect, test } from 'vitest';
import { runCrashRounds } from './crash-rounds.ts';

const ROUNDS = 4;

test(
  'case 96: kill -9 at a random moment: what was acknowledged is there, nothing partial is visible, leftovers are swept',
  { timeout: 120_000 },
  async () => {
    const report = await runCrashRounds(ROUNDS);
    expect(report.failures).toEqual([]);
    expect(report.rounds).toBe(ROUNDS);
    expect(report.acknowledged).toBeGreaterThan(ROUNDS);
    expect(report.cut).toBeGreaterThan(ROUNDS);
  },
);
