import { once } from 'node:events';
import { repeatWith } from '../../background/repeat.ts';
import { watchUncaught } from '../../process/uncaught-errors.ts';
import { watchStores } from '../../storage/stores/health-monitor.ts';
import { startWorker } from '../../workers/worker.ts';
import type { CommandContext } from '../runtime/command-context.ts';
import { EXIT } from '../runtime/exit-codes.ts';
import { UsageError } from '../runtime/usage-error.ts';
import { withService } from '../runtime/with-service.ts';

/** `mediakeep worker`: background work without an HTTP server. */
export async function runWorker(context: CommandContext): Promise<number> {
  const { config, log } = context;
  if (config.WORKER_CONCURRENCY === 0)
    throw new UsageError('WORKER_CONCURRENCY is 0: this process would do nothing; set 1 or more.');
  return withService(context, async (deps, signal, connectionString) => {
    const worker = startWorker(deps, { connectionString, concurrency: config.WORKER_CONCURRENCY });
    const monitor = watchStores(deps.stores, log, repeatWith(deps.background));
    const broken = new AbortController();
    const stopWatching = watchUncaught({ log, count: () => {} }, (error) => {
      log.fatal({ err: error }, 'closing after an uncaught error');
      broken.abort(error);
    });
    log.info({ tasks: config.WORKER_CONCURRENCY }, 'the worker runs');
    const ended = AbortSignal.any([signal, broken.signal]);
    if (!ended.aborted) await once(ended, 'abort');
    log.info('closing: running tasks get a moment');
    monitor.stop();
    await worker.stop();
    stopWatching();
    broken.signal.throwIfAborted();
    return EXIT.done;
  });
}
