import { AppError, codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';

/** Properties of the SDK's errors; any may be missing. */
interface SdkFailure {
  name: string;
  message: string;
  Code?: unknown;
  $metadata?: { httpStatusCode?: number; requestId?: string };
  $response?: { headers?: Record<string, string> };
}

function asFailure(error: unknown): SdkFailure | undefined {
  return error instanceof Error ? error : undefined;
}

/** The HTTP status of the response; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  return asFailure(error)?.$metadata?.httpStatusCode;
}

/** The server's name for the failure (`NoSuchKey`), or the SDK's (`TimeoutError`). Responses to HEAD carry only a status. */
export function nameOf(error: unknown): string {
  const failure = asFailure(error);
  return typeof failure?.Code === 'string' ? failure.Code : (failure?.name ?? '');
}

export function isMissing(error: unknown): boolean {
  return statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket';
}

/** Whether the outcome is unclear: the server may have carried out the request. */
export function isAmbiguous(error: unknown): boolean {
  const status = statusOf(error);
  return status === undefined || status < 400 || status >= 500 || status === 408;
}

/** A socket without progress for too long, or a connect timeout; resets have the same name but carry a `code`. */
export function isStall(error: unknown): boolean {
  return nameOf(error) === 'TimeoutError' && codeOf(error) === undefined;
}

const CREDENTIALS = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
  'RequestTimeTooSkewed',
  'CredentialsProviderError',
]);

export function isCredentialProblem(error: unknown): boolean {
  return CREDENTIALS.has(nameOf(error));
}

const FULL = new Set(['QuotaExceeded', 'XMinioStorageFull', 'InsufficientStorage', 'StorageQuotaExceeded']);

/** Seconds of the server's Retry-After. */
function retryAfterOf(error: unknown): number | undefined {
  const header = asFailure(error)?.$response?.headers?.['retry-after'];
  if (header === undefined) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : Math.ceil((Date.parse(header) - Date.now()) / 1000);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 1), 3600) : undefined;
}

/** A failure in a few words for operators: never headers, never what was signed. */
export function reasonOf(error: unknown): string {
  const failure = asFailure(error);
  if (!failure) return 'no reason was given';
  const status = statusOf(error);
  if (status === undefined) {
    const code = codeOf(error);
    return code ?? (failure.message || failure.name);
  }
  const name = nameOf(error);
  const request = failure.$metadata?.requestId;
  const words = [/^(Unknown|UnknownError|\d+)?$/.test(name) ? '' : name, `HTTP ${status}`];
  if (request !== undefined) words.push(`request ${request}`);
  return words.filter(Boolean).join(', ');
}

/**
 * Gives a failure of the SDK its code. An unknown failure counts as "temporarily unavailable".
 * @param doing what was tried, for operators
 */
export function asS3Failure(error: unknown, doing: string): StorageError | AppError {
  if (error instanceof StorageError || error instanceof AppError) return error;
  const status = statusOf(error);
  const name = nameOf(error);
  const message = `${doing} failed: ${reasonOf(error)}`;
  if (FULL.has(name) || status === 507) return new StorageError('NO_SPACE', message, { cause: error });
  if (name === 'EntityTooLarge' || status === 413) return new StorageError('TOO_LARGE', message, { cause: error });
  if (name === 'KeyTooLongError') return new StorageError('OUTSIDE', message, { cause: error });
  if (name === 'PreconditionFailed' || status === 412)
    return new StorageError('EXISTS', 'There is an object of that key already', { cause: error });
  const retryAfter = retryAfterOf(error);
  return new StorageError('UNAVAILABLE', message, { cause: error, ...(retryAfter !== undefined && { retryAfter }) });
}
