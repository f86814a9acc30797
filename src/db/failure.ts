import { codeOf } from '../errors.ts';

/** SQLSTATE classes and system errors of a database that is unreachable at the moment; the statement was not at fault. */
const GONE = /^(08|53|57P0|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/;
const GONE_MESSAGES =
  /connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed and is not queryable|Cannot use a pool after calling end/i;

/**
 * Why the database failed: `gone`: unreachable; `slow`: it cancelled the statement; `collided`: conflict with another
 * transaction; `refused`: invalid value. Undefined: anything else, which is a bug of this service.
 */
export function failureOf(error: unknown): 'gone' | 'slow' | 'collided' | 'refused' | undefined {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : '';
  if ((code !== undefined && GONE.test(code)) || GONE_MESSAGES.test(message) || isSocketGone(error)) return 'gone';
  if (code === '57014' || code === '55P03') return 'slow';
  if (code === '40001' || code === '40P01') return 'collided';
  // Data exceptions; 54000: an index row is too large.
  return code !== undefined && (code.startsWith('22') || code.startsWith('54')) ? 'refused' : undefined;
}

/** A server that listens on a socket removes its file when it stops. */
function isSocketGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' && (error as { syscall?: unknown }).syscall === 'connect';
}

/** The sweeper has marked or swept the intent of an upload: its object may be gone. */
export class IntentLost extends Error {
  override readonly name = 'IntentLost';
}

/** A scene belongs to another user. */
export class SceneTaken extends Error {
  override readonly name = 'SceneTaken';
}
