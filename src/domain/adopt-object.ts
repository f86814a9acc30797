import { createHash } from 'node:crypto';
import { isKnownKey } from '../db/intents.ts';
import { AppError } from '../errors.ts';
import { type Inspection, createInspector } from '../media/inspect.ts';
import type { MediaType } from '../media/media-type.ts';
import { checkKey } from '../storage/keys.ts';
import { HEAD_BYTES, identify } from './identify.ts';
import { peek } from './body.ts';
import type { Deps } from './deps.ts';

export interface Adopted {
  store: string;
  key: string;
  bytes: number;
  sha256: string;
  type: MediaType;
  inspection: Inspection;
}

/**
 * Reads an object that somebody else put into a store: it must exist and be media, and its size and hash are taken.
 * Nothing is written and it stays theirs.
 * @throws AppError unknown_store, invalid_key, not_found, unsupported_media, digest_mismatch
 */
export async function adoptObject(
  deps: Deps,
  source: { store: string; key: string },
  sha256: string | undefined,
): Promise<Adopted> {
  const store = deps.stores.get(source.store);
  checkKey(source.key);
  if (await isKnownKey(deps.db, source)) throw objectTaken();
  const found = await store.get(source.key).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'content_missing') {
      throw new AppError('not_found', `The store '${source.store}' has no object of that key.`, {
        cause: error,
        field: 'source.key',
      });
    }
    throw error;
  });
  const body = await peek(found.stream, HEAD_BYTES);
  try {
    const type = await identify(body, { filename: source.key.split('/').at(-1), declaredType: undefined });
    const inspector = createInspector(type);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of body.all()) {
      inspector.push(chunk);
      hash.update(chunk);
      bytes += chunk.length;
    }
    const result = inspector.finish();
    if (!result.ok)
      throw new AppError(
        'unsupported_media',
        `The object is not the ${type.mime} that it seemed to be: ${result.reason}.`,
      );
    const digest = hash.digest('hex');
    if (sha256 !== undefined && sha256 !== digest) {
      throw new AppError('digest_mismatch', `The object's SHA-256 is ${digest}, not ${sha256}.`, { field: 'sha256' });
    }
    return { store: store.name, key: source.key, bytes, sha256: digest, type, inspection: result.inspection };
  } finally {
    found.stream.destroy();
  }
}

/** An object that an item has, or that an upload or a purge of ours is about, is nobody's to adopt. */
export function objectTaken(cause?: unknown): AppError {
  return new AppError(
    'object_taken',
    'Another item stands for that object already, or it is being written or removed.',
    { cause, field: 'source.key' },
  );
}
