import { AppError, codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';

const UNAVAILABLE = new Set([
  'EROFS',
  'EACCES',
  'EPERM',
  'EIO',
  'ENOTCONN',
  'ESTALE',
  'ETIMEDOUT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENODEV',
  'ENXIO',
  'EBUSY',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOLINK',
  'EREMOTEIO',
  'UNAVAILABLE',
  'MISCONFIGURED',
]);

/** The key runs through or into something that is no regular file in the store. */
const BAD_PATH = new Set(['OUTSIDE', 'NOT_A_FILE', 'ENAMETOOLONG', 'ENOTDIR', 'EISDIR', 'ELOOP']);

/** A driver's failure as the code that a caller gets, with the driver's own as its cause; anything else is returned as it is. */
export function asAppFailure(store: string, error: unknown): unknown {
  if (error instanceof AppError) return error;
  const code = codeOf(error) ?? '';
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'NO_SPACE' || code === 'EFBIG') {
    return new AppError('storage_full', `The store '${store}' has no room left; nothing was kept.`, {
      cause: error,
      retryAfter: 60,
    });
  }
  if (code === 'EMFILE' || code === 'ENFILE') {
    return new AppError('overloaded', 'Too many files are open; try again shortly.', { cause: error, retryAfter: 2 });
  }
  if (UNAVAILABLE.has(code)) {
    return new AppError('store_unavailable', `The store '${store}' cannot be used at the moment.`, {
      cause: error,
      retryAfter: (error instanceof StorageError ? error.retryAfter : undefined) ?? 5,
    });
  }
  if (code === 'SIZE') return wrongSize(error);
  if (code === 'EXISTS')
    return new AppError('object_taken', `The store '${store}' has an object of that key already.`, { cause: error });
  if (code === 'TOO_LARGE')
    return new AppError('too_large', `The store '${store}' takes no object of that size.`, { cause: error });
  if (BAD_PATH.has(code)) {
    return new AppError('invalid_key', 'The key does not lead to a regular file inside of the store.', {
      cause: error,
    });
  }
  return error;
}

export function wrongSize(cause?: unknown): AppError {
  return new AppError('length_mismatch', 'Not as many bytes arrived as were announced; nothing was kept.', { cause });
}
