import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Db } from '../../db/database.ts';
import { hasFile } from '../../db/items/item-names.ts';
import { AppError, isAppError } from '../../errors.ts';
import type { ImportFile } from '../../sources/imports/import-folder.ts';
import { HEAD_BYTES, identify } from '../bytes/identify.ts';
import { openBody } from '../bytes/incoming-body.ts';
import type { Caller } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { ingest } from '../ingest/ingest.ts';
import { workThrough } from '../work-through.ts';

export interface ImportPace {
  concurrency: number;
  /** Aborting lets running files finish and starts no more. */
  signal: AbortSignal;
  onProgress: (done: number, file: string) => void;
}

export interface ImportOptions extends ImportPace {
  toolName: string;
  visibility: 'private' | 'public' | undefined;
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
export function importFiles(deps: Deps, files: readonly ImportFile[], options: ImportOptions): Promise<ImportSummary> {
  return eachFile(files, options, async (file) => {
    const { size, mtime } = await statOf(file.absolute);
    if (await isStored(deps.db, file, size)) return undefined;
    const { item } = await ingest(deps, {
      caller: IMPORTER,
      input: {
        userId: file.userId,
        toolName: options.toolName,
        filename: path.basename(file.relative),
        subfolder: file.subfolder,
        externalId: externalIdOf(file.relative),
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
    return item.bytes ?? 0;
  });
}

/** Only looks at the files: `stored` counts those that would be. @param db undefined: there is none, so no file is stored yet */
export function planImport(
  { db, maxBytes }: { db: Db | undefined; maxBytes: number },
  files: readonly ImportFile[],
  pace: ImportPace,
): Promise<ImportSummary> {
  return eachFile(files, pace, async (file) => {
    const { size } = await statOf(file.absolute);
    if (db !== undefined && (await isStored(db, file, size))) return undefined;
    await checkFile(file, size, maxBytes);
    return size;
  });
}

/** @param store returns the bytes of what it stored; undefined: stored before */
async function eachFile(
  files: readonly ImportFile[],
  pace: ImportPace,
  store: (file: ImportFile) => Promise<number | undefined>,
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
  await workThrough(files, pace, async (file) => {
    try {
      const bytes = await store(file);
      if (bytes === undefined) summary.present += 1;
      else summary.stored += 1;
      summary.bytes += bytes ?? 0;
    } catch (error) {
      const entry = { path: file.relative, reason: isAppError(error) ? error.message : String(error) };
      if (isAppError(error, 'unsupported_media', 'file_missing')) summary.skipped.push(entry);
      else summary.failed.push(entry);
    }
    done += 1;
    pace.onProgress(done, file.relative);
  });
  summary.interrupted = done < files.length;
  summary.seconds = (performance.now() - started) / 1000;
  return summary;
}

/** By an earlier run. Files are hashed only where one of their name and size is stored. */
async function isStored(db: Db, file: ImportFile, bytes: number): Promise<boolean> {
  const known = { userId: file.userId, externalId: externalIdOf(file.relative) };
  if (!(await hasFile(db, { ...known, bytes }))) return false;
  return hasFile(db, { ...known, sha256: await hashOf(file.absolute) });
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
