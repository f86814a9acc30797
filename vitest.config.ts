import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { CaseReporter } from './test/support/report/case-reporter.ts';

/** Slow tests: kills, outages, floods, large bodies. Only `npm run test:long` runs them. */
const LONG = 'test/**/*.long.test.ts';
/** What is slower still: moving and importing much, for before a release. Only `npm run test:soak` runs them. */
const SOAK = 'test/**/*.soak.test.ts';
/** Tests of functions, without database, store or server. Nothing is started for them. */
const UNIT = 'test/**/*.unit.test.ts';
/** Slow tests that measure how long the service is blocked. They run last, two at a time: more would distort them. */
const ALONE = 'test/hostile/{adversary,fuzz}/**/*.long.test.ts';

export default defineConfig({
  test: {
    // The runner's own reporters come last, with the summary.
    reporters: [new CaseReporter(), ...configDefaults.reporters],
    // Runs once for all projects; starts nothing when `unit` is the only one.
    globalSetup: ['test/support/global-setup.ts'],
    // One more than cores, for tests also wait: for timeouts, child processes, the disk.
    maxWorkers: Math.max(2, availableParallelism()) + 1,
    // A busy machine may need longer than the default of one second.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 90_000,
    hookTimeout: 120_000,
    projects: [
      // Functions without state: files share what they import, which halves the time.
      { extends: true, test: { name: 'unit', include: [UNIT], isolate: false } },
      {
        extends: true,
        test: { name: 'main', include: ['test/**/*.test.ts'], exclude: [UNIT, LONG, SOAK], isolate: false },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: [LONG],
          exclude: [ALONE],
          isolate: false,
          testTimeout: 600_000,
          // They wait more than the others.
          maxWorkers: Math.max(2, availableParallelism()) + 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'soak',
          include: [SOAK],
          isolate: false,
          testTimeout: 600_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: [ALONE],
          testTimeout: 600_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
