import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { type QueryExecutorProvider, type RawBuilder, sql } from 'kysely';
import { CHUNK_BYTES, type StoredBlob, inChunks, openChunks, run } from './chunks.ts';
import {
  type Driver,
  type DriverContext,
  type GetOptions,
  type ListPage,
  type PutOptions,
  StorageError,
} from '../driver.ts';

const PAGE = 1000;
/** Time for a reader of replaced content to finish. */
const REPLACED_KEPT_MINUTES = 10;

/**
 * Bytes in PostgreSQL, in rows of half a MiB: at most two rows of a file are in memory, and no connection is held between
 * statements. For tests, tiny installations, and for what an older system stored there.
 *
 * Chunks are written under a separate id, which `stored_blob_writes` holds until the row in `stored_blobs` makes them visible, so
 * that an interrupted write can be found and removed.
 */
export function createDatabaseDriver({ store, executor }: Pick<DriverContext, 'store' | 'executor'>): Driver {
  const find = async (key: string): Promise<StoredBlob | undefined> => {
    const [row] = await run(
      executor,
      sql<{ blob_id: string; bytes: string; chunk_bytes: number }>`
        SELECT blob_id, bytes, chunk_bytes FROM stored_blobs WHERE store = ${store} AND key = ${key}`,
    );
    return row && { blobId: row.blob_id, bytes: Number(row.bytes), chunkBytes: row.chunk_bytes };
  };

  return {
    inDatabase: true,
    capabilities: {
      range: { able: true, reason: 'chunks are found by their number' },
      presignGet: { able: false, reason: 'PostgreSQL speaks no HTTP' },
      presignPut: { able: false, reason: 'PostgreSQL speaks no HTTP' },
      publicUrl: { able: false, reason: 'PostgreSQL speaks no HTTP' },
      list: { able: true, reason: 'keys are a column' },
      maxObjectBytes: undefined,
    },

    async put(key, body, options) {
      options.signal?.throwIfAborted();
      if (options.overwrite !== true && (await find(key)))
        throw new StorageError('EXISTS', 'there is an object of that key');
      const blobId = randomUUID();
      await run(
        executor,
        sql`INSERT INTO stored_blob_writes (blob_id, store, key) VALUES (${blobId}, ${store}, ${key})`,
      );
      try {
        const bytes = await writeChunks(executor, blobId, body);
        await publish(executor, { store, key, blobId, bytes }, options);
        return { bytes };
      } catch (error) {
        await discard(executor, sql`blob_id = ${blobId}`).catch(() => {});
        throw error;
      }
    },

    async get(key, options: GetOptions = {}) {
      options.signal?.throwIfAborted();
      const blob = await find(key);
      if (!blob) return undefined;
      const { start, end } = options.range ?? { start: 0, end: blob.bytes - 1 };
      const chunks = end < start ? [] : await openChunks(executor, blob, { start, end });
      if (!chunks) return undefined;
      const stream = Readable.from(chunks, { objectMode: false, ...(options.signal && { signal: options.signal }) });
      return { stream, bytes: end - start + 1, totalBytes: blob.bytes };
    },

    async stat(key) {
      const [row] = await run(
        executor,
        sql<{ bytes: string; modified: number }>`
          SELECT bytes, extract(epoch FROM created_at)::float8 AS modified
          FROM stored_blobs WHERE store = ${store} AND key = ${key}`,
      );
      return row && { bytes: Number(row.bytes), modifiedAt: new Date(row.modified * 1000) };
    },

    async delete(key) {
      // Writes first: this stops one that is about to become visible, or the next statement sees it.
      await run(
        executor,
        sql`UPDATE stored_blob_writes SET replaced_at = coalesce(replaced_at, now()) WHERE store = ${store} AND key = ${key}`,
      );
      await run(
        executor,
        sql`
          WITH gone AS (DELETE FROM stored_blobs WHERE store = ${store} AND key = ${key} RETURNING blob_id)
          INSERT INTO stored_blob_writes (blob_id, store, key, replaced_at) SELECT blob_id, ${store}, ${key}, now() FROM gone`,
      );
      await discard(executor, sql`store = ${store} AND key = ${key}`);
    },

    async list(prefix, cursor): Promise<ListPage> {
      // Every key with the prefix sorts before the prefix followed by the last of all characters.
      const rows = await run(
        executor,
        sql<{ key: string; bytes: string; modified: number }>`
          SELECT key, bytes, extract(epoch FROM created_at)::float8 AS modified FROM stored_blobs
          WHERE store = ${store} AND key >= ${prefix} AND key < ${`${prefix}\u{10FFFF}`} AND key > ${cursor ?? ''}
          ORDER BY key LIMIT ${PAGE}`,
      );
      return {
        objects: rows.map((row) => ({
          key: row.key,
          bytes: Number(row.bytes),
          modifiedAt: new Date(row.modified * 1000),
        })),
        cursor: rows.length === PAGE ? rows.at(-1)?.key : undefined,
      };
    },

    async healthy() {
      await run(executor, sql`SELECT FROM stored_blobs LIMIT 1`);
    },
  };
}

