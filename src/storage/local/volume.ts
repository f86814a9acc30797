import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, realpath, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { type DriverContext, StorageError } from '../driver.ts';
import { ignoreMissing } from './paths.ts';
import { syncFolder } from './write.ts';
import { createNewFile } from './new-file.ts';

/** Contains the volume's identity; keys cannot begin with a dot. */
const SENTINEL = '.mediakeep-volume';
const INTERRUPTED = /^\.mediakeep-(volume\.[0-9a-f-]{36}\.part|probe-[0-9a-f-]{36})$/;
const STALE_MS = 3600_000;

/** A folder that is verified to be the same volume as before. */
export interface Volume {
  /** Absolute, without symbolic links. */
  path: string;
  identity: string;
}

/** Creates or opens the folder: a volume that this service has used before must still be the same one. */
export async function openVolume(folder: string, context: DriverContext): Promise<Volume> {
  const refuse = (problem: string, cause?: unknown) =>
    new StorageError(
      'UNAVAILABLE',
      `The folder ${folder} of store '${context.store}' (its setting ROOT, ${context.store.toUpperCase().replaceAll('-', '_')}_ROOT) ${problem}`,
      { cause },
    );
  await makeRoot(folder).catch((error: unknown) => {
    throw refuse('cannot be made', error);
  });
  const root = await realpath(folder);
  const sentinel = path.join(root, SENTINEL);
  await removeInterrupted(root);
  const registered = await context.registeredIdentity();
  let identity = await readSentinel(sentinel);
  if (identity === undefined && registered !== undefined) {
    throw refuse(
      `is not the volume that it was (${SENTINEL} is missing): mount the volume; if the files were moved by hand, write ${registered} into ${sentinel}`,
    );
  }
  if (identity === undefined) {
    // If another replica was first, its identity is read below.
    await createNewFile(sentinel, `${randomUUID()}\n`).catch((error: unknown) => {
      throw refuse('cannot be written to', error);
    });
    await syncFolder(root);
    identity = await readSentinel(sentinel);
    if (identity === undefined) throw refuse(`holds an unreadable ${SENTINEL}`);
  }
  const owner = await context.registerIdentity(identity);
  if (owner !== identity)
    throw refuse(`holds volume ${identity}, but this store's is ${owner}: mount the right volume`);
  return { path: root, identity };
}

/** Removes what starts and checks left that were killed in the middle. */
async function removeInterrupted(root: string): Promise<void> {
  const names = await readdir(root).catch(() => []);
  for (const name of names.filter((one) => INTERRUPTED.test(one))) {
    const file = path.join(root, name);
    const found = await stat(file).catch(ignoreMissing);
    // A younger one may be another replica's, which is starting.
    if (found && Date.now() - found.mtimeMs > STALE_MS) await unlink(file).catch(ignoreMissing);
  }
}

async function readSentinel(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(ignoreMissing);
  return text?.trim() || undefined;
}

/** Below an unmounted mount point is an ordinary, empty folder; the next mount hides what is written there. */
export function mountCheck(volume: Volume): () => Promise<void> {
  const sentinel = path.join(volume.path, SENTINEL);
  let seen = '';
  let looking: Promise<void> | undefined;
  const look = async () => {
    const found = await stat(sentinel).catch(ignoreMissing);
    const stamp = found ? `${found.dev}:${found.ino}:${found.ctimeMs}` : '';
    if (stamp !== '' && stamp === seen) return;
    if (!found || (await readSentinel(sentinel)) !== volume.identity) {
      throw new StorageError(
        'UNAVAILABLE',
        `${volume.path} is not the volume ${volume.identity} (any more): is it mounted?`,
      );
    }
    seen = stamp;
  };
  // Concurrent callers share one check.
  return () => (looking ??= look().finally(() => (looking = undefined)));
}

/** mkdir's own `recursive` never returns where a parent exists and still reports "not found" (as /proc does). */
async function makeRoot(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    const parent = path.dirname(folder);
    if (code !== 'ENOENT' || parent === folder || (await stat(parent).catch(ignoreMissing))) throw error;
    await makeRoot(parent);
    await mkdir(folder);
  }
}
