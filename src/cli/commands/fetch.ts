import { stat } from 'node:fs/promises';
import { type FetchExternalSummary, countExternal, fetchExternal } from '../../domain/imports/fetch-external.ts';
import type { CommandContext } from '../runtime/command-context.ts';
import { EXIT } from '../runtime/exit-codes.ts';
import { lookOnly, requireTables } from '../runtime/look-only.ts';
import type { FolderMapping } from '../runtime/option-values.ts';
import { UsageError } from '../runtime/usage-error.ts';
import { createProgressBar } from '../runtime/progress-bar.ts';
import { withService } from '../runtime/with-service.ts';

export interface FetchCommandOptions {
  storageProvider?: string;
  user?: string;
  folder?: FolderMapping[];
  concurrency: number;
  dryRun?: boolean;
  json?: boolean;
}

/** `mediakeep fetch`: stores the bytes of external items, which an older system has only recorded. */
export async function runFetch(context: CommandContext, options: FetchCommandOptions): Promise<number> {
  const { folder: folders = [] } = options;
  await Promise.all(folders.map(requireFolder));
  const { storageProvider, user: userId, json = false } = options;
  if (options.dryRun === true) {
    const items = await lookOnly(context, async (database) => {
      await requireTables(database);
      return countExternal(database.db, { storageProvider, userId });
    });
    const none = { stored: 0, failed: [], interrupted: false };
    process.stdout.write(
      json ? `${JSON.stringify({ dryRun: true, items, ...none })}\n` : `${items} items are only recorded\n`,
    );
    return EXIT.done;
  }
  const summary = await withService(
    context,
    (deps, signal) => {
      const bar = createProgressBar(0);
      return fetchExternal(deps, {
        storageProvider,
        userId,
        folders,
        concurrency: options.concurrency,
        signal,
        onProgress: (done) => bar.update(done, ''),
      }).finally(() => bar.end());
    },
    { existing: true },
  );
  print(summary, json);
  if (summary.interrupted) return EXIT.interrupted;
  return summary.failed.length > 0 ? EXIT.partly : EXIT.done;
}

async function requireFolder({ folder }: FolderMapping): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw new UsageError(`--folder: ${folder} is not a folder.`);
}

function print(summary: FetchExternalSummary, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  for (const { id, reason } of summary.failed) process.stderr.write(`item ${id} failed: ${reason}\n`);
  process.stdout.write(
    `${summary.items} items were only recorded: ${summary.stored} stored, ${summary.failed.length} failed${summary.interrupted ? '; interrupted, run it again to go on' : ''}\n`,
  );
}
