import type { Run } from '../../db/runs/runs.ts';
import { findRun } from '../../db/runs/runs.ts';
import { AppError, isAppError } from '../../errors.ts';
import { RUN_FILES } from '../../storage/keys.ts';
import type { Store } from '../../storage/stores/store.ts';
import { type RunMetadata, parseRunMetadata } from '../run-folder/parse-metadata.ts';
import { checkUserId } from '../items/item-fields.ts';
import { type RunFolder, readText, runFolders } from '../run-folder/list-folders.ts';
import { type CheckedItem, type RebuildDeps, checkItem } from './rebuild-item.ts';
import type { RebuiltRun } from './rebuild-commit.ts';
import { checkJsonObject, checkText } from '../items/text-limits.ts';
import { workThrough } from '../work-through.ts';

export interface RebuildOptions {
  /** The store whose folders are read. */
  from: string;
  /** Only runs of this user; also the owner of runs that name none and have no row. */
  user?: string | undefined;
  /** Files that metadata.json does not name become items, too. */
  takeUnnamed: boolean;
  /** Makes the rows of a folder; undefined in a dry run. */
  commit: ((found: RebuiltRun) => Promise<void>) | undefined;
  concurrency: number;
  /** Aborting lets running folders finish and starts no more. */
  signal: AbortSignal;
  onProgress: (folders: number, note: string) => void;
}

export interface RebuildSummary {
  folders: number;
  /** Runs and items whose rows were inserted, or would be in a dry run. */
  runs: number;
  items: number;
  bytes: number;
  /** Items that already had a row. */
  present: number;
  failed: { path: string; reason: string }[];
  /** Files that no metadata.json names and that were skipped. */
  unnamed: string[];
  seconds: number;
  interrupted: boolean;
}

/** Maximum bytes of a run's texts. */
const MAX_TEXT = 256 * 1024;
const MAX_WORD = 255;
const MAX_METADATA_BYTES = 64 * 1024;

/**
 * Restores the rows of runs and their items from the folders in a store. Each folder is one transaction, after its files have
 * been read and compared. Existing rows are left unchanged, so a run may be interrupted and repeated. No file is changed or
 * moved.
 * @throws AppError unknown_store, store_unavailable (listing)
 */
export async function rebuildRuns(deps: RebuildDeps, options: RebuildOptions): Promise<RebuildSummary> {
  const started = performance.now();
  const store = deps.stores.get(options.from);
  const summary: RebuildSummary = {
    folders: 0,
    runs: 0,
    items: 0,
    bytes: 0,
    present: 0,
    failed: [],
    unnamed: [],
    seconds: 0,
    interrupted: false,
  };
  const folders = runFolders(store, (key) => summary.unnamed.push(key));
  await workThrough(folders, options, async (folder) => {
    await rebuildFolder(deps, store, folder, options, summary);
    summary.folders += 1;
    options.onProgress(summary.folders, folder.runId);
  });
  summary.interrupted = options.signal.aborted;
  summary.seconds = (performance.now() - started) / 1000;
  return summary;
}

async function rebuildFolder(
  deps: RebuildDeps,
  store: Store,
  folder: RunFolder,
  options: RebuildOptions,
  summary: RebuildSummary,
): Promise<void> {
  const path = `runs/${folder.runId}`;
  const failed = (file: string | undefined, error: unknown) =>
    summary.failed.push({
      path: file === undefined ? path : `${path}/${file}`,
      reason: isAppError(error) ? error.message : String(error),
    });
  try {
    const found = await readFolder(store, folder, options);
    const known = await findRun(deps.db, folder.runId);
    // A folder of an older system names no owner; an earlier rebuild with `--user` may have assigned one.
    const userId = found.userId ?? known?.userId ?? options.user;
    if (userId === undefined)
      throw new AppError('invalid_request', 'metadata.json names no user_id; say whose the run is: --user ID.');
    if (options.user !== undefined && userId !== options.user) return;
    const run = runRow(folder, found, userId, store);
    if (known && known.userId !== userId)
      throw new AppError('object_taken', 'There is a run of that id, and it belongs to another user.');
    const unnamed = unnamedFiles(folder, found);
    if (options.takeUnnamed) found.items.push(...unnamed.map((filename) => bare(filename)));
    else summary.unnamed.push(...unnamed.map((filename) => `${path}/${filename}`));
    summary.unnamed.push(...folder.deeper);
    const { checked, present, bad } = await checkItems(deps, store, folder, { run, found, failed });
    summary.present += present;
    const rewrite = bad === 0 && ((options.takeUnnamed && unnamed.length > 0) || known !== undefined);
    await options.commit?.({ run, items: checked, files: [...folder.files.keys()], rewrite });
    if (!known) summary.runs += 1;
    summary.items += checked.length;
    summary.bytes += checked.reduce((sum, { bytes }) => sum + (bytes?.bytes ?? 0), 0);
  } catch (error) {
    // Run the command again when the store is back; the folder is unchanged.
    failed(undefined, error);
  }
}

