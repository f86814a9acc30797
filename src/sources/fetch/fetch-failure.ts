import { AppError, codeOf, isAppError } from '../../errors.ts';

/**
 * Whatever went wrong while talking to `host`, as an AppError; an AppError stays as it is. The message names the
 * host and the system's code alone, since the rest of the URL may be a signature.
 */
export function fetchFailure(error: unknown, host: string, doing: 'connecting' | 'receiving'): AppError {
  if (isAppError(error)) return error;
  const code = codeOf(error);
  const why = code === undefined ? '' : ` (${code})`;
  const message =
    doing === 'connecting'
      ? `No answer came from ${host}${why}; check that the URL still works.`
      : `The file from ${host} broke off or is damaged${why}; nothing was kept, so send the request again.`;
  return new AppError('fetch_failed', message, { cause: error });
}

/** The error for a body of `length` bytes, or of more than allowed when its length is not known. */
export function tooLarge(maxBytes: number, length?: number): AppError {
  const found = length === undefined ? 'is larger than allowed' : `has ${length} bytes`;
  return new AppError('too_large', `The file at the URL ${found}; at most ${maxBytes} bytes are fetched.`);
}

class UnexpectedStatus extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`status ${status}`);
    this.status = status;
  }
}

/** An answer that is not the file. */
export function unexpectedStatus(host: string, status: number): AppError {
  return new AppError('fetch_failed', `${host} answered with status ${status} instead of the file.`, {
    cause: new UnexpectedStatus(status),
  });
}

/** Statuses of the 400s after which another try is worth it: the server was busy or too early, or wants a pause. */
const WORTH_A_RETRY = new Set([408, 409, 423, 425, 429]);

/** Whether a fetch failed for good: the server knows the address, or its signature, no more. */
export function isGone(error: unknown): boolean {
  if (!(error instanceof AppError) || !(error.cause instanceof UnexpectedStatus)) return false;
  const { status } = error.cause;
  return status >= 400 && status < 500 && !WORTH_A_RETRY.has(status);
}
