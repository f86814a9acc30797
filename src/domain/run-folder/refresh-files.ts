import type { MediaItem } from '../../db/item-columns.ts';
import { takeLease } from '../../db/leases.ts';
import { locationsOfMany } from '../../db/objects/locations.ts';
import { runItems } from '../../db/runs/run-outputs.ts';
import {
  type Run,
  type RunFilesState,
  findRunFiles,
  findRunFilesDue,
  postponeRunFiles,
  secondsToNextDueRun,
  setRunFilesWritten,
  setRunStore,
  takeDueRuns,
} from '../../db/runs/runs.ts';
import { type RunFile, runFolder } from '../../storage/keys.ts';
import { largeTextsPassed } from '../../storage/streams/minor-gc.ts';
import type { Store } from '../../storage/stores/store.ts';
import { openBody } from '../bytes/incoming-body.ts';
import type { Deps } from '../deps.ts';
import { placeInRun, runEntry, runHead } from './write-metadata.ts';

export type RunFilesDeps = Pick<Deps, 'db' | 'stores' | 'log'>;

/** Time limit of one write of all files; the lease outlives it, so there is one writer at a time. */
const WRITE_MS = 60_000;
/** Time limit for a caller: its change is already safe, and a worker retries. */
const CALLER_MS = 10_000;
/** Largest metadata.json, in bytes, that is written while a caller waits. */
const CALLER_BYTES = 256 * 1024;
const LEASE_SECONDS = 120;
/** Times one writer rewrites the files while others keep changing the run; then they are left to a worker or the next caller. */
const MAX_ROUNDS = 5;
/** A file up to this size is sent with its length. */
const SMALL_BYTES = 4 * 1024 * 1024;
const PAGE = 100;
const PAGE_BYTES = 256 * 1024;
const FIRST_DELAY_SECONDS = 5;
const LONGEST_DELAY_SECONDS = 300;

/**
 * Brings the files of a run up to date, after a commit that changed it. Never throws: a failure is recorded and a worker retries.
 * If another writer is active, it writes this change as well, or leaves it to a worker. A large metadata.json is left to a
 * worker, which writes it once for many changes; with `even` it is written here, because the run has ended.
 */
export async function refreshRun(
  deps: RunFilesDeps,
  runId: string | null | undefined,
  even: 'small' | 'large' = 'small',
): Promise<void> {
  if (runId === null || runId === undefined) return;
  try {
    await writeRunFiles(deps, runId, {
      again: false,
      ms: CALLER_MS,
      mostBytes: even === 'large' ? Number.POSITIVE_INFINITY : CALLER_BYTES,
    });
  } catch (error) {
    deps.log.warn({ err: error, runId }, 'the files of a run could not be looked at; a worker will');
  }
}

/**
 * Writes the files of runs that are due, and starts none after the time `end`, in milliseconds. Safe to run in several processes.
 * Returns how many were written and how many failed.
 */
export async function writeDueRunFiles(
  deps: RunFilesDeps,
  signal?: AbortSignal,
  end = Infinity,
): Promise<{ written: number; failed: number }> {
  const report = { written: 0, failed: 0 };
  while (signal?.aborted !== true && Date.now() < end) {
    const due = await takeDueRuns(deps.db, 10);
    for (const runId of due) {
      const done = await writeRunFiles(deps, runId, { again: true, ms: WRITE_MS, mostBytes: Number.POSITIVE_INFINITY });
      if (done) report.written += 1;
      else report.failed += 1;
    }
    if (due.length < 10) break;
  }
  return report;
}

/** Seconds until the files of a run are due; undefined when none are. */
export function secondsToNextRunFiles(deps: Pick<Deps, 'db'>): Promise<number | undefined> {
  return secondsToNextDueRun(deps.db);
}

/**
 * False when they are not up to date: the write failed, another writer is active, or the run keeps changing. `again`: write them
 * even if they are current.
 */
async function writeRunFiles(
  deps: RunFilesDeps,
  runId: string,
  { again, ms, mostBytes }: { again: boolean; ms: number; mostBytes: number },
): Promise<boolean> {
  for (let round = 0; ; round += 1) {
    const first = round === 0;
    const before = await findRunFilesDue(deps.db, runId);
    if (!before || (before.written && !(first && again))) return true;
    if (round === MAX_ROUNDS || before.metadataBytes > mostBytes) return false;
    const lease = await takeLease(deps.db, `run ${runId}`, LEASE_SECONDS);
    // The holder checks again after releasing the lease, and finds this change.
    if (!lease) return false;
    try {
      const state = await findRunFiles(deps.db, runId);
      const texts = state?.textsDue === true || (first && again);
      if (state && !(await writeOnce(deps, state, { texts, ms }))) return false;
    } finally {
      await lease.release();
    }
  }
}

