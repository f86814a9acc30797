import { type Command, Option } from 'commander';
import type { RebuildCommandOptions } from './commands/rebuild.ts';
import type { TransferCommandOptions } from './commands/transfer.ts';
import { collect, concurrency, time, uuid } from './runtime/option-values.ts';
import { type Runtime, withExample } from './declaration.ts';

/** Commands about copies in the stores. Each may be interrupted and run again. */
export function declareCopies(program: Command, { context, done }: Runtime): void {
  program.commandsGroup('Stores:');
  const transfer = async (options: TransferCommandOptions) => {
    const { runTransfer } = await import('./commands/transfer.ts');
    done(await runTransfer(await context(), options));
  };
  withExample(
    withFilters(
      program
        .command('move')
        .description(
          'move items from one store to another while the service runs: each copy is read back and compared by SHA-256 before the old one is dropped; run it again to continue after an interruption',
        )
        .requiredOption('--from <store>', 'store to move from')
        .requiredOption('--to <store>', 'store to move to')
        .option('--keep', 'keep the old copies'),
    ).action(transfer),
    'move --from local --to s3 --dry-run',
    'move --from local --to s3 --created-before 2026-01-01',
  );
  withExample(
    withFilters(
      program
        .command('mirror')
        .description('copy items to another store; existing copies stay where they are')
        .requiredOption('--to <store>', 'store to copy to'),
    ).action(transfer),
    'mirror --to archive',
  );
  withExample(
    program
      .command('rebuild')
      .description(
        'restore the rows of runs from their folders runs/{runId}/ alone, ours or those of an older system; every file is read and compared; run it again to continue after an interruption',
      )
      .requiredOption('--from <store>', 'store whose folders are read')
      .option('--user <id>', 'only runs of this user; also the owner of runs whose metadata.json names none')
      .option('--take-unnamed', 'also store files that metadata.json does not name')
      .option('--concurrency <n>', 'folders at a time', concurrency, 4)
      .option('--dry-run', 'read and compare, but change nothing')
      .option('--json', 'print the summary as JSON')
      .action(async (options: RebuildCommandOptions) => {
        const { runRebuild } = await import('./commands/rebuild.ts');
        done(await runRebuild(await context(), options));
      }),
    'rebuild --from local --dry-run',
  );
}

function withFilters(command: Command): Command {
  return command
    .option('--user <id>', 'only items of this user')
    .option('--tool <name>', 'only items of this tool')
    .option('--model <name>', 'only items of this model')
    .option('--provider <name>', 'only items of this provider')
    .addOption(
      new Option('--media-type <type>', 'only items of this media type').choices(['image', 'audio', 'video', 'model']),
    )
    .option('--run <id>', 'only items of this run')
    .option('--project <uuid>', 'only items of this project', uuid)
    .option('--tag <tag>', 'only items with this tag; may be repeated, then with all of them', collect)
    .option('--created-after <time>', 'only items stored after this time', time)
    .option('--created-before <time>', 'only items stored before this time', time)
    .option('--concurrency <n>', 'items at a time', concurrency, 4)
    .option('--dry-run', 'only count the items')
    .option('--json', 'print the summary as JSON');
}
