import { type QueryExecutorProvider, type RawBuilder, sql } from 'kysely';
import { codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';

/** Bytes of one row. Larger rows gain nothing, and a write takes four times their size in memory, one for each copy on its way. */
export const CHUNK_BYTES = 512 * 1024;

/** Runs one statement. @throws StorageError when the database is unavailable or full */
export async function run<T>(executor: QueryExecutorProvider, statement: RawBuilder<T>): Promise<T[]> {
  try {
    return (await statement.execute(executor)).rows;
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (code === '53100') throw new StorageError('NO_SPACE', 'the database has no room left', { cause: error });
    // 57014: statement timeout.
    if (code === '' || /^(08|53|57)/.test(code) || !/^[0-9A-Z]{5}$/.test(code))
      throw new StorageError('UNAVAILABLE', 'the database cannot be used at the moment', { cause: error });
    throw error;
  }
}

/** Cuts a body into pieces of CHUNK_BYTES, whatever its chunks; the last may be shorter, an empty body has none. */
export async function* inChunks(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    let at = 0;
    while (at < piece.length) {
      const part = piece.subarray(at, at + CHUNK_BYTES - size);
      parts.push(part);
      size += part.length;
      at += part.length;
      if (size === CHUNK_BYTES) {
        yield Buffer.concat(parts, size);
        parts = [];
        size = 0;
      }
    }
  }
  if (size > 0) yield Buffer.concat(parts, size);
}

export interface StoredBlob {
  blobId: string;
  bytes: number;
  chunkBytes: number;
}

class RemovedMeanwhile extends StorageError {
  constructor() {
    super('UNAVAILABLE', 'the object was removed meanwhile');
  }
}

/**
 * The bytes of a blob from `start` to `end` (both included), one statement per chunk, reading one ahead. Returns undefined when
 * the blob was removed since it was found, so that the caller can look for it elsewhere, which is impossible once a byte was
 * sent. If it is removed later, the stream fails with StorageError UNAVAILABLE.
 */
export async function openChunks(
  executor: QueryExecutorProvider,
  { blobId, bytes, chunkBytes }: StoredBlob,
  { start, end }: { start: number; end: number },
): Promise<AsyncGenerator<Buffer> | undefined> {
  const last = Math.floor(end / chunkBytes);
  const read = (number: number) => {
    const from = Math.max(0, start - number * chunkBytes);
    const to = Math.min(chunkBytes, end - number * chunkBytes + 1);
    const rows = run(
      executor,
      sql<{ bytes: Buffer }>`
        SELECT substr(bytes, ${from + 1}::integer, ${to - from}::integer) AS bytes
        FROM stored_blob_chunks WHERE blob_id = ${blobId} AND number = ${number}`,
    ).then(([row]) => {
      if (row?.bytes.length !== to - from) throw new RemovedMeanwhile();
      return row.bytes;
    });
    rows.catch(() => {});
    return rows;
  };
  let number = Math.floor(start / chunkBytes);
  let next = read(number);
  try {
    // A range outside of the object is reported with the object's size.
    if (end < bytes) await next;
  } catch (error) {
    if (error instanceof RemovedMeanwhile) return undefined;
    throw error;
  }
  return (async function* () {
    while (number <= last) {
      const chunk = await next;
      number += 1;
      if (number <= last) next = read(number);
      yield chunk;
    }
  })();
}
