import { ConfigError } from '../config/load-config.ts';
import { createLogger, standardError } from '../telemetry/logger.ts';
import { Output } from '../telemetry/output.ts';

/** Writes to standard error why the service could not start, and exits with 1. */
export function reportFailedStart(error: unknown): never {
  if (error instanceof ConfigError) new Output(2).write(`${error.message}\n`);
  else {
    const log = createLogger('fatal', standardError());
    log.fatal({ err: error }, `mediakeep could not start: ${error instanceof Error ? error.message : String(error)}`);
  }
  process.exit(1);
}
