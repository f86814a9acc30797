import { execFile } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { CHECKOUT } from '../support/service-process.ts';

const moduleAt = (file: string) => JSON.stringify(path.join(CHECKOUT, 'src', file));

/** Runs `code` in a process that shuts down as the service does; returns its output and exit code. */
function run(code: string): Promise<{ output: string; exit: number }> {
  const script = `
    import { pino } from ${JSON.stringify(path.join(CHECKOUT, 'node_modules/pino/pino.js'))};
    import { BackgroundParts } from ${moduleAt('background/parts.ts')};
    import { keepRunning } from ${moduleAt('background/keep-running.ts')};
    import { repeat } from ${moduleAt('background/repeat.ts')};
    import { AppError } from ${moduleAt('errors.ts')};
    import { closeOnSignal } from ${moduleAt('process/close-on-signal.ts')};
    const log = pino({ level: 'silent' });
    const parts = new BackgroundParts(log);
    const say = (text) => process.stdout.write(text + '\\n');
    let counted = 0;
    const uncaught = (part) => {
      counted += 1;
      say('counted ' + part);
    };
    closeOnSignal({ delay: 5000, log, uncaught }, async ({ err }) => say('closed ' + err?.message));
    setTimeout(() => say('end'), 2500);
    setTimeout(() => process.exit(0), 2600);
    ${code}`;
  return new Promise((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', script], (error, stdout, stderr) => {
      resolve({ output: stdout + stderr, exit: error ? Number(error.code) : 0 });
    });
  });
}

test.concurrent('an uncaught error of a repeated part is counted, and the part and the process go on', async () => {
  const { output, exit } = await run(`
    let turns = 0;
    repeat(parts, 'sweeps', () => {
      turns += 1;
      if (turns === 1) Promise.reject(new TypeError('lost'));
      if (turns === 2) setTimeout(() => { throw new TypeError('thrown'); }, 5);
      if (counted === 2 && turns > 2) {
        counted += 1;
        say('goes on');
      }
    }, { everyMs: 5 });`);
  expect({ output, exit }).toEqual({ output: 'counted sweeps\ncounted sweeps\ngoes on\nend\n', exit: 0 });
});

test.concurrent('an uncaught error of a long-running part restarts that part', async () => {
  const { output, exit } = await run(`
    let runs = 0;
    keepRunning(parts, 'jobs', async ({ signal }) => {
      runs += 1;
      say('run ' + runs);
      if (runs === 1) setTimeout(() => Promise.reject(new TypeError('lost')), 5);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    }, { retry: { minMs: 1, maxMs: 5 } });`);
  expect({ output, exit }).toEqual({ output: 'run 1\ncounted jobs\nrun 2\nend\n', exit: 0 });
});

test.concurrent('an uncaught error that means that the database, a store or the network is unavailable ends nothing', async () => {
  const { output, exit } = await run(`
    Promise.reject(Object.assign(new Error('terminating connection'), { code: '57P01' }));
    Promise.reject(new AppError('store_unavailable', 'away'));
    Promise.reject(new Error('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) }));
    setTimeout(() => { throw Object.assign(new Error('read'), { code: 'ECONNRESET' }); }, 5);`);
  expect({ output, exit }).toEqual({ output: `${'counted none\n'.repeat(4)}end\n`, exit: 0 });
});

test.concurrent.each([
  "Promise.reject(new TypeError('unknown'))",
  "setTimeout(() => { throw new TypeError('unknown'); }, 1)",
])('an unknown error closes the service and ends it with a code: %s', async (code) => {
  expect(await run(code)).toEqual({ output: 'closed unknown\n', exit: 1 });
});
