import { pino } from 'pino';
import { ConfigError } from '../config/load-config.ts';
import { createLogger } from '../telemetry/logger.ts';

/** Writes to standard error why the service could not start, and exits with 1. */
export function reportFailedStart(error: unknown): never {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else {
    const log = createLogger('fatal', pino.destination({ dest: 2, sync: true }));
    log.fatal({ err: error }, `mediakeep could not start: ${error instanceof Error ? error.message : String(error)}`);
  }
  process.exit(1);
}
