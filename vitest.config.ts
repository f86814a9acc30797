import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { CaseReporter } from './test/support/report/case-reporter.ts';

/** What takes long: kills, outages, floods, large bodies. `npm run test:long` runs these alone. */
const LONG = 'test/**/*.long.test.ts';
/** What needs neither a database nor a store nor a server: functions with their inputs. Nothing is started for these. */
const UNIT = 'test/**/*.unit.test.ts';
/** Long ones that look at how long the service is held up: beside other tests they would measure these. They come last, one by one. */
const ALONE = 'test/hostile/{adversary,fuzz}/**/*.long.test.ts';

export default defineConfig({
  test: {
    // The runner's own come last, with the summary.
    reporters: [new CaseReporter(), ...configDefaults.reporters],
    // Once for all projects; starts nothing for the project `unit` alone.
    globalSetup: ['test/support/global-setup.ts'],
    // Much of the time is spent waiting (for timeouts, children, the disk), so one worker less than there are cores wastes them.
    maxWorkers: Math.max(2, availableParallelism()),
    // What is awaited comes in its own time; a machine with other work may need more than the usual second.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 90_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'unit', include: [UNIT] } },
      {
        extends: true,
        test: { name: 'main', include: ['test/**/*.test.ts'], exclude: [UNIT, LONG] },
      },
      {
        extends: true,
        test: { name: 'long', include: [LONG], exclude: [ALONE], testTimeout: 600_000 },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: [ALONE],
          testTimeout: 600_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
