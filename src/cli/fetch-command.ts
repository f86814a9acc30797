import { stat } from 'node:fs/promises';
import { type FetchExternalSummary, fetchExternal } from '../domain/imports/fetch-external.ts';
import { AppError } from '../errors.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import { createProgressBar } from './progress-bar.ts';
import { withService } from './with-service.ts';

export interface FetchCommandOptions {
  storageProvider?: string;
  user?: string;
  folder?: string[];
  concurrency: number;
  dryRun?: boolean;
  json?: boolean;
}

/** `mediakeep fetch`: stores the bytes of external items, which an older system has only recorded. */
export async function runFetch(context: CommandContext, options: FetchCommandOptions): Promise<number> {
  const folders = await Promise.all((options.folder ?? []).map((mapping) => readMapping(mapping)));
  const dryRun = options.dryRun === true;
  const summary = await withService(context, (deps, signal) => {
    const bar = createProgressBar(0);
    return fetchExternal(deps, {
      storageProvider: options.storageProvider,
      userId: options.user,
      folders,
      concurrency: options.concurrency,
      dryRun,
      signal,
      onProgress: (done) => bar.update(done, ''),
    }).finally(() => bar.end());
  });
  print(summary, dryRun, options.json === true);
  if (summary.interrupted) return EXIT.interrupted;
  return summary.failed.length > 0 ? EXIT.partly : EXIT.done;
}

/** `https://old.example.com/uploads/=/mnt/uploads` */
async function readMapping(mapping: string): Promise<{ prefix: string; folder: string }> {
  const at = mapping.lastIndexOf('=');
  const prefix = mapping.slice(0, at);
  const folder = mapping.slice(at + 1);
  const found = await stat(folder).catch(() => undefined);
  if (at < 1 || !/^https?:\/\/.+\/$/.test(prefix) || !found?.isDirectory())
    throw new AppError(
      'invalid_request',
      `--folder ${mapping}: give the beginning of the addresses, with a slash at its end, and a folder: https://old.example.com/uploads/=/mnt/uploads`,
    );
  return { prefix, folder };
}

function print(summary: FetchExternalSummary, dryRun: boolean, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...(dryRun && { dryRun }), ...summary })}\n`);
    return;
  }
  for (const { id, reason } of summary.failed) process.stderr.write(`item ${id} failed: ${reason}\n`);
  process.stdout.write(
    dryRun
      ? `${summary.items} items are only recorded\n`
      : `${summary.items} items were only recorded: ${summary.stored} stored, ${summary.failed.length} failed${summary.interrupted ? '; interrupted, run it again to go on' : ''}\n`,
  );
}
