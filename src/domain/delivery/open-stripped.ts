import { Readable } from 'node:stream';
import type { Location } from '../../db/objects/locations.ts';
import { type DeliveredItem, saysGenerated } from '../../db/items/delivery-row.ts';
import { AppError } from '../../errors.ts';
import { MalformedFile } from '../../media/strip/byte-source.ts';
import { SourceTypeMark } from '../../media/strip/source-type.ts';
import { type Stripper, stripperFor } from '../../media/strip/strip-metadata.ts';
import { openBody } from '../bytes/incoming-body.ts';
import type { Deps } from '../deps.ts';
import { openContent } from './open-content.ts';

/** Bytes processed before the response begins: most damage shows early, while an error can still be sent. */
const PEEKED_BYTES = 256 * 1024;

/** @throws AppError strip_unsupported: metadata cannot be removed from this type without loss. */
export function stripperOf(item: DeliveredItem): Stripper {
  const stripper = stripperFor(item.mimeType ?? '');
  if (stripper) return stripper;
  throw new AppError(
    'strip_unsupported',
    `Metadata is removed from PNG, JPEG, WebP and GIF files; this one is ${item.mimeType ?? 'of no known type'}. Leave 'strip' out to get it as it is.`,
    { field: 'strip' },
  );
}

/** Whether an item's record says that a model made it, which its file then says when it is stripped. */
export function isGenerated({ db }: Pick<Deps, 'db'>, item: DeliveredItem): Promise<boolean> {
  return saysGenerated(db, item.id);
}

/**
 * Opens an item's bytes without its metadata.
 * @param options.generated the item's record says that a model made it: the file will say so, too. The stream fails where the file can no longer be parsed.
 * @throws AppError strip_unsupported: its beginning cannot be parsed; store_unavailable, content_missing
 */
export async function openStripped(
  deps: Deps,
  item: DeliveredItem,
  locations: readonly Location[],
  { generated, signal }: { generated: boolean; signal: AbortSignal },
): Promise<{ stream: Readable; store: string }> {
  let store = '';
  const open = async () => {
    const content = await openContent(deps, item, locations, undefined, signal);
    store = content.store;
    return content.stream as AsyncIterable<Uint8Array>;
  };
  try {
    const body = await openBody(stripperOf(item)(open, new SourceTypeMark(generated)), { headBytes: PEEKED_BYTES });
    return { stream: Readable.from(body.read(), { objectMode: false }), store };
  } catch (error) {
    if (!(error instanceof MalformedFile)) throw error;
    throw new AppError(
      'strip_unsupported',
      `The metadata of this file cannot be removed, because ${error.message}. Leave 'strip' out to get it as it is.`,
      { cause: error, field: 'strip' },
    );
  }
}
