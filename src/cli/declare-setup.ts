import type { Command } from 'commander';
import type { TokenOptions } from './commands/token.ts';
import { duration } from './runtime/option-values.ts';
import { type Runtime, withExample } from './declaration.ts';

interface JsonOption {
  json?: boolean;
}

/** Commands that set the service up and look after it. */
export function declareSetup(program: Command, { context, databaseContext, env, version, done }: Runtime): void {
  program.commandsGroup('Set up and operate:');
  withExample(
    program
      .command('start')
      .description('run the service, until SIGTERM or Ctrl-C; also without any command')
      .action(async () => {
        const { runStart } = await import('./commands/start.ts');
        await runStart();
      }),
    'start',
  );
  withExample(
    program
      .command('token')
      .description('print a token that is signed with JWT_SECRET, or with the development secret in DATA_DIR')
      .requiredOption('--sub <id>', 'user id, or the name of the back end')
      .option(
        '--scope <scopes>',
        'media:read, media:write, media:admin, separated by spaces or commas',
        'media:read media:write',
      )
      .option('--ttl <duration>', 'lifetime: seconds, or a duration like 15m, 12h or 30d', duration, 3600)
      .option('--json', 'print the token with its claims as JSON')
      .action(async (options: TokenOptions) => {
        const { runToken } = await import('./commands/token.ts');
        done(await runToken(env, options));
      }),
    'token --sub user-1 --ttl 12h',
    'token --sub my-back-end --scope "media:read media:write media:admin" --ttl 30d',
  );
  withExample(
    program
      .command('doctor')
      .description(
        'print what a bug report needs: versions, settings without secrets, and whether database, stores, clock, disk and workers are in order; exit 1 when something is wrong',
      )
      .option('--json', 'print the report as JSON')
      .action(async (options: JsonOption) => {
        const { runDoctor } = await import('./commands/doctor.ts');
        done(await runDoctor({ env, version }, options));
      }),
    'doctor',
  );
  withExample(
    program
      .command('migrate')
      .description("bring the database to this version's schema; needs only DATABASE_URL")
      .option('--json', 'print the result as JSON')
      .action(async (options: JsonOption) => {
        const { runMigrate } = await import('./commands/schema.ts');
        done(await runMigrate(await databaseContext(), options));
      }),
    'migrate',
  );
  withExample(
    program
      .command('verify')
      .description(
        "compare the database with this version's schema; needs only DATABASE_URL; exit 1 when something is missing",
      )
      .option('--json', 'print the result as JSON')
      .action(async (options: JsonOption) => {
        const { runVerify } = await import('./commands/schema.ts');
        done(await runVerify(await databaseContext(), options));
      }),
    'verify --json',
  );
  withExample(
    program
      .command('rollups')
      .description('update the totals and tag counts; workers do so all the time; needs only DATABASE_URL')
      .option('--rebuild', 'clear all totals and count everything again')
      .option('--json', 'print the summary as JSON')
      .action(async (options: JsonOption & { rebuild?: boolean }) => {
        const { runRollups } = await import('./commands/rollups.ts');
        done(await runRollups(await databaseContext(), options));
      }),
    'rollups --rebuild',
  );
  withExample(
    program
      .command('worker')
      .description('run background work without the HTTP service, until SIGTERM or Ctrl-C')
      .action(async () => {
        const { runWorker } = await import('./commands/worker.ts');
        done(await runWorker(await context('info')));
      }),
    'worker',
  );
}
