import { AppError, isAppError } from '../../errors.ts';
import type { JsonObject } from '../../json/json.ts';
import { checkJsonObject } from '../items/text-limits.ts';

const MAX_FILTER_BYTES = 4000;

/** The JSON object that an item's metadata must contain, from its text. @throws AppError invalid_metadata, too_large */
export function parseMetadataFilter(text: string): JsonObject {
  try {
    return checkJsonObject('metadata', JSON.parse(text), MAX_FILTER_BYTES);
  } catch (error) {
    if (isAppError(error, 'too_large')) throw error;
    const why = isAppError(error) ? ` (${error.message})` : '';
    throw new AppError(
      'invalid_metadata',
      `'metadata' must be a JSON object, URL-encoded, that an item's metadata must contain: {"campaign":"winter"}${why}.`,
      { field: 'metadata', cause: error },
    );
  }
}
