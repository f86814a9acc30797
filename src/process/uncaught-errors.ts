import type { Logger } from 'pino';
import { giveToPart } from '../background/parts.ts';
import { failureOf } from '../db/failure.ts';
import { codeOf, isAppError } from '../errors.ts';
import { StorageError } from '../storage/driver.ts';

/** Error codes of the system and undici for connections that failed or broke. */
const NETWORK = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]);
const MAX_CAUSES = 5;

/** Whether an error, or its cause, means that the database, a store or the network is unavailable. */
function isOutage(error: unknown, causes = 0): boolean {
  if (failureOf(error) === 'gone' || isAppError(error, 'database_unavailable', 'store_unavailable')) return true;
  if (error instanceof StorageError && error.code === 'UNAVAILABLE') return true;
  if (NETWORK.has(codeOf(error) ?? '')) return true;
  return (
    error instanceof Error && error.cause !== undefined && causes < MAX_CAUSES && isOutage(error.cause, causes + 1)
  );
}

export interface UncaughtOptions {
  log: Logger;
  /** Counts an error that the process survives. */
  count: (part: string) => void;
}

/**
 * Handles uncaught errors. One from a background part restarts that part; one that means that the database, a store or the
 * network is unavailable is logged. Both are counted and the process goes on. Any other goes to `end`, because its damage is
 * unknown. Returns a function that stops this.
 */
export function watchUncaught({ log, count }: UncaughtOptions, end: (error: Error) => void): () => void {
  const judge = (error: unknown) => {
    const part = giveToPart(error);
    if (part !== undefined)
      log.error({ err: error, part }, 'uncaught error in a background part; the part is restarted');
    else if (isOutage(error))
      log.error(
        { err: error },
        'uncaught error: the database, a store or the network is unavailable; the service goes on',
      );
    else return end(error instanceof Error ? error : new Error('uncaught rejection', { cause: error }));
    return count(part ?? 'none');
  };
  process.on('unhandledRejection', judge).on('uncaughtException', judge);
  return () => process.removeListener('unhandledRejection', judge).removeListener('uncaughtException', judge);
}
