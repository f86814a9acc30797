import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import type { CommandContext, DatabaseContext } from './runtime/command-context.ts';
import { EXIT } from './runtime/exit-codes.ts';
import { asTaken, buildProgram } from './program.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const { argv, env } = process;
const asJson = argv.includes('--json');
process.stderr.on('error', () => {});
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  // A reader that is gone, as of `mediakeep verify | head -1`, has what it wanted.
  if (code === 'EPIPE') return;
  print('failed', `The result could not be written to standard output (${code})`);
  process.once('exit', () => {
    if (process.exitCode === EXIT.done) process.exitCode = EXIT.failed;
  });
});

async function databaseContext(): Promise<DatabaseContext> {
  const { loadDatabaseConfig } = await import('../config/load-config.ts');
  return { config: loadDatabaseConfig(env), version, log: await commandLog(env['LOG_LEVEL'] ?? 'warn') };
}

async function context(defaultLevel = 'warn'): Promise<CommandContext> {
  const { loadConfig } = await import('../config/load-config.ts');
  const config = loadConfig(env);
  return { config, version, log: await commandLog(env['LOG_LEVEL'] === undefined ? defaultLevel : config.LOG_LEVEL) };
}

/** Results go to standard output, everything else to standard error. */
async function commandLog(level: string) {
  const { createLogger, standardError } = await import('../telemetry/logger.ts');
  return createLogger(level, standardError());
}

async function main(): Promise<number> {
  let code: number = EXIT.done;
  const program = buildProgram({ context, databaseContext, version, env, done: (result) => (code = result) });
  // With --json the message is printed below, as JSON.
  if (asJson) for (const command of [program, ...program.commands]) command.configureOutput({ outputError: () => {} });
  try {
    await program.parseAsync(asTaken(program, argv.slice(2)), { from: 'user' });
    return code;
  } catch (error) {
    return report(error);
  }
}

/** Prints why a command ended, and returns the exit code. */
async function report(error: unknown): Promise<number> {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done;
    // Commander has printed the message, unless as JSON.
    if (asJson) print('usage', error.message.replace(/^error: /, ''));
    return EXIT.usage;
  }
  const { explain } = await import('./explain-error.ts');
  const { exit, code, message } = explain(error);
  print(code, message);
  return exit;
}

function print(code: string, message: string): void {
  process.stderr.write(asJson ? `${JSON.stringify({ error: { code, message } })}\n` : `mediakeep: ${message}\n`);
}

process.exitCode = await main();
