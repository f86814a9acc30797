import { Readable } from 'node:stream';
import type { DeliveredItem } from '../../db/items/delivery-row.ts';
import { AppError, isAppError } from '../../errors.ts';
import type { MediaType } from '../../media/media-type.ts';
import { isGone } from '../../sources/fetch/fetch-failure.ts';
import { openBody } from '../bytes/incoming-body.ts';
import type { Deps } from '../deps.ts';
import { HEAD_BYTES, identify } from '../bytes/identify.ts';

/** Whether the item's bytes can be read from their original URL until they are stored. */
export function hasOriginal<T extends DeliveredItem>(item: T): item is T & { originalUrl: string } {
  return item.status === 'pending' && item.storageKey === null && item.originalUrl !== null;
}

/**
 * Reads a pending item from its original URL, under the same rules as every fetch. These bytes were never validated, so their
 * type is detected anew.
 * @throws AppError store_unavailable: the URL fails at the moment; not_stored: it has failed for good
 */
export async function openOriginal(
  deps: Pick<Deps, 'fetcher'>,
  item: DeliveredItem & { originalUrl: string },
  signal: AbortSignal,
): Promise<{ stream: Readable; type: MediaType }> {
  try {
    const fetched = await deps.fetcher.fetch(item.originalUrl, { signal });
    const body = await openBody(fetched.body, { headBytes: HEAD_BYTES });
    try {
      const type = await identify(body, { filename: fetched.filename, declaredType: fetched.contentType });
      return { stream: Readable.from(body.read(), { objectMode: false }), type };
    } catch (error) {
      await body.cancel();
      throw error;
    }
  } catch (error) {
    if (!isAppError(error)) throw error;
    if (isGone(error) || !isAppError(error, 'fetch_failed'))
      throw new AppError(
        'not_stored',
        `This item could not be stored, and its original cannot be had: ${error.message}`,
        {
          cause: error,
        },
      );
    throw new AppError(
      'store_unavailable',
      'This item is not stored yet, and its original cannot be reached just now.',
      {
        cause: error,
        retryAfter: 5,
      },
    );
  }
}
