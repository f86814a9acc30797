import { type Command, Option } from 'commander';
import type { FetchCommandOptions } from './commands/fetch.ts';
import type { ImportBlobsCommandOptions } from './commands/import-blobs.ts';
import type { ImportRecordsCommandOptions } from './commands/import-records.ts';
import type { ImportOptions } from './commands/import.ts';
import { concurrency, folderMapping } from './runtime/option-values.ts';
import { type Runtime, withExample } from './declaration.ts';

const visibility = () =>
  new Option('--visibility <visibility>', 'visibility of the items; default: DEFAULT_VISIBILITY').choices([
    'private',
    'public',
  ]);

/** Commands that store what other systems have. Each may be interrupted and run again. */
export function declareImports(program: Command, { context, done }: Runtime): void {
  program.commandsGroup('Import:');
  withExample(
    program
      .command('import')
      .argument('<dir>', 'folder whose media files are stored, with all folders below it')
      .description(
        'store a folder; the owners come from --user, or from the folders outputs/{userId}/…; run it again to continue after an interruption',
      )
      .option('--user <id>', 'owner of all items; required unless the folder is laid out as outputs/{userId}/…')
      .option('--tool <name>', 'tool name of the items', 'import')
      .addOption(visibility())
      .option('--concurrency <n>', 'files at a time', concurrency, 4)
      .option('--dry-run', 'read the files and print what would be stored, but store nothing')
      .option('--json', 'print the summary as JSON')
      .action(async (dir: string, options: ImportOptions) => {
        const { runImport } = await import('./commands/import.ts');
        done(await runImport(await context(), dir, options));
      }),
    'import /mnt/outputs --user user-1 --dry-run',
    'import /mnt/outputs --user user-1',
  );
  withExample(
    program
      .command('import-blobs')
      .description(
        'store the bytes that another table keeps in a column (bytea, or text with base64); the old id becomes externalId; the table is only read; run it again to continue after an interruption',
      )
      .requiredOption('--table <name>', 'table, with its schema if needed')
      .requiredOption('--id-column <name>', 'column of the id')
      .requiredOption('--bytes-column <name>', 'column of the bytes')
      .option('--user-column <name>', 'column of the owner')
      .option('--user <id>', 'owner of rows without one')
      .option('--mime-type-column <name>', 'column of the MIME type')
      .option('--filename-column <name>', 'column of the file name')
      .option('--prompt-column <name>', 'column of the prompt')
      .option('--tool-column <name>', 'column of the tool')
      .option('--model-column <name>', 'column of the model')
      .option('--created-column <name>', 'column of the time, which becomes generatedAt')
      .option('--tool <name>', 'tool name of rows without one', 'import-blobs')
      .addOption(visibility())
      .option('--database <url>', "database of the table; default: the service's own")
      .option('--concurrency <n>', 'rows at a time', concurrency, 4)
      .option('--dry-run', 'only count the rows')
      .option('--json', 'print the summary as JSON')
      .action(async (options: ImportBlobsCommandOptions) => {
        const { runImportBlobs } = await import('./commands/import-blobs.ts');
        done(await runImportBlobs(await context(), options));
      }),
    'import-blobs --table images --id-column id --bytes-column data --user user-1',
  );
  withExample(
    program
      .command('import-records')
      .argument('<file>', 'file of JSON lines, or - for standard input')
      .description(
        'store the records of another system: each line is a JSON body of POST /v1/media; its source may also be {"type":"path","path":…}, a file that is already in a store, and isCurrent marks the current version of a scene; run it again to continue after an interruption',
      )
      .option('--concurrency <n>', 'records at a time', concurrency, 4)
      .option('--dry-run', 'only check the lines')
      .option('--json', 'print the summary as JSON')
      .action(async (file: string, options: ImportRecordsCommandOptions) => {
        const { runImportRecords } = await import('./commands/import-records.ts');
        done(await runImportRecords(await context(), file, options));
      }),
    'import-records records.jsonl --dry-run',
  );
  withExample(
    program
      .command('fetch')
      .description(
        'download and store the bytes of items that were recorded with a storage URL only; the URL becomes originalUrl; run it again to continue after an interruption',
      )
      .option('--storage-provider <name>', 'only items of this storageProvider, such as github')
      .option('--user <id>', 'only items of this user')
      .option(
        '--folder <mapping>',
        'read URLs that begin so from a folder: https://old.example.com/uploads/=/mnt/uploads; may be repeated',
        folderMapping,
      )
      .option('--concurrency <n>', 'items at a time', concurrency, 4)
      .option('--dry-run', 'only count the items')
      .option('--json', 'print the summary as JSON')
      .action(async (options: FetchCommandOptions) => {
        const { runFetch } = await import('./commands/fetch.ts');
        done(await runFetch(await context(), options));
      }),
    'fetch --storage-provider github',
  );
}