async function writeChunks(
  executor: QueryExecutorProvider,
  blobId: string,
  body: AsyncIterable<Uint8Array>,
): Promise<number> {
  let bytes = 0;
  let number = 0;
  for await (const chunk of inChunks(body)) {
    bytes += chunk.length;
    // The lock makes a delete wait for this chunk, and lets this chunk notice a delete.
    const written = await run(
      executor,
      sql<{ number: number }>`
        INSERT INTO stored_blob_chunks (blob_id, number, bytes)
        SELECT blob_id, ${number}::integer, ${chunk}::bytea FROM stored_blob_writes
        WHERE blob_id = ${blobId} AND replaced_at IS NULL FOR SHARE
        RETURNING number`,
    );
    if (written.length === 0) throw givenUp();
    number += 1;
  }
  return bytes;
}

/** Makes a blob the object of its key. A single statement: readers see the old or the new one, never neither. */
async function publish(
  executor: QueryExecutorProvider,
  { store, key, blobId, bytes }: { store: string; key: string; blobId: string; bytes: number },
  { contentType, overwrite, signal }: PutOptions,
): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const [old] = await run(
      executor,
      sql<{ blob_id: string }>`SELECT blob_id FROM stored_blobs WHERE store = ${store} AND key = ${key}`,
    );
    if (old && overwrite !== true) throw new StorageError('EXISTS', 'there is an object of that key');
    const mine = sql`SELECT blob_id FROM stored_blob_writes WHERE blob_id = ${blobId} AND replaced_at IS NULL FOR UPDATE`;
    const change = old
      ? sql`
        UPDATE stored_blobs SET blob_id = mine.blob_id, content_type = ${contentType}, bytes = ${bytes}, chunk_bytes = ${CHUNK_BYTES}, created_at = now()
        FROM mine WHERE stored_blobs.store = ${store} AND stored_blobs.key = ${key} AND stored_blobs.blob_id = ${old.blob_id}
        RETURNING stored_blobs.blob_id`
      : sql`
        INSERT INTO stored_blobs (store, key, blob_id, content_type, bytes, chunk_bytes)
        SELECT ${store}, ${key}, blob_id, ${contentType}, ${bytes}, ${CHUNK_BYTES}::integer FROM mine
        ON CONFLICT DO NOTHING RETURNING blob_id`;
    const retired = old
      ? sql`, retired AS (
        INSERT INTO stored_blob_writes (blob_id, store, key, replaced_at) SELECT ${old.blob_id}::uuid, ${store}, ${key}, now() FROM changed)`
      : sql``;
    const done = await run(
      executor,
      sql`
        WITH mine AS (${mine}), changed AS (${change}) ${retired}
        DELETE FROM stored_blob_writes USING changed WHERE stored_blob_writes.blob_id = changed.blob_id RETURNING 1`,
    );
    if (done.length === 1) {
      // The object is visible already; the next overwrite reclaims what is left.
      if (old) await reclaim(executor).catch(() => {});
      return;
    }
    const [mineStill] = await run(executor, mine);
    if (!mineStill) throw givenUp();
    // Another writer of this key was faster: read the current row.
  }
}

/**
 * Removes the writes that `which` selects, with their chunks. Two statements: once the first is committed no chunk can be added,
 * so the second one's snapshot has all of them.
 */
async function discard(executor: QueryExecutorProvider, which: RawBuilder<unknown>): Promise<void> {
  await run(executor, sql`UPDATE stored_blob_writes SET replaced_at = coalesce(replaced_at, now()) WHERE ${which}`);
  await run(
    executor,
    sql`
      WITH dead AS (DELETE FROM stored_blob_writes WHERE ${which} AND replaced_at IS NOT NULL RETURNING blob_id)
      DELETE FROM stored_blob_chunks USING dead WHERE stored_blob_chunks.blob_id = dead.blob_id`,
  );
}

/** Removes replaced content after its grace time. */
async function reclaim(executor: QueryExecutorProvider): Promise<void> {
  await run(
    executor,
    sql`
      WITH dead AS (
        DELETE FROM stored_blob_writes
        WHERE replaced_at < now() - make_interval(mins => ${REPLACED_KEPT_MINUTES}) RETURNING blob_id)
      DELETE FROM stored_blob_chunks USING dead WHERE stored_blob_chunks.blob_id = dead.blob_id`,
  );
}

function givenUp(): StorageError {
  return new StorageError('UNAVAILABLE', 'the write was given up by a sweep or a delete of its key');
}
