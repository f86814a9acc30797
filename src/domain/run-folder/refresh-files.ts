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

/** One write of all files takes at most this long; the lease outlives it, so two never write at once. */
const WRITE_MS = 60_000;
/** A caller waits no longer: its change is safe, and a worker has more patience. */
const CALLER_MS = 10_000;
/** Bytes of a metadata.json that is written while a caller waits. */
const CALLER_BYTES = 256 * 1024;
const LEASE_SECONDS = 120;
/** So often one writes for others who go on changing the run; what is left then is due, for a worker or the next who changes it. */
const MAX_ROUNDS = 5;
/** A file up to this size is sent with its length. */
const SMALL_BYTES = 4 * 1024 * 1024;
const PAGE = 100;
const PAGE_BYTES = 256 * 1024;
const FIRST_DELAY_SECONDS = 5;
const LONGEST_DELAY_SECONDS = 300;

/**
 * Brings the files of a run up to date, after a commit that has touched it. Never throws: what fails is noted, and a worker tries
 * again. When another is at work, that one writes this change as well, or leaves it to a worker. A large metadata.json is always left to
 * a worker, which writes it once for many changes; `even`: also a large one, because the run has come to its end.
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
 * Writes the files of runs that are due, and begins none after the time `end`, in milliseconds. Any number of processes may do so at
 * once. Answers how many were done and failed.
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

/** Seconds until the files of a run are due; undefined when none wait. */
export function secondsToNextRunFiles(deps: Pick<Deps, 'db'>): Promise<number | undefined> {
  return secondsToNextDueRun(deps.db);
}

/** False when they do not tell all: they could not be written, somebody else is at it, or the run changes all the time. `again`: also when they have been written already. */
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
    // Its holder looks once more when it has given it back, and finds this change.
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
    // Last: what it names is there.
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

/** metadata.json, piece by piece: items are read in pages, so that a run of many is no burden. */
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
  // Failures, items that were only recorded, and deleted ones: no outputs to a reader, but rows to be made again.
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

/** An entry indented for readers; a large one is not, because indenting makes another copy of it. */
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
    // Of large items only as many are looked at as will probably fit.
    limit = Math.min(PAGE, Math.max(2, items.length * 2));
    const locations = await locationsOfMany(
      deps.db,
      items.map((item) => item.id),
    );
    for (const item of items) {
      // What has been written of large items waits for a collection that the heap sees no need of.
      largeTextsPassed(item.prompt.length);
      const own = locations.get(item.id) ?? [];
      yield { item, entry: runEntry(item, placeInRun(run, own), own) };
    }
    after = items.at(-1);
    if (!more) return;
  }
}
