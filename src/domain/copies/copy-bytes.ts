import type { MediaItem } from '../../db/item-columns.ts';
import { createHash } from 'node:crypto';
import { type Location, setLocationState } from '../../db/objects/locations.ts';
import { AppError, isAppError } from '../../errors.ts';
import type { Store } from '../../storage/stores/store.ts';
import type { Deps } from '../deps.ts';

type CopyDeps = Pick<Deps, 'db' | 'stores' | 'log'>;

/** Bytes that were copied. */
export interface Copied {
  bytes: number;
  sha256: string;
}

interface Target {
  to: Store;
  key: string;
  signal: AbortSignal | undefined;
}

/** Copies from any location that has the bytes, and records which locations do not. @throws AppError */
export async function copyBytes(
  deps: CopyDeps,
  item: MediaItem,
  locations: readonly Location[],
  target: Target,
): Promise<Copied> {
  let failure: unknown = new AppError('content_missing', 'No store that is configured has the bytes of this item.');
  for (const from of locations) {
    const known = from.state === 'stored' || from.state === 'missing';
    if (!known || from.store === target.to.name || !deps.stores.has(from.store)) continue;
    try {
      return await copyFrom(deps.stores.get(from.store), from, item, target);
    } catch (error) {
      // The target's own refusal would be the same for every source.
      if (!(error instanceof SourceError) && !isAppError(error, 'content_missing', 'digest_mismatch')) throw error;
      failure = error instanceof SourceError ? error.cause : error;
      if (error instanceof SourceError) continue;
      const state = error.code === 'content_missing' ? 'missing' : 'corrupt';
      const { store, key } = from;
      deps.log.error({ err: error, itemId: item.id, store, key, state }, 'a location is no good');
      await setLocationState(deps.db, { mediaId: item.id, store, key }, state);
    }
  }
  throw failure;
}

/** The source store failed during a write to another. */
class SourceError extends Error {
  override readonly name = 'SourceError';
}

async function copyFrom(source: Store, from: Location, item: MediaItem, { to, key, signal }: Target): Promise<Copied> {
  const content = await source.get(from.key, { ...(signal && { signal }) }).catch((error: unknown) => {
    if (isAppError(error, 'content_missing')) throw error;
    throw new SourceError('the source cannot be read', { cause: error });
  });
  // It may fail before the target reads the first byte, when it has no listener yet; the iterator reports it later.
  content.stream.on('error', () => {});
  const expected = from.sha256 ?? item.sha256;
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of content.stream) yield chunk as Uint8Array;
    } catch (error) {
      throw new SourceError('the source broke off', { cause: error });
    }
  }
  try {
    return await to.put(key, {
      body: body(),
      size: from.bytes,
      contentType: item.mimeType ?? 'application/octet-stream',
      signal,
      verify: ({ bytes, sha256 }) => {
        if (bytes === from.bytes && (expected === null || sha256 === expected)) return;
        throw new AppError(
          'digest_mismatch',
          `The store '${from.store}' gave ${bytes} bytes with SHA-256 ${sha256} where ${from.bytes} with ${expected ?? 'any'} were stored.`,
        );
      },
    });
  } finally {
    content.stream.destroy();
  }
}

/** Reads a copy back to prove that it was stored. @throws AppError store_unavailable, content_missing */
export async function verifyStored(
  to: Store,
  key: string,
  expected: { sha256: string },
  signal: AbortSignal | undefined,
): Promise<void> {
  const { stream } = await to.get(key, { ...(signal && { signal }) });
  const hash = createHash('sha256');
  try {
    for await (const chunk of stream) hash.update(chunk as Uint8Array);
  } catch (error) {
    throw new AppError('store_unavailable', `The store '${to.name}' did not give back what was written.`, {
      cause: error,
      retryAfter: 5,
    });
  }
  if (hash.digest('hex') !== expected.sha256)
    throw new AppError('store_unavailable', `The store '${to.name}' gave back other bytes than were written.`);
}
