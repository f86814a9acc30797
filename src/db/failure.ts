import { codeOf } from '../errors.ts';

/** SQLSTATE classes and system errors of a database that cannot be reached just now; the statement was not wrong. */
const GONE = /^(08|53|57P0|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/;
const GONE_MESSAGES =
  /connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed and is not queryable|Cannot use a pool after calling end/i;

/**
 * Why the database failed: `gone`, it cannot be reached; `slow`, it gave the statement up; `collided`, with another transaction;
 * `refused`, it does not take a value. Undefined: something else, which is a fault of ours.
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

/** The sweeper has marked the intent of an upload, or has swept it already: its object may be gone. */
export class IntentLost extends Error {
  override readonly name = 'IntentLost';
}

/** A scene belongs to another user. */
export class SceneTaken extends Error {
  override readonly name = 'SceneTaken';
}
