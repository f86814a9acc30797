import { openDatabase } from '../../db/database.ts';
import { migrate } from '../../db/schema/migrator.ts';
import { verifySchema } from '../../db/schema/verify.ts';
import { openConfiguredDatabase, openExistingDatabase } from '../../process/open-database.ts';
import type { DatabaseContext } from '../runtime/command-context.ts';
import { EXIT } from '../runtime/exit-codes.ts';

/** `mediakeep migrate` */
export async function runMigrate({ config, log }: DatabaseContext, { json }: { json?: boolean }): Promise<number> {
  const server = await openConfiguredDatabase(config, log);
  try {
    const report = await migrate(server.connectionString, (message) => process.stderr.write(`${message}\n`));
    const text = report.applied.length === 0 ? 'the database is up to date' : `applied: ${report.applied.join(', ')}`;
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${text}\n`);
    return EXIT.done;
  } finally {
    await server.stop();
  }
}

/** `mediakeep verify` */
export async function runVerify({ config, log }: DatabaseContext, { json }: { json?: boolean }): Promise<number> {
  const server = await openExistingDatabase(config, log);
  const database = openDatabase({
    connectionString: server.connectionString,
    poolMax: 2,
    statementTimeoutMs: 30_000,
    readOnly: true,
  });
  try {
    const problems = await verifySchema(database.db);
    if (json) process.stdout.write(`${JSON.stringify({ ok: problems.length === 0, problems })}\n`);
    else
      process.stdout.write(
        problems.length === 0 ? 'the schema is complete\n' : `${problems.join('\n')}\nrun 'mediakeep migrate'\n`,
      );
    return problems.length === 0 ? EXIT.done : EXIT.failed;
  } finally {
    await database.close();
    await server.stop();
  }
}