async function writeOnce(
  deps: RunFilesDeps,
  { run, revision, attempts }: RunFilesState,
  { texts, ms }: { texts: boolean; ms: number },
): Promise<boolean> {
  try {
    const store = await storeOf(deps, run);
    const signal = AbortSignal.timeout(ms);
    if (texts || store.name !== run.store) {
      await putText(store, run.id, 'input_text.txt', run.inputText, signal);
      if (run.transformedText !== null)
        await putText(store, run.id, 'transformed_text.txt', run.transformedText, signal);
    }
    // Last, because it names the other files.
    const pieces = runMetadata(deps, { ...run, store: store.name });
    const metadataBytes = await put(store, run.id, 'metadata.json', pieces, signal);
    await setRunFilesWritten(deps.db, run.id, { revision, metadataBytes });
    return true;
  } catch (error) {
    const seconds = Math.min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** attempts);
    deps.log.warn({ err: error, runId: run.id, seconds }, 'the files of a run could not be written; it is tried again');
    const reason = error instanceof Error ? error.message : String(error);
    await postponeRunFiles(deps.db, run.id, { seconds, error: reason.slice(0, 500) });
    return false;
  }
}

/** The run's store; the primary one when it is no longer configured. */
async function storeOf(deps: RunFilesDeps, run: Run): Promise<Store> {
  if (deps.stores.has(run.store)) return deps.stores.get(run.store);
  await setRunStore(deps.db, run.id, deps.stores.primary.name);
  return deps.stores.primary;
}

async function putText(store: Store, runId: string, name: RunFile, text: string, signal: AbortSignal): Promise<void> {
  await put(store, runId, name, [text], signal);
}

/** Replaces a file of the run. Returns its bytes. */
async function put(
  store: Store,
  runId: string,
  name: RunFile,
  pieces: AsyncIterable<string> | Iterable<string>,
  signal: AbortSignal,
): Promise<number> {
  let written = 0;
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      const chunk = Buffer.from(piece);
      written += chunk.length;
      yield chunk;
    }
  }
  const body = await openBody(bytes(), { headBytes: SMALL_BYTES });
  const head = body.head();
  await store.put(runFolder(runId) + name, {
    body: body.read(),
    contentType: name.endsWith('.json') ? 'application/json' : 'text/plain; charset=utf-8',
    ...(head.complete && { size: head.bytes.length }),
    overwrite: true,
    signal,
  });
  return written;
}

/** metadata.json in chunks: items are read in pages, so that a large run needs little memory. */
export async function* runMetadata(
  deps: Pick<Deps, 'db'>,
  run: Run,
  { deleted = true }: { deleted?: boolean } = {},
): AsyncGenerator<string> {
  yield JSON.stringify(runHead(run), undefined, 2).slice(0, -2);
  let others = false;
  let comma = '';
  yield ',\n  "outputs": [';
  for await (const { item, entry } of entries(deps, run, deleted)) {
    if (isOutput(item, entry)) {
      yield comma + indented(entry);
      comma = ',';
    } else others = true;
  }
  yield comma === '' ? ']' : '\n  ]';
  // Failures, external items and deleted ones: no outputs for a reader, but rows that a rebuild needs.
  if (others) {
    comma = '';
    yield ',\n  "records": [';
    for await (const { item, entry } of entries(deps, run, deleted)) {
      if (isOutput(item, entry)) continue;
      yield comma + indented(entry);
      comma = ',';
    }
    yield '\n  ]';
  }
  yield '\n}\n';
}

function isOutput(item: MediaItem, entry: object): boolean {
  return 'filename' in entry && item.deletedAt === null;
}

/** Indents an entry for readers; not a large one, because that makes another copy of it. */
function indented(entry: object): string {
  const compact = JSON.stringify(entry);
  if (compact.length > MAX_INDENTED) return `\n    ${compact}`;
  return `\n    ${JSON.stringify(entry, undefined, 2).replaceAll('\n', '\n    ')}`;
}
const MAX_INDENTED = 64 * 1024;

async function* entries(deps: Pick<Deps, 'db'>, run: Run, deleted: boolean) {
  let after: { createdAt: string; id: string } | undefined;
  let limit = PAGE;
  for (;;) {
    const { items, more } = await runItems(deps.db, run, { after, limit, deleted, maxBytes: PAGE_BYTES });
    // Of large items, read only as many as will probably fit.
    limit = Math.min(PAGE, Math.max(2, items.length * 2));
    const locations = await locationsOfMany(
      deps.db,
      items.map((item) => item.id),
    );
    for (const item of items) {
      // Written texts of large items are garbage that V8 sees no need to collect.
      largeTextsPassed(item.prompt.length);
      const own = locations.get(item.id) ?? [];
      yield { item, entry: runEntry(item, placeInRun(run, own), own) };
    }
    after = items.at(-1);
    if (!more) return;
  }
}
