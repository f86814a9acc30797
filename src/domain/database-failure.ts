import { IntentLost, SceneTaken, failureOf } from '../db/failure.ts';
import { AppError } from '../errors.ts';

/**
 * Maps a database failure to an AppError: the caller must change a value that PostgreSQL refuses, and may retry while the
 * database is unavailable. Any other error is returned unchanged.
 */
export function asAppError(error: unknown): unknown {
  if (error instanceof IntentLost)
    return new AppError(
      'store_unavailable',
      'The upload took too long between two signs of life and was given up; send it again.',
      { cause: error, retryAfter: 1 },
    );
  if (error instanceof SceneTaken)
    return new AppError('not_found', 'There is no such scene, or it belongs to another user.', {
      cause: error,
      field: 'sceneId',
    });
  switch (failureOf(error)) {
    case 'gone':
      return new AppError('database_unavailable', 'The database cannot be reached; try again shortly.', {
        cause: error,
        retryAfter: 5,
      });
    case 'slow':
      return new AppError(
        'overloaded',
        'The database took too long over this request; narrow the search or try again later.',
        { cause: error, retryAfter: 10 },
      );
    case 'collided':
      return new AppError('overloaded', 'The request collided with another one; try again.', {
        cause: error,
        retryAfter: 1,
      });
    case 'refused':
      return new AppError(
        'invalid_request',
        'A value in the request cannot be stored or searched for; it is out of range or too long.',
        { cause: error },
      );
    case undefined:
      return error;
  }
}
