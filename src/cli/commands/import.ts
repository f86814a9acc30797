import path from 'node:path';
import { realpath, stat } from 'node:fs/promises';
import { type ImportSummary, importFiles, planImport } from '../../domain/imports/import-files.ts';
import { hasDatabase } from '../../process/open-database.ts';
import { type ImportFile, findImportFiles } from '../../sources/imports/import-folder.ts';
import type { CommandContext } from '../runtime/command-context.ts';
import { EXIT } from '../runtime/exit-codes.ts';
import { hasTables, lookOnly, requireTables } from '../runtime/look-only.ts';
import { UsageError } from '../runtime/usage-error.ts';
import { createProgressBar } from '../runtime/progress-bar.ts';
import { withService } from '../runtime/with-service.ts';

export interface ImportOptions {
  user?: string;
  tool: string;
  visibility?: 'private' | 'public';
  concurrency: number;
  dryRun?: boolean;
  json?: boolean;
}

/** `mediakeep import`: stores a folder, file by file; stored files are recognised by path and hash and skipped. */
export async function runImport(context: CommandContext, dir: string, options: ImportOptions): Promise<number> {
  const { visibility } = options;
  const root = await folderOf(dir);
  refuseOwnVolume(
    root,
    context.config.stores
      .map((store) => (typeof store.settings['ROOT'] === 'string' ? store.settings['ROOT'] : ''))
      .filter(Boolean),
  );
  const files = await findImportFiles(root, options.user);
  const bar = createProgressBar(files.length);
  const onProgress = (done: number, file: string) => bar.update(done, file);
  const { concurrency } = options;
  const summary = await (
    options.dryRun === true
      ? plan(context, files, { concurrency, onProgress })
      : // A repeated run stores what an interrupted one has not.
        withService(context, (deps, signal) =>
          importFiles(deps, files, { toolName: options.tool, visibility, concurrency, signal, onProgress }),
        )
  ).finally(() => bar.end());
  print(summary, files.length, options);
  if (summary.interrupted) return EXIT.interrupted;
  return summary.failed.length > 0 ? EXIT.partly : EXIT.done;
}

/** Looks at the files, and at the database for those that are stored already; where there is none yet, none is. */
async function plan(
  context: CommandContext,
  files: readonly ImportFile[],
  options: { concurrency: number; onProgress: (done: number, file: string) => void },
): Promise<ImportSummary> {
  const maxBytes = context.config.MAX_UPLOAD_BYTES;
  if (!(await hasDatabase(context.config)))
    return planImport({ db: undefined, maxBytes }, files, { ...options, signal: new AbortController().signal });
  return lookOnly(context, async (database, signal) => {
    const filled = await hasTables(database);
    if (filled) await requireTables(database);
    return planImport({ db: filled ? database.db : undefined, maxBytes }, files, { ...options, signal });
  });
}

async function folderOf(dir: string): Promise<string> {
  const found = await stat(dir).catch(() => undefined);
  if (!found?.isDirectory()) throw new UsageError(`${dir} is not a folder.`);
  return realpath(dir);
}

/** A store's own volume would be copied into itself. */
function refuseOwnVolume(root: string, volumes: readonly string[]): void {
  for (const volume of volumes.map((folder) => path.resolve(folder))) {
    if (`${root}/`.startsWith(`${volume}/`) || `${volume}/`.startsWith(`${root}/`)) {
      throw new UsageError(
        `${root} and the store's own volume ${volume} lie in each other; import from another folder, or record its objects with POST /v1/media and a source of type 'object'.`,
      );
    }
  }
}

function print(summary: ImportSummary, total: number, { dryRun, json }: ImportOptions): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ files: total, ...summary, ...(dryRun && { dryRun }) })}\n`);
    return;
  }
  for (const { path: file, reason } of summary.skipped) process.stderr.write(`skipped ${file}: ${reason}\n`);
  for (const { path: file, reason } of summary.failed) process.stderr.write(`failed  ${file}: ${reason}\n`);
  const seconds = Math.max(summary.seconds, 0.001);
  process.stdout.write(
    `${total} files: ${summary.stored} ${dryRun ? 'to store' : 'stored'} (${(summary.bytes / 1_048_576).toFixed(1)} MiB in ${seconds.toFixed(1)} s), ${summary.present} stored before, ${summary.skipped.length} not media, ${summary.failed.length} failed${summary.interrupted ? '; interrupted: run it again to continue' : ''}\n`,
  );
}
