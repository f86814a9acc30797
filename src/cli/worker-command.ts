import { once } from 'node:events';
import { watchStores } from '../storage/monitor.ts';
import { AppError } from '../errors.ts';
import { startWorker } from '../workers/worker.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import { withService } from './with-service.ts';

/** `mediakeep worker`: background work without an HTTP server. */
export async function runWorker(context: CommandContext): Promise<number> {
  const { config, log } = context;
  if (config.WORKER_CONCURRENCY === 0)
    throw new AppError('invalid_request', 'WORKER_CONCURRENCY is 0: this process would do nothing; set 1 or more.');
  return withService(context, async (deps, signal, connectionString) => {
    const worker = startWorker(deps, { connectionString, concurrency: config.WORKER_CONCURRENCY });
    const monitor = watchStores(deps.stores, log);
    log.info({ jobs: config.WORKER_CONCURRENCY }, 'the worker runs');
    if (!signal.aborted) await once(signal, 'abort');
    log.info('closing: running jobs get a moment');
    monitor.stop();
    await worker.stop();
    return EXIT.done;
  });
}
