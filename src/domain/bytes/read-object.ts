import { createHash } from 'node:crypto';
import { AppError } from '../../errors.ts';
import { type Inspection, createInspector, withHiddenText } from '../../media/inspect/inspect.ts';
import type { MediaType } from '../../media/media-type.ts';
import type { Store } from '../../storage/stores/store.ts';
import { openBody } from './incoming-body.ts';
import { HEAD_BYTES, identify } from './identify.ts';

/** What an object turned out to be. */
export interface ReadObject {
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
  type: MediaType;
  inspection: Inspection;
}

/**
 * Reads a whole object to determine its type, size and hash.
 * @throws AppError content_missing, unsupported_media, file_missing, store_unavailable
 */
export async function readObject(
  store: Store,
  key: string,
  {
    declaredType,
    filename = key.split('/').at(-1),
    signal,
  }: { declaredType?: string | undefined; filename?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<ReadObject> {
  const found = await store.get(key, { ...(signal && { signal }) });
  const body = await openBody(found.stream as AsyncIterable<Uint8Array>, { headBytes: HEAD_BYTES });
  try {
    const type = await identify(body, { filename, declaredType });
    const inspector = createInspector(type);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of body.read()) {
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
    return { bytes, sha256: hash.digest('hex'), type: result.type, inspection: await withHiddenText(result) };
  } finally {
    found.stream.destroy();
  }
}
