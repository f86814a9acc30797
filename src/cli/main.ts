import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { ConfigError, loadConfig } from '../config.ts';
import { asAppError } from '../db/database.ts';
import { isAppError } from '../errors.ts';
import { createLogger } from '../logger.ts';
import { EXIT } from './exit-codes.ts';
import { runImport } from './import-command.ts';
import { runMigrate, runVerify } from './schema-commands.ts';
import type { CommandContext } from './command-context.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 64)
    throw new InvalidArgumentError('a whole number from 1 to 64');
  return number;
}

function build(context: () => CommandContext, done: (code: number) => void): Command {
  const program = new Command('mediakeep')
    .description('Keeps what generative models make. Settings come from the environment, see docs/configuration.md.')
    .version(version)
    .exitOverride();
  program
    .command('migrate')
    .description('bring the database to the schema of this version')
    .option('--json', 'print the outcome as JSON')
    .action(async (options: { json?: boolean }) => done(await runMigrate(context(), options)));
  program
    .command('verify')
    .description('compare the database with the schema of this version; exit 1 when something is missing')
    .option('--json', 'print the outcome as JSON')
    .action(async (options: { json?: boolean }) => done(await runVerify(context(), options)));
  program
    .command('import')
    .argument('<dir>', 'folder whose media files are stored, with all folders below it')
    .description(
      'store a folder; a volume laid out as outputs/{userId}/… tells the users itself. Run it again to go on after an interruption',
    )
    .option('--user <id>', 'owner of all items; needed unless the folder is laid out as outputs/{userId}/…')
    .option('--tool <name>', 'tool name of the items', 'import')
    .option('--visibility <visibility>', 'private or public; default: the setting DEFAULT_VISIBILITY')
    .option('--concurrency <n>', 'files at once', positive, 4)
    .option('--json', 'print the summary as JSON')
    .action(
      async (
        dir: string,
        options: { user?: string; tool: string; visibility?: string; concurrency: number; json?: boolean },
      ) => done(await runImport(context(), dir, options)),
    );
  return program;
}

async function main(): Promise<number> {
  let code: number = EXIT.done;
  const context = (): CommandContext => {
    const config = loadConfig(process.env);
    // Results go to standard output, everything else to standard error.
    const level = process.env['LOG_LEVEL'] === undefined ? 'warn' : config.LOG_LEVEL;
    return { config, version, log: createLogger(level, pino.destination({ dest: 2, sync: true })) };
  };
  try {
    await build(context, (result) => (code = result)).parseAsync(process.argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`);
      return EXIT.usage;
    }
    const known = asAppError(error);
    process.stderr.write(`mediakeep: ${known instanceof Error ? known.message : String(known)}\n`);
    return isAppError(known, 'database_unavailable', 'store_unavailable') ? EXIT.dependencyDown : EXIT.failed;
  }
}

process.exitCode = await main();
