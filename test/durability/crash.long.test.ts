// Case numbers in titles are those of the table in docs/threat-model.md.
import { expect, test } from 'vitest';
import { runCrashRounds } from './crash-rounds.ts';

test(
  'case 96: kill -9 at a random moment: what was acknowledged is there, nothing partial is visible, leftovers are swept',
  { timeout: 120_000 },
  async () => {
    const report = await runCrashRounds(6);
    expect(report.failures).toEqual([]);
    expect(report.rounds).toBe(6);
    expect(report.acknowledged).toBeGreaterThan(6);
    expect(report.cut).toBeGreaterThan(6);
  },
);
