import { type Database, openDatabase } from '../../db/database.ts';
import { migrationState } from '../../db/schema/migrator.ts';
import { openExistingDatabase } from '../../process/open-database.ts';
import type { DatabaseContext } from './command-context.ts';

const STATEMENT_TIMEOUT_MS = 300_000;

/**
 * Opens the database for a dry run, which changes nothing: it neither makes nor migrates one, and PostgreSQL refuses statements
 * that write. The first Ctrl-C fires the signal.
 * @throws ConfigError when there is no database
 */
export async function lookOnly<T>(
  { config, log }: DatabaseContext,
  work: (database: Database, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const server = await openExistingDatabase(config, log);
  const database = openDatabase({
    connectionString: server.connectionString,
    poolMax: 4,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    onError: (error) => log.warn({ err: error }, 'an idle database connection was lost'),
    readOnly: true,
  });
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await work(database, stop.signal);
  } finally {
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt);
    await database.close();
    await server.stop();
  }
}

/** @throws Error: a dry run of what works on items needs the tables of this version */
export async function requireTables({ db }: Database): Promise<void> {
  const { missing } = await migrationState(db);
  if (missing.length > 0)
    throw new Error(
      `The database lacks the schema of this version (${missing.join(', ')}), and a dry run does not migrate it; run: mediakeep migrate`,
    );
}

/** Whether the database has tables of any version, with items that may be there already. */
export async function hasTables({ db }: Database): Promise<boolean> {
  return (await migrationState(db)).applied.length > 0;
}
