import { type BlobColumns, countBlobs } from '../../db/blob-tables.ts';
import { openBlobTable } from '../../domain/imports/blob-table.ts';
import { ConnectionUrlError } from '../../db/connections/connection-url.ts';
import { DatabaseRefused } from '../../db/connections/refusal.ts';
import { type Database, openDatabase } from '../../db/database.ts';
import { type ImportBlobsSummary, importBlobs } from '../../domain/imports/import-blobs.ts';
import { openExistingDatabase } from '../../process/open-database.ts';
import type { CommandContext } from '../runtime/command-context.ts';
import { EXIT } from '../runtime/exit-codes.ts';
import { UsageError } from '../runtime/usage-error.ts';
import { createProgressBar } from '../runtime/progress-bar.ts';
import { withService } from '../runtime/with-service.ts';

export interface ImportBlobsCommandOptions {
  table: string;
  idColumn: string;
  bytesColumn: string;
  userColumn?: string;
  mimeTypeColumn?: string;
  filenameColumn?: string;
  promptColumn?: string;
  toolColumn?: string;
  modelColumn?: string;
  createdColumn?: string;
  user?: string;
  tool?: string;
  visibility?: 'private' | 'public';
  database?: string;
  concurrency: number;
  dryRun?: boolean;
  json?: boolean;
}

/** `mediakeep import-blobs`: stores bytes from a column of an older system's table. */
export async function runImportBlobs(context: CommandContext, options: ImportBlobsCommandOptions): Promise<number> {
  const { visibility, json = false } = options;
  if (options.userColumn === undefined && options.user === undefined)
    throw new UsageError('The owner of the rows is missing: give --user-column, --user, or both.');
  if (options.dryRun === true) {
    const total = await countRows(context, options);
    process.stdout.write(json ? `${JSON.stringify({ dryRun: true, rows: total })}\n` : `${total} rows with bytes\n`);
    return EXIT.done;
  }
  return withService(context, async (deps, signal, connectionString) => {
    const source = openSource(options, connectionString);
    try {
      const table = await openTable(source, options);
      const total = await countBlobs(source.db, table);
      const bar = createProgressBar(total);
      const summary = await importBlobs(deps, {
        source: source.db,
        table,
        user: options.user,
        toolName: options.tool,
        visibility,
        concurrency: options.concurrency,
        signal,
        onProgress: (done, note) => bar.update(done, note),
      }).finally(() => bar.end());
      print(summary, json);
      if (summary.interrupted) return EXIT.interrupted;
      return summary.failed.length > 0 ? EXIT.partly : EXIT.done;
    } finally {
      await source.close();
    }
  });
}

/** Needs nothing but the table. */
async function countRows({ config, log }: CommandContext, options: ImportBlobsCommandOptions): Promise<number> {
  const own = options.database === undefined ? await openExistingDatabase(config, log) : undefined;
  try {
    const source = openSource(options, own?.connectionString ?? '');
    try {
      return await countBlobs(source.db, await openTable(source, options));
    } finally {
      await source.close();
    }
  } finally {
    await own?.stop();
  }
}

function openTable({ db }: Database, options: ImportBlobsCommandOptions) {
  return openBlobTable(db, options.table, columnsOf(options)).catch((error: unknown) => {
    throw options.database === undefined ? error : asUsage(error);
  });
}

function openSource({ database, concurrency }: ImportBlobsCommandOptions, connectionString: string): Database {
  try {
    return openDatabase({
      connectionString: database ?? connectionString,
      poolMax: concurrency + 1,
      statementTimeoutMs: 300_000,
      readOnly: true,
    });
  } catch (error) {
    throw asUsage(error);
  }
}

function asUsage(error: unknown): unknown {
  const about = error instanceof ConnectionUrlError || error instanceof DatabaseRefused;
  return about ? new UsageError(`--database: ${error.message}`) : error;
}

function columnsOf(options: ImportBlobsCommandOptions): BlobColumns {
  return {
    id: options.idColumn,
    bytes: options.bytesColumn,
    user: options.userColumn,
    mimeType: options.mimeTypeColumn,
    filename: options.filenameColumn,
    prompt: options.promptColumn,
    tool: options.toolColumn,
    model: options.modelColumn,
    createdAt: options.createdColumn,
  };
}

function print(summary: ImportBlobsSummary, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  for (const { id, reason } of summary.failed) process.stderr.write(`failed  row ${id}: ${reason}\n`);
  const total = summary.stored + summary.present + summary.failed.length;
  process.stdout.write(
    `${total} rows: ${summary.stored} stored (${(summary.bytes / 1024 ** 2).toFixed(1)} MiB in ${summary.seconds.toFixed(1)} s), ${summary.present} stored before, ${summary.failed.length} failed${summary.interrupted ? '; interrupted, run it again to go on' : ''}\n`,
  );
}
