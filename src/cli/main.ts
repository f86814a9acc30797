import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { ConfigError, loadConfig } from '../config/load-config.ts';
import { asAppError } from '../domain/database-failure.ts';
import { isAppError } from '../errors.ts';
import { createLogger } from '../telemetry/logger.ts';
import { EXIT } from './exit-codes.ts';
import { runImport } from './import-command.ts';
import { type ImportBlobsCommandOptions, runImportBlobs } from './import-blobs-command.ts';
import { type RebuildCommandOptions, runRebuild } from './rebuild-command.ts';
import { type FetchCommandOptions, runFetch } from './fetch-command.ts';
import { type ImportRecordsCommandOptions, runImportRecords } from './import-records-command.ts';
import { runMigrate, runVerify } from './schema-commands.ts';
import { type RollupsCommandOptions, runRollups } from './rollups-command.ts';
import { type TransferCommandOptions, runTransfer } from './transfer-command.ts';
import { runWorker } from './worker-command.ts';
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

function build(context: (defaultLevel?: string) => CommandContext, done: (code: number) => void): Command {
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
  const move = program
    .command('move')
    .description(
      'move items from one store to another while the service runs: each copy is read back and compared by SHA-256 before the old one is dropped. Run it again to go on after an interruption',
    )
    .requiredOption('--from <store>', 'store that gives its copies up')
    .requiredOption('--to <store>', 'store that gets them')
    .option('--keep', 'leave the old copies where they are');
  withFilters(move).action(async (options: TransferCommandOptions) => done(await runTransfer(context(), options)));
  const mirror = program
    .command('mirror')
    .description('copy items into a further store, beside those that they lie in; copies that are there already stay')
    .requiredOption('--to <store>', 'store that gets the copies');
  withFilters(mirror).action(async (options: TransferCommandOptions) => done(await runTransfer(context(), options)));
  program
    .command('import-blobs')
    .description(
      'store what an older system keeps in a column of its own table (bytea, or text with base64). The old id becomes externalId; the table is only read. Run it again to go on after an interruption',
    )
    .requiredOption('--table <name>', 'table, with its schema where that is needed')
    .requiredOption('--id-column <name>', 'column of the id')
    .requiredOption('--bytes-column <name>', 'column of the bytes')
    .option('--user-column <name>', 'column of the owner')
    .option('--user <id>', 'owner of rows that name none')
    .option('--mime-type-column <name>', 'column of the type')
    .option('--filename-column <name>', 'column of the file name')
    .option('--prompt-column <name>', 'column of the prompt')
    .option('--tool-column <name>', 'column of the tool')
    .option('--model-column <name>', 'column of the model')
    .option('--created-column <name>', 'column of the time, which becomes generatedAt')
    .option('--tool <name>', 'tool name of rows that name none', 'import-blobs')
    .option('--visibility <visibility>', 'private or public; default: the setting DEFAULT_VISIBILITY')
    .option('--database <url>', 'database of the table; default: the one of the service')
    .option('--concurrency <n>', 'rows at once', positive, 4)
    .option('--dry-run', 'only tell how many there are')
    .option('--json', 'print the summary as JSON')
    .action(async (options: ImportBlobsCommandOptions) => done(await runImportBlobs(context(), options)));
  program
    .command('import-records')
    .argument('<file>', 'file of JSON lines, or - for standard input')
    .description(
      'store records out of an older system: each line is what POST /v1/media takes as JSON; its source may also be {"type":"path","path":…}, a file that lies in a store already, and isCurrent marks the current version of a scene. Run it again to go on after an interruption',
    )
    .option('--concurrency <n>', 'records at once', positive, 4)
    .option('--dry-run', 'only check the lines')
    .option('--json', 'print the summary as JSON')
    .action(async (file: string, options: ImportRecordsCommandOptions) =>
      done(await runImportRecords(context(), file, options)),
    );
  program
    .command('fetch')
    .description(
      'store the bytes of items that were only recorded, from their storage URL, which becomes originalUrl. Run it again to go on after an interruption',
    )
    .option('--storage-provider <name>', 'only items that this system is said to keep, such as github')
    .option('--user <id>', 'only items of this user')
    .option(
      '--folder <mapping>',
      'addresses that begin so are read from a folder: https://old.example.com/uploads/=/mnt/uploads; may be repeated',
      collect,
    )
    .option('--concurrency <n>', 'items at once', positive, 4)
    .option('--dry-run', 'only tell how many there are')
    .option('--json', 'print the summary as JSON')
    .action(async (options: FetchCommandOptions) => done(await runFetch(context(), options)));
  program
    .command('rebuild')
    .description(
      'make the rows of runs again from their folders runs/{runId}/ alone, ours or those of an older system; every file is read and compared. Run it again to go on after an interruption',
    )
    .requiredOption('--from <store>', 'store whose folders are read')
    .option('--user <id>', 'only runs of this user; it also owns those whose metadata.json names none')
    .option('--take-unnamed', 'files that metadata.json does not name become items, too')
    .option('--concurrency <n>', 'folders at once', positive, 4)
    .option('--dry-run', 'read and compare, but make nothing')
    .option('--json', 'print the summary as JSON')
    .action(async (options: RebuildCommandOptions) => done(await runRebuild(context(), options)));
  program
    .command('rollups')
    .description('count what the totals and tag counts do not have yet; background work does so all the time')
    .option('--rebuild', 'forget all totals and count everything again')
    .option('--json', 'print the summary as JSON')
    .action(async (options: RollupsCommandOptions) => done(await runRollups(context(), options)));
  program
    .command('worker')
    .description('run background work and nothing else, until a signal comes')
    .action(async () => done(await runWorker(context('info'))));
  return program;
}

function withFilters(command: Command): Command {
  return command
    .option('--user <id>', 'only items of this user')
    .option('--tool <name>', 'only items of this tool')
    .option('--model <name>', 'only items of this model')
    .option('--provider <name>', 'only items of this provider')
    .addOption(
      new Option('--media-type <type>', 'only items of this type').choices(['image', 'audio', 'video', 'model']),
    )
    .option('--run <id>', 'only items of this run')
    .option('--project <uuid>', 'only items of this project')
    .option('--tag <tag>', 'only items with this tag; may be repeated, then with all of them', collect)
    .option('--created-after <time>', 'only items stored after')
    .option('--created-before <time>', 'only items stored before')
    .option('--concurrency <n>', 'items at once', positive, 4)
    .option('--dry-run', 'only tell how many there are')
    .option('--json', 'print the summary as JSON');
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

async function main(): Promise<number> {
  let code: number = EXIT.done;
  const context = (defaultLevel = 'warn'): CommandContext => {
    const config = loadConfig(process.env);
    // Results go to standard output, everything else to standard error.
    const level = process.env['LOG_LEVEL'] === undefined ? defaultLevel : config.LOG_LEVEL;
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
