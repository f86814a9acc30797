import { BackgroundParts } from '../../background/parts.ts';
import { commitRun } from '../../domain/runs/rebuild-commit.ts';
import type { RebuildDeps } from '../../domain/runs/rebuild-item.ts';
import { type RebuildOptions, type RebuildSummary, rebuildRuns } from '../../domain/runs/rebuild-runs.ts';
import { openStoresToRead } from '../../process/open-stores.ts';
import type { CommandContext } from '../runtime/command-context.ts';
import { EXIT } from '../runtime/exit-codes.ts';
import { lookOnly, requireTables } from '../runtime/look-only.ts';
import { createProgressBar } from '../runtime/progress-bar.ts';
import { withService } from '../runtime/with-service.ts';

export interface RebuildCommandOptions {
  from: string;
  user?: string;
  takeUnnamed?: boolean;
  dryRun?: boolean;
  concurrency: number;
  json?: boolean;
}

/** `mediakeep rebuild`: restores the rows of runs from their folders alone. */
export async function runRebuild(context: CommandContext, options: RebuildCommandOptions): Promise<number> {
  const { from, user, takeUnnamed = false, dryRun = false, concurrency } = options;
  const rebuild = (deps: RebuildDeps, signal: AbortSignal, commit: RebuildOptions['commit']) => {
    // The number of folders is unknown until all have been listed.
    const bar = createProgressBar(0);
    return rebuildRuns(deps, {
      from,
      user,
      takeUnnamed,
      commit,
      concurrency,
      signal,
      onProgress: (folders, note) => bar.update(folders, note),
    }).finally(() => bar.end());
  };
  const summary = await (dryRun
    ? lookOnly(context, async (database, signal) => {
        await requireTables(database);
        const { config, log } = context;
        const stores = await openStoresToRead(config, { db: database.db, log, background: new BackgroundParts(log) });
        try {
          return await rebuild({ db: database.db, stores }, signal, undefined);
        } finally {
          await stores.close();
        }
      })
    : withService(context, (deps, signal) => rebuild(deps, signal, (found) => commitRun(deps, found))));
  print(summary, dryRun, options.json === true);
  if (summary.interrupted) return EXIT.interrupted;
  return summary.failed.length > 0 ? EXIT.partly : EXIT.done;
}

function print(summary: RebuildSummary, dryRun: boolean, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...(dryRun && { dryRun }), ...summary })}\n`);
    return;
  }
  for (const { path, reason } of summary.failed) process.stderr.write(`failed   ${path}: ${reason}\n`);
  for (const key of summary.unnamed) process.stderr.write(`unnamed  ${key}\n`);
  process.stdout.write(
    `${summary.folders} folders: ${summary.runs} runs and ${summary.items} items ${dryRun ? 'to make' : 'made'}, ${summary.present} items were there already, ${summary.failed.length} failed, ${summary.unnamed.length} files that no metadata.json names${summary.interrupted ? '; interrupted, run it again to go on' : ''}\n`,
  );
}
