import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { type DriverContext, StorageError } from '../driver.ts';
import type { Files } from './files.ts';
import { createNewFile } from './new-file.ts';
import { ignoreMissing } from './paths.ts';
import { syncFolder } from './write.ts';

/** Contains the volume's identity; keys cannot begin with a dot. */
export const SENTINEL = '.mediakeep-volume';
const INTERRUPTED = /^\.mediakeep-(volume\.([0-9a-f-]{36}\.part|claim)|probe-[0-9a-f-]{36}(\..+)?)$/;
const STALE_MS = 3600_000;

/** A folder that is verified to be the same volume as before. */
export interface Volume {
  /** Absolute, without symbolic links. */
  path: string;
  identity: string;
}

/** How messages to operators begin. */
export function folderOfStore(folder: string, store: string): string {
  return `The folder ${folder} of store '${store}' (its setting ROOT, ${store.toUpperCase().replaceAll('-', '_')}_ROOT)`;
}

/** Creates or opens the folder: a volume that this service has used before must still be the same one. */
export async function openVolume(folder: string, context: DriverContext, files: Files): Promise<Volume> {
  const refuse = (problem: string, cause?: unknown) =>
    new StorageError('UNAVAILABLE', `${folderOfStore(folder, context.store)} ${problem}`, { cause });
  const unused = () =>
    new StorageError(
      'UNUSED',
      `${folderOfStore(folder, context.store)} has not been used yet; the first start makes it`,
    );
  const lookOnly = context.lookOnly === true;
  const registered = await context.registeredIdentity();
  if (lookOnly && registered === undefined && !(await files.stat(folder).catch(ignoreMissing))) throw unused();
  if (!lookOnly)
    await makeRoot(folder, files).catch((error: unknown) => {
      throw refuse('cannot be made', error);
    });
  const root = await files.realpath(folder).catch((error: unknown) => {
    throw refuse('cannot be found', error);
  });
  const sentinel = path.join(root, SENTINEL);
  if (!lookOnly) await removeInterrupted(root, files);
  let identity = await readSentinel(sentinel, files);
  if (identity === undefined && registered !== undefined) {
    throw refuse(
      `is not the volume that it was (${SENTINEL} is missing): mount the volume; if the files were moved by hand, write ${registered} into ${sentinel}`,
    );
  }
  if (identity === undefined && lookOnly) throw unused();
  if (identity === undefined) {
    // If another replica was first, its identity is read below.
    await createNewFile(sentinel, `${randomUUID()}\n`, { files }).catch((error: unknown) => {
      throw refuse('cannot be written to', error);
    });
    // A mount that cannot sync folders says EIO.
    await syncFolder(root, files, 'EIO');
    identity = await readSentinel(sentinel, files);
    if (identity === undefined) throw refuse(`holds an unreadable ${SENTINEL}`);
  }
  const owner = lookOnly ? (registered ?? identity) : await context.registerIdentity(identity);
  if (owner !== identity)
    throw refuse(`holds volume ${identity}, but this store's is ${owner}: mount the right volume`);
  return { path: root, identity };
}

/** Removes what starts and checks left that were killed in the middle. */
async function removeInterrupted(root: string, files: Files): Promise<void> {
  const names = await files.readdir(root).catch(() => []);
  for (const name of names.filter((one) => INTERRUPTED.test(one))) {
    const file = path.join(root, name);
    const found = await files.lstat(file).catch(ignoreMissing);
    // A younger one may be another replica's, which is starting.
    if (found && Date.now() - found.mtimeMs > STALE_MS) await files.rm(file, { recursive: true, force: true });
  }
}

async function readSentinel(file: string, files: Files): Promise<string | undefined> {
  const text = await files.readFile(file, 'utf8').catch(ignoreMissing);
  return text?.trim() || undefined;
}

/**
 * Below an unmounted mount point is an ordinary, empty folder; the next mount hides what is written there. `onMount` is called
 * when the volume is back, or is another mount of itself.
 */
export function mountCheck(volume: Volume, files: Files, onMount: () => void = () => {}): () => Promise<void> {
  const sentinel = path.join(volume.path, SENTINEL);
  let seen = '';
  let device: number | undefined;
  let gone = false;
  let looking: Promise<void> | undefined;
  const look = async () => {
    const found = await files.stat(sentinel).catch(ignoreMissing);
    const stamp = found ? `${found.dev}:${found.ino}:${found.ctimeMs}` : '';
    if (stamp !== '' && stamp === seen && !gone) return;
    if (!found || (await readSentinel(sentinel, files)) !== volume.identity) {
      throw new StorageError(
        'UNAVAILABLE',
        `${volume.path} is not the volume ${volume.identity} (any more): is it mounted?`,
      );
    }
    if (gone || (device !== undefined && device !== found.dev)) onMount();
    gone = false;
    device = found.dev;
    seen = stamp;
  };
  const lookOnce = async () => {
    try {
      await look();
    } catch (error) {
      gone = true;
      throw error;
    } finally {
      looking = undefined;
    }
  };
  // Concurrent callers share one check.
  return () => (looking ??= lookOnce());
}

/** mkdir's own `recursive` never returns where a parent exists and still reports "not found" (as /proc does). */
async function makeRoot(folder: string, files: Files): Promise<void> {
  const parent = path.dirname(folder);
  if (parent !== folder && !(await files.stat(parent).catch(ignoreMissing))) await makeRoot(parent, files);
  try {
    await files.mkdir(folder);
  } catch (error) {
    // Another replica may make it at the same moment.
    if (codeOf(error) !== 'EEXIST' || !(await files.stat(folder)).isDirectory()) throw error;
  }
}
