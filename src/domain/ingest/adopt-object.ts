import { isKnownKey } from '../../db/objects/intents.ts';
import { AppError } from '../../errors.ts';
import { checkKey } from '../../storage/keys.ts';
import type { Deps } from '../deps.ts';
import { type ReadObject, readObject } from '../bytes/read-object.ts';

export interface Adopted extends ReadObject {
  store: string;
  key: string;
}

/**
 * Reads an object that another system wrote into a store: it must exist and be media; its size and hash are recorded. Nothing is
 * written, and the object is never deleted by this service.
 * @throws AppError unknown_store, invalid_key, not_found, unsupported_media, digest_mismatch
 */
export async function adoptObject(
  deps: Deps,
  source: { store: string; key: string },
  sha256: string | undefined,
  signal?: AbortSignal,
): Promise<Adopted> {
  const store = deps.stores.get(source.store);
  checkKey(source.key);
  if (await isKnownKey(deps.db, source)) throw objectTaken();
  const found = await readObject(store, source.key, { signal }).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'content_missing') {
      throw new AppError('not_found', `The store '${source.store}' has no object of that key.`, {
        cause: error,
        field: 'source.key',
      });
    }
    throw error;
  });
  if (sha256 !== undefined && sha256 !== found.sha256)
    throw new AppError('digest_mismatch', `The object's SHA-256 is ${found.sha256}, not ${sha256}.`, {
      field: 'sha256',
    });
  return { store: store.name, key: source.key, ...found };
}

/** An object of an item, or one that an upload or purge is working on, cannot be adopted. */
export function objectTaken(cause?: unknown): AppError {
  return new AppError(
    'object_taken',
    'Another item stands for that object already, or it is being written or removed.',
    { cause, field: 'source.key' },
  );
}
