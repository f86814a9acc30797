import { AppError, codeOf, isAppError } from '../../errors.ts';

/**
 * Turns any error of the connection to `host` into an AppError; an AppError is returned as it is. The message has only
 * the host and the system's error code, since the rest of the URL may contain a signature.
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

/** @param length bytes of the body, when known */
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

/** The error for a response that is not the file. */
export function unexpectedStatus(host: string, status: number): AppError {
  return new AppError('fetch_failed', `${host} answered with status ${status} instead of the file.`, {
    cause: new UnexpectedStatus(status),
  });
}

/** 4xx statuses that may succeed on a retry. */
const WORTH_A_RETRY = new Set([408, 409, 423, 425, 429]);

/** Whether a retry is pointless: the URL is gone, or its signature is no longer valid. */
export function isGone(error: unknown): boolean {
  if (!(error instanceof AppError) || !(error.cause instanceof UnexpectedStatus)) return false;
  const { status } = error.cause;
  return status >= 400 && status < 500 && !WORTH_A_RETRY.has(status);
}
