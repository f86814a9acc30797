import type { ItemFilter } from '../../db/search/item-filter.ts';
import { type TransferSummary, planTransfer, transferItems } from '../../domain/copies/transfer.ts';
import type { SearchDeps } from '../../domain/search/search.ts';
import type { CommandContext } from '../runtime/command-context.ts';
import { EXIT } from '../runtime/exit-codes.ts';
import { lookOnly, requireTables } from '../runtime/look-only.ts';
import { createProgressBar } from '../runtime/progress-bar.ts';
import { withService } from '../runtime/with-service.ts';

/** Options that select items; named like the search's parameters. */
export interface FilterOptions {
  user?: string;
  tool?: string;
  model?: string;
  provider?: string;
  mediaType?: string;
  run?: string;
  project?: string;
  tag?: string[];
  createdAfter?: string;
  createdBefore?: string;
}

export interface TransferCommandOptions extends FilterOptions {
  from?: string;
  to: string;
  keep?: boolean;
  dryRun?: boolean;
  concurrency: number;
  json?: boolean;
}

/** `mediakeep move` and, without `from`, `mediakeep mirror`. */
export async function runTransfer(context: CommandContext, options: TransferCommandOptions): Promise<number> {
  const { from, to, json = false } = options;
  const filter = filterOf(options);
  if (options.dryRun === true) {
    const plan = await lookOnly(context, async (database) => {
      await requireTables(database);
      return planTransfer({ db: database.db, stores: storeNames(context) }, { from, to, filter });
    });
    const what = from === undefined ? `to mirror to ${to}` : `to move from ${from} to ${to}`;
    process.stdout.write(
      json ? `${JSON.stringify({ dryRun: true, ...plan })}\n` : `${plan.items} items ${what} (${size(plan.bytes)})\n`,
    );
    return EXIT.done;
  }
  const work = async (deps: SearchDeps, signal: AbortSignal) => {
    const plan = await planTransfer({ db: deps.db, stores: storeNames(context) }, { from, to, filter });
    if (context.config.PUBLIC_BASE_URL === undefined)
      context.log.warn(
        `PUBLIC_BASE_URL is not set: the storageUrl of items in a store without addresses of its own will begin with ${deps.publicBaseUrl}; give the command the service's settings`,
      );
    const bar = createProgressBar(plan.items);
    const summary = await transferItems(deps, {
      from,
      to,
      filter,
      keep: options.keep === true,
      concurrency: options.concurrency,
      signal,
      onProgress: (done, note) => bar.update(done, note),
    }).finally(() => bar.end());
    print(summary, from === undefined ? 'mirrored' : 'moved', json);
    if (summary.interrupted) return EXIT.interrupted;
    return summary.failed.length > 0 ? EXIT.partly : EXIT.done;
  };
  return withService(context, work, { existing: true });
}

function storeNames({ config }: CommandContext): string[] {
  return config.stores.map(({ name }) => name);
}

function filterOf(options: FilterOptions): ItemFilter {
  return {
    userId: options.user,
    toolName: options.tool,
    model: options.model,
    provider: options.provider,
    mediaType: options.mediaType,
    runId: options.run,
    projectId: options.project,
    tags: options.tag,
    createdAfter: options.createdAfter,
    createdBefore: options.createdBefore,
  };
}

function size(bytes: number): string {
  const gib = bytes / 1024 ** 3;
  return gib >= 1 ? `${gib.toFixed(2)} GiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

function print(summary: TransferSummary, done: string, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  for (const { id, reason } of summary.failed) process.stderr.write(`failed  item ${id}: ${reason}\n`);
  const total = summary.copied + summary.present + summary.failed.length;
  process.stdout.write(
    `${total} items: ${summary.copied} ${done} (${size(summary.bytes)} in ${summary.seconds.toFixed(1)} s), ${summary.present} were there already, ${summary.failed.length} failed${summary.interrupted ? '; interrupted, run it again to go on' : ''}\n`,
  );
}