/** Sequential, because each file is read whole. An unavailable store fails the folder; an invalid file fails only itself. */
async function checkItems(
  deps: RebuildDeps,
  store: Store,
  folder: RunFolder,
  {
    run,
    found,
    failed,
  }: { run: Omit<Run, 'updatedAt'>; found: RunMetadata; failed: (file: string, error: unknown) => void },
): Promise<{ checked: CheckedItem[]; present: number; bad: number }> {
  const checked: CheckedItem[] = [];
  const seen = new Set<string>();
  let present = 0;
  let bad = 0;
  for (const item of found.items) {
    try {
      const result = await checkItem(deps, store, folder, run, item);
      if (result === 'present') present += 1;
      else if (result.bytes === undefined || !seen.has(result.bytes.store + result.bytes.key)) checked.push(result);
      if (result !== 'present' && result.bytes) seen.add(result.bytes.store + result.bytes.key);
    } catch (error) {
      if (!isAppError(error) || isAppError(error, 'store_unavailable', 'database_unavailable', 'overloaded'))
        throw error;
      bad += 1;
      failed(item.filename ?? 'metadata.json', error);
    }
  }
  return { checked, present, bad };
}

async function readFolder(store: Store, folder: RunFolder, options: RebuildOptions): Promise<RunMetadata> {
  const text = await readText(store, folder, 'metadata.json');
  if (text === undefined && !(options.takeUnnamed && options.user !== undefined))
    throw new AppError(
      'invalid_json',
      'There is no metadata.json; with --take-unnamed and --user its files are taken all the same.',
    );
  const found = parseRunMetadata(text ?? '{}');
  // A folder that was copied or renamed would count as another run.
  if (found.runId !== undefined && found.runId !== folder.runId)
    throw new AppError('invalid_json', 'metadata.json is about another run: its run_id is not the name of the folder.');
  found.inputText ??= (await readText(store, folder, 'input_text.txt', MAX_TEXT)) ?? '';
  found.transformedText ??= await readText(store, folder, 'transformed_text.txt', MAX_TEXT);
  return found;
}

/** @throws AppError invalid_request, invalid_text, too_large */
function runRow(folder: RunFolder, found: RunMetadata, userId: string, store: Store): Omit<Run, 'updatedAt'> {
  checkUserId(userId);
  const { inputText = '', transformedText = null, schema, executionMode, safetyLevel } = found;
  checkText('input_text', inputText, MAX_TEXT);
  if (transformedText !== null) checkText('transformed_text', transformedText, MAX_TEXT);
  for (const [name, word] of Object.entries({ schema, executionMode, safetyLevel }))
    if (word !== undefined) checkText(name, word, MAX_WORD);
  return {
    id: folder.runId,
    userId,
    inputText,
    transformedText,
    schema: schema ?? null,
    executionMode: executionMode ?? null,
    safetyLevel: safetyLevel ?? null,
    metadata: checkJsonObject('metadata', found.metadata, MAX_METADATA_BYTES),
    store: store.name,
    completedAt: found.completedAt ?? null,
    createdAt: found.timestamp ?? new Date().toISOString(),
  };
}

function unnamedFiles(folder: RunFolder, found: RunMetadata): string[] {
  const named = new Set<string>([...RUN_FILES, ...found.items.flatMap(({ filename = '' }) => filename)]);
  return [...folder.files.keys()].filter((name) => !named.has(name));
}

function bare(filename: string): RunMetadata['items'][number] {
  const none = undefined;
  return {
    id: none,
    filename,
    store: none,
    bytes: none,
    sha256: none,
    mimeType: none,
    external: none,
    createdAt: none,
    updatedAt: none,
    deletedAt: none,
    input: {},
  };
}
