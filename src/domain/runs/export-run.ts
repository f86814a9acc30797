import { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { findDeliveredItem } from '../../db/items/delivery-row.ts';
import { runItemIds } from '../../db/runs/run-outputs.ts';
import type { Run } from '../../db/runs/runs.ts';
import { isAppError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { contentLocations, openContent } from '../delivery/open-content.ts';
import { runMetadata } from '../run-folder/refresh-files.ts';
import { placeInRun } from '../run-folder/write-metadata.ts';
import { ownRun } from './runs.ts';

export interface RunExport {
  /** A zip. Destroying it ends all work for it. */
  stream: Readable;
  filename: string;
}

const PAGE = 500;

/**
 * A run as a zip: its texts, its outputs uncompressed (media are compressed already), and the current metadata.json. One file is
 * open at a time and nothing is buffered. Outputs whose bytes no store has are listed in `missing.txt`; when a store is
 * unavailable the stream fails.
 * @throws AppError not_found
 */
export async function exportRun(deps: Deps, caller: Caller, id: string, signal: AbortSignal): Promise<RunExport> {
  const run = await ownRun(deps, caller, id);
  const zip = new ZipFile();
  const stream = zip.outputStream as Readable;
  const fail = (error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error)));
  zip.on('error', fail);
  signal.addEventListener('abort', () => fail(signal.reason), { once: true });
  addAll(deps, run, zip, signal).catch(fail);
  return { stream, filename: `run-${run.id}.zip` };
}

async function addAll(deps: Deps, run: Run, zip: ZipFile, signal: AbortSignal): Promise<void> {
  const mtime = new Date(run.createdAt);
  const missing: string[] = [];
  zip.addBuffer(Buffer.from(run.inputText), 'input_text.txt', { mtime });
  if (run.transformedText !== null) zip.addBuffer(Buffer.from(run.transformedText), 'transformed_text.txt', { mtime });
  const names = new Set<string>();
  let after: { createdAt: string; id: string } | undefined;
  for (;;) {
    const items = await runItemIds(deps.db, run, { after, limit: PAGE });
    for (const item of items) await addItem(deps, run, item, { zip, names, missing, signal });
    after = items.at(-1);
    if (items.length < PAGE) break;
  }
  if (missing.length > 0) zip.addBuffer(Buffer.from(`${missing.join('\n')}\n`), 'missing.txt', { mtime });
  await addStream(
    zip,
    Readable.from(runMetadata(deps, run, { deleted: false }), { objectMode: false }),
    'metadata.json',
    {
      mtime,
      compress: true,
    },
  );
  zip.end();
}

interface Target {
  zip: ZipFile;
  names: Set<string>;
  missing: string[];
  signal: AbortSignal;
}

async function addItem(
  deps: Deps,
  run: Run,
  { id, createdAt }: { id: string; createdAt: string },
  { zip, names, missing, signal }: Target,
): Promise<void> {
  const item = await findDeliveredItem(deps.db, id);
  const locations = item?.locations ?? [];
  if (!item || item.deletedAt !== null || locations.length === 0) return;
  const place = placeInRun(run, locations);
  const wanted = place.in === 'nowhere' ? (item.storageKey?.split('/').at(-1) ?? item.id) : place.filename;
  const name = names.has(wanted) ? `${item.id}-${wanted}` : wanted;
  names.add(name);
  try {
    const content = await openContent(deps, item, await contentLocations(deps, item), undefined, signal);
    await addStream(zip, content.stream, name, {
      mtime: new Date(createdAt),
      compress: false,
      size: content.bytes,
    });
  } catch (error) {
    if (!isAppError(error, 'content_missing', 'content_pending', 'not_stored', 'not_found')) throw error;
    missing.push(`${name}: ${error.message}`);
  }
}

/** Resolves when the entry has been read to its end, so that the next one is opened only then. */
function addStream(
  zip: ZipFile,
  source: Readable,
  name: string,
  options: { mtime: Date; compress: boolean; size?: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    source.once('end', resolve);
    source.once('error', reject);
    source.once('close', () => reject(new Error(`${name} broke off`)));
    zip.addReadStream(source, name, options);
  });
}
