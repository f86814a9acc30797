import type { MediaItem } from '../../db/item-columns.ts';
import { createHash } from 'node:crypto';
import { asAppError } from '../database-failure.ts';
import { AppError, isAppError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { ingest } from '../ingest/ingest.ts';
import { findKnown } from './find-imported.ts';
import type { ImportRecord } from './import-record.ts';
import { objectSources } from '../ingest/object-references.ts';
import { rollBack } from '../scenes/scenes.ts';
import { type Source, base64Source } from '../bytes/source.ts';

export interface ImportRecordsOptions {
  concurrency: number;
  /** Aborting lets running records finish and starts no more. */
  signal: AbortSignal;
  onProgress: (done: number) => void;
}

export interface ImportRecordsSummary {
  records: number;
  stored: number;
  /** Their bytes were unavailable; a worker retries. */
  pending: number;
  /** Stored by an earlier run. */
  present: number;
  failed: { line: number; reason: string }[];
  seconds: number;
  interrupted: boolean;
}

const IMPORTER: Caller = { sub: 'mediakeep import-records', scopes: new Set(['media:admin']) };

/** A record, or why its line is invalid. */
export type Line = { line: number } & ({ record: ImportRecord } | { problem: string });

/**
 * Stores records, each in a separate transaction. A run may be interrupted and repeated: a record is recognised by its
 * externalId, or else by its whole line. Versions of one scene are stored one after the other, in the order of the file.
 */
export async function importRecords(
  deps: Deps,
  lines: AsyncIterable<Line>,
  options: ImportRecordsOptions,
): Promise<ImportRecordsSummary> {
  const started = performance.now();
  const summary: ImportRecordsSummary = {
    records: 0,
    stored: 0,
    pending: 0,
    present: 0,
    failed: [],
    seconds: 0,
    interrupted: false,
  };
  const currents = new Map<string, MediaItem>();
  const running = new Set<Promise<void>>();
  /** The last running record of each scene, and of each externalId. */
  const last = new Map<string, Promise<void>>();
  let failure: { error: unknown } | undefined;
  for await (const line of lines) {
    if (failure) break;
    if (options.signal.aborted) {
      summary.interrupted = true;
      break;
    }
    summary.records += 1;
    const names = sequencesOf(line);
    const before = names.flatMap((name) => last.get(name) ?? []);
    const work = Promise.all(before)
      .then(async () => {
        if (failure) return;
        await importOne(deps, line, summary, currents);
        options.onProgress(summary.stored + summary.pending + summary.present + summary.failed.length);
      })
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => {
        running.delete(work);
        for (const name of names) if (last.get(name) === work) last.delete(name);
      });
    running.add(work);
    for (const name of names) last.set(name, work);
    if (running.size >= options.concurrency) await Promise.race(running);
  }
  // Running records finish, even when one of them has met an error that ends the run.
  await Promise.all(running);
  if (failure) throw failure.error;
  for (const item of currents.values()) await makeCurrent(deps, item);
  summary.seconds = (performance.now() - started) / 1000;
  return summary;
}

/** Records of one scene, and those of one externalId, are stored one after the other. */
function sequencesOf(line: Line): string[] {
  const scene = sceneOf(line);
  const own = 'record' in line ? `id ${line.record.userId ?? ''} ${externalIdOf(line.record)}` : undefined;
  return [...(scene === undefined ? [] : [`scene ${scene}`]), ...(own === undefined ? [] : [own])];
}

/** A record's identity: its externalId, or all of its content. */
function externalIdOf({ isCurrent: _isCurrent, ...record }: ImportRecord): string {
  return record.externalId ?? `record:${createHash('sha256').update(JSON.stringify(record)).digest('hex')}`;
}

function sceneOf(line: Line): string | undefined {
  if (!('record' in line)) return undefined;
  const { projectId, sceneId } = line.record;
  return projectId === undefined || sceneId === undefined ? undefined : `${projectId.toLowerCase()} ${sceneId}`;
}

async function importOne(
  deps: Deps,
  line: Line,
  summary: ImportRecordsSummary,
  currents: Map<string, MediaItem>,
): Promise<void> {
  try {
    if ('problem' in line) throw new AppError('invalid_request', line.problem);
    const { isCurrent, ...record } = line.record;
    const { item, known } = await storeRecord(deps, record);
    if (known) summary.present += 1;
    else if (item.status === 'pending') summary.pending += 1;
    else summary.stored += 1;
    const scene = sceneOf(line);
    if (isCurrent === true && scene !== undefined) currents.set(scene, item);
  } catch (thrown) {
    const error = asAppError(thrown);
    // An error that affects every record ends the run instead of being reported for each.
    if (isAppError(error, 'database_unavailable', 'storage_full')) throw error;
    summary.failed.push({ line: line.line, reason: error instanceof Error ? error.message : String(error) });
  }
}

async function storeRecord(deps: Deps, record: ImportRecord): Promise<{ item: MediaItem; known: boolean }> {
  const { source, ...fields } = record;
  const { userId } = fields;
  if (userId === undefined) throw new AppError('invalid_request', "Whose is it? The record has no 'userId'.");
  const externalId = externalIdOf(record);
  const candidates = await sourcesOf(deps, source);
  const known = await findKnown(deps, { ...record, userId, externalId }, candidates);
  if (known) return { item: known, known: true };
  let failure: unknown = new AppError('not_found', 'No store of this service has that path or key.');
  for (const candidate of candidates) {
    try {
      const input = { ...fields, externalId };
      const { item } = await ingest(deps, { caller: IMPORTER, input, source: candidate, keepPending: true });
      return { item, known: false };
    } catch (error) {
      if (source?.type !== 'path' || !isAppError(error, 'not_found')) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function sourcesOf(deps: Deps, source: ImportRecord['source']): Promise<Source[]> {
  if (source === undefined) return [{ type: 'none' }];
  if (source.type === 'path')
    return objectSources(deps, source.path).flatMap((each) => (each.type === 'object' ? [each] : []));
  if (source.type !== 'base64') return [source];
  return [await base64Source(source.data, 'import')];
}

async function makeCurrent(deps: Deps, { projectId, sceneId, version }: MediaItem): Promise<void> {
  if (projectId === null || sceneId === null || version === null) return;
  await rollBack(deps, IMPORTER, { projectId, sceneId }, version);
}
