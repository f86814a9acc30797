import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { CaseReporter } from './test/support/report/case-reporter.ts';

/** What takes long: kills, outages, floods, large bodies. `npm run test:long` runs these alone. */
const LONG = 'test/**/*.long.test.ts';
/** Those of them that look at how long the service is held up: beside other tests they would measure these. They come last, one by one. */
const ALONE = 'test/hostile/{adversary,fuzz}/**/*.long.test.ts';

export default defineConfig({
  test: {
    // The runner's own come last, with the summary.
    reporters: [new CaseReporter(), ...configDefaults.reporters],
    globalSetup: ['test/support/global-setup.ts'],
    // Much of the time is spent waiting (for timeouts, children, the disk), so one worker less than there are cores wastes them.
    maxWorkers: Math.max(2, availableParallelism()),
    // What is awaited comes in its own time; a machine with other work may need more than the usual second.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 90_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'main', include: ['test/**/*.test.ts'], exclude: [LONG] } },
      { extends: true, test: { name: 'long', include: [LONG], exclude: [ALONE], testTimeout: 600_000 } },
      {
        extends: true,
        test: { name: 'alone', include: [ALONE], testTimeout: 600_000, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
