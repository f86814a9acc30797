import { createHash } from 'node:crypto';
import { type BlobRow, type BlobTable, nextBlobs } from '../../db/blob-tables.ts';
import type { Db } from '../../db/database.ts';
import { hasFile } from '../../db/items/item-names.ts';
import { isAppError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { ingest } from '../ingest/ingest.ts';
import { readBlob } from './blob-table.ts';
import { workThrough } from '../work-through.ts';

export interface ImportBlobsOptions {
  /** The database that holds the table; may differ from the service's. */
  source: Db;
  table: BlobTable;
  /** Owner of rows whose user column is empty, or of all. */
  user: string | undefined;
  toolName: string | undefined;
  visibility: 'private' | 'public' | undefined;
  concurrency: number;
  /** Aborting lets running rows finish and starts no more. */
  signal: AbortSignal;
  onProgress: (done: number, note: string) => void;
}

export interface ImportBlobsSummary {
  stored: number;
  bytes: number;
  /** Stored by an earlier run. */
  present: number;
  failed: { id: string; reason: string }[];
  seconds: number;
  interrupted: boolean;
}

const PAGE = 100;
const IMPORTER: Caller = { sub: 'mediakeep import-blobs', scopes: new Set(['media:admin']) };

/**
 * Stores the bytes of a column of another table. The old id becomes `externalId`, by which a later run recognises the row; the
 * table is only read.
 */
export async function importBlobs(deps: Deps, options: ImportBlobsOptions): Promise<ImportBlobsSummary> {
  const started = performance.now();
  const summary: ImportBlobsSummary = { stored: 0, bytes: 0, present: 0, failed: [], seconds: 0, interrupted: false };
  let done = 0;
  await workThrough(pages(options), options, async (row) => {
    await importRow(deps, options, row, summary);
    done += 1;
    options.onProgress(done, `row ${row.id}`);
  });
  summary.interrupted = options.signal.aborted;
  summary.seconds = (performance.now() - started) / 1000;
  return summary;
}

async function* pages({ source, table }: ImportBlobsOptions): AsyncGenerator<BlobRow> {
  let after: string | undefined;
  for (;;) {
    const page = await nextBlobs(source, table, after, PAGE);
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.id;
  }
}

async function importRow(
  deps: Deps,
  options: ImportBlobsOptions,
  row: BlobRow,
  summary: ImportBlobsSummary,
): Promise<void> {
  try {
    const userId = row.user ?? options.user;
    if (userId === undefined) throw new Error('the row names no user; give --user for such rows');
    const known = { userId, externalId: row.id };
    if (await hasFile(deps.db, known)) {
      const sha256 = row.sha256 ?? (await hashOf(options, row.id));
      if (await hasFile(deps.db, { ...known, sha256 })) {
        summary.present += 1;
        return;
      }
    }
    const { item } = await ingest(deps, {
      caller: IMPORTER,
      input: {
        userId,
        externalId: row.id,
        toolName: row.tool ?? options.toolName,
        prompt: row.prompt,
        model: row.model,
        filename: row.filename,
        generatedAt: row.createdAt,
        visibility: options.visibility,
        sha256: row.sha256,
      },
      source: {
        type: 'bytes',
        via: 'import',
        body: readBlob(options.source, options.table, row.id),
        declaredType: row.mimeType,
      },
    });
    summary.stored += 1;
    summary.bytes += item.bytes ?? 0;
  } catch (error) {
    summary.failed.push({
      id: row.id,
      reason: isAppError(error) || error instanceof Error ? error.message : String(error),
    });
  }
}

async function hashOf({ source, table }: ImportBlobsOptions, id: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of readBlob(source, table, id)) hash.update(piece);
  return hash.digest('hex');
}
