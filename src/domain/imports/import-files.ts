import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { hasFile } from '../../db/items/item-names.ts';
import { AppError, isAppError } from '../../errors.ts';
import type { ImportFile } from '../../sources/imports/import-folder.ts';
import { HEAD_BYTES, identify } from '../bytes/identify.ts';
import { openBody } from '../bytes/incoming-body.ts';
import type { Caller } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { ingest } from '../ingest/ingest.ts';
import { workThrough } from '../work-through.ts';

export interface ImportOptions {
  toolName: string;
  visibility: 'private' | 'public' | undefined;
  concurrency: number;
  /** Only looks at the files: `stored` counts those that would be. */
  dryRun?: boolean | undefined;
  /** Aborting lets running files finish and starts no more. */
  signal: AbortSignal;
  onProgress: (done: number, file: string) => void;
}

export interface ImportSummary {
  stored: number;
  bytes: number;
  /** Stored by an earlier run. */
  present: number;
  /** Not media. */
  skipped: { path: string; reason: string }[];
  failed: { path: string; reason: string }[];
  seconds: number;
  interrupted: boolean;
}

const IMPORTER: Caller = { sub: 'mediakeep import', scopes: new Set(['media:admin']) };

/** Stores files, each item in a separate transaction, so a run may be interrupted and repeated. */
export async function importFiles(
  deps: Deps,
  files: readonly ImportFile[],
  options: ImportOptions,
): Promise<ImportSummary> {
  const started = performance.now();
  const summary: ImportSummary = {
    stored: 0,
    bytes: 0,
    present: 0,
    skipped: [],
    failed: [],
    seconds: 0,
    interrupted: false,
  };
  let done = 0;
  await workThrough(files, options, async (file) => {
    await importOne(deps, file, options, summary);
    done += 1;
    options.onProgress(done, file.relative);
  });
  summary.interrupted = done < files.length;
  summary.seconds = (performance.now() - started) / 1000;
  return summary;
}

async function importOne(deps: Deps, file: ImportFile, options: ImportOptions, summary: ImportSummary): Promise<void> {
  try {
    const externalId = externalIdOf(file.relative);
    const known = { userId: file.userId, externalId };
    const { size, mtime } = await statOf(file.absolute);
    if (await hasFile(deps.db, { ...known, bytes: size })) {
      const sha256 = await hashOf(file.absolute);
      if (await hasFile(deps.db, { ...known, sha256 })) {
        summary.present += 1;
        return;
      }
    }
    if (options.dryRun) {
      await checkFile(file, size, deps.limits.maxUploadBytes);
      summary.stored += 1;
      summary.bytes += size;
      return;
    }
    const { item } = await ingest(deps, {
      caller: IMPORTER,
      input: {
        userId: file.userId,
        toolName: options.toolName,
        filename: path.basename(file.relative),
        subfolder: file.subfolder,
        externalId,
        generatedAt: mtime.toISOString(),
        visibility: options.visibility,
      },
      source: {
        type: 'bytes',
        via: 'import',
        body: createReadStream(file.absolute, { highWaterMark: 256 * 1024 }),
        size,
      },
    });
    summary.stored += 1;
    summary.bytes += item.bytes ?? 0;
  } catch (error) {
    const entry = { path: file.relative, reason: isAppError(error) ? error.message : String(error) };
    if (isAppError(error, 'unsupported_media', 'file_missing')) summary.skipped.push(entry);
    else summary.failed.push(entry);
  }
}

/** @throws AppError what storing the file would: too_large, unsupported_media, file_missing */
async function checkFile(file: ImportFile, size: number, maxBytes: number): Promise<void> {
  if (size > maxBytes) throw new AppError('too_large', `The file is larger than ${maxBytes} bytes (MAX_UPLOAD_BYTES).`);
  const body = await openBody(createReadStream(file.absolute), { headBytes: HEAD_BYTES });
  try {
    await identify(body, { filename: path.basename(file.relative), declaredType: undefined });
  } finally {
    await body.cancel();
  }
}

/** A later run recognises the file by its path; ids are capped at 2,000 bytes. */
function externalIdOf(relative: string): string {
  return Buffer.byteLength(relative) <= 1900
    ? `file:${relative}`
    : `file:sha256:${createHash('sha256').update(relative).digest('hex')}`;
}

async function statOf(file: string): Promise<{ size: number; mtime: Date }> {
  const handle = await open(file);
  try {
    return await handle.stat();
  } finally {
    await handle.close();
  }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
