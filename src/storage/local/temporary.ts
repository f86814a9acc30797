import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';
import type { Files } from './files.ts';
import type { FileSystem } from './traits.ts';
import { ignoreMissing } from './paths.ts';

type Folding = Pick<FileSystem, 'folded'>;

export interface Temporary {
  temp: string;
  handle: FileHandle;
  /** Call it when the file has been renamed or removed. */
  leave: () => Promise<void>;
}

/** Leftovers of a killed overwrite are removed by the next one after this long without a write. */
const STALE_MS = 3600_000;
const NEW_FILE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
/**
 * Opens a new file next to `final`. A key that is written once has one temporary name, derived from the key, so that deleting the
 * key also finds the leftovers of a crash. A key that may be replaced has a hidden folder of them, so that concurrent or killed
 * writers do not interfere.
 * @throws StorageError EXISTS when another writer is writing that key
 */
export async function openTemporary(
  final: string,
  overwrite: boolean,
  files: Files,
  system: Folding,
): Promise<Temporary> {
  if (overwrite) return openInFolder(replacementsOf(final, system), files);
  const temp = temporaryName(final, system);
  try {
    return { temp, handle: await files.open(temp, NEW_FILE, 0o644), leave: async () => {} };
  } catch (error) {
    if (codeOf(error) === 'EEXIST')
      throw new StorageError('EXISTS', 'Somebody is writing an object of that key', { cause: error });
    throw error;
  }
}

async function openInFolder(folder: string, files: Files): Promise<Temporary> {
  const temp = path.join(folder, randomUUID());
  for (let attempt = 1; ; attempt += 1) {
    try {
      await files.mkdir(folder).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error;
      });
      await removeStale(folder, files);
      const leave = () => files.rmdir(folder).catch(() => {});
      return { temp, handle: await files.open(temp, NEW_FILE, 0o644), leave };
    } catch (error) {
      // Another writer that finished has removed the folder. (The caller creates the one above it durably.)
      if (codeOf(error) !== 'ENOENT' || attempt === 10) throw error;
    }
  }
}

async function removeStale(folder: string, files: Files): Promise<void> {
  for (const name of await files.readdir(folder)) {
    const file = path.join(folder, name);
    const found = await files.stat(file).catch(ignoreMissing);
    if (found && Date.now() - found.mtimeMs > STALE_MS) await files.unlink(file).catch(ignoreMissing);
  }
}

/** Removes the leftovers of interrupted writes of a key. */
export async function removeTemporaries(final: string, files: Files, system: Folding): Promise<void> {
  await files.unlink(temporaryName(final, system)).catch(ignoreMissing);
  await files.rm(replacementsOf(final, system), { recursive: true, force: true });
}

/** The temporary name of a key's file. Starts with a dot, which no key's segment does. */
export function temporaryName(final: string, system: Folding): string {
  return path.join(path.dirname(final), `.${hashOf(final, system)}.part`);
}

function replacementsOf(final: string, system: Folding): string {
  return path.join(path.dirname(final), `.${hashOf(final, system)}.parts`);
}

/** Of the folded name: keys that are one file have one temporary file, too. */
function hashOf(final: string, system: Folding): string {
  return createHash('sha256')
    .update(system.folded(path.basename(final)))
    .digest('hex')
    .slice(0, 32);
}
