import { openDatabase } from '../../db/database.ts';
import { finishRollups } from '../../domain/search/rollups.ts';
import { openExistingDatabase } from '../../process/open-database.ts';
import type { DatabaseContext } from '../runtime/command-context.ts';
import { EXIT } from '../runtime/exit-codes.ts';
import { createProgressBar } from '../runtime/progress-bar.ts';

export interface RollupsCommandOptions {
  rebuild?: boolean;
  json?: boolean;
}

/** `mediakeep rollups`: counts what is not counted yet, or everything again. */
export async function runRollups(
  { config, log }: DatabaseContext,
  { rebuild = false, json }: RollupsCommandOptions,
): Promise<number> {
  const server = await openExistingDatabase(config, log);
  const database = openDatabase({ connectionString: server.connectionString, poolMax: 2, statementTimeoutMs: 60_000 });
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const bar = createProgressBar(0);
    const { signal } = stop;
    const counted = await finishRollups(database, {
      rebuild,
      signal,
      onProgress: (sofar) => bar.update(sofar, 'changes'),
    }).finally(() => bar.end());
    process.stdout.write(
      json === true
        ? `${JSON.stringify({ counted, interrupted: signal.aborted })}\n`
        : `${counted} changes counted${signal.aborted ? '; interrupted, run it again without --rebuild to go on' : ''}\n`,
    );
    return signal.aborted ? EXIT.interrupted : EXIT.done;
  } finally {
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt);
    await database.close();
    await server.stop();
  }
}
