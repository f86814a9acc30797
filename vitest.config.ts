import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Much of the time is spent waiting (for timeouts, children, the disk), so one worker less than there are cores wastes them.
    maxWorkers: Math.max(2, availableParallelism()),
    // What is awaited comes in its own time; a machine with other work may need more than the usual second.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 90_000,
    hookTimeout: 120_000,
  },
});
