import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';
import { ignoreMissing } from './paths.ts';

export interface Temporary {
  temp: string;
  handle: FileHandle;
  /** To be called when the file has been renamed or removed. */
  leave: () => Promise<void>;
}

/** After this long without a write, what a killed overwrite has left is removed by the next one. */
const STALE_MS = 3600_000;
const NEW_FILE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
/**
 * File systems (`statfs`) that make each write of a file opened with O_DSYNC durable. Not every one does: to a volume of FUSE, as network
 * volumes often are, the kernel passes the flag on without asking for a sync.
 */
const HONOUR_DSYNC = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0xf2f52010, // F2FS
  0x2fc12fc1, // ZFS
  0x01021994, // tmpfs
]);

/** Whether files below a folder can be opened so that each write is durable when it returns. macOS means less by the flag, Windows has none. */
export async function hasDurableWrites(folder: string): Promise<boolean> {
  return process.platform === 'linux' && HONOUR_DSYNC.has((await statfs(folder)).type);
}

/**
 * Opens a new file beside `final`. A key that is written once has one temporary name, told from the key, so that whoever
 * deletes the key finds what a crash has left. A key that may be replaced has a hidden folder of them, so that writers who
 * overlap, or one that was killed, do not stand in each other's way.
 * @param durable whether each write is to be durable by itself, which has to be known to work there
 * @throws StorageError EXISTS when somebody else is writing that key just now
 */
export async function openTemporary(
  final: string,
  { overwrite, durable }: { overwrite: boolean; durable: boolean },
): Promise<Temporary> {
  const flags = durable ? NEW_FILE | constants.O_DSYNC : NEW_FILE;
  if (overwrite) return openInFolder(replacementsOf(final), flags);
  const temp = temporaryName(final);
  try {
    return { temp, handle: await open(temp, flags, 0o644), leave: async () => {} };
  } catch (error) {
    if (codeOf(error) === 'EEXIST')
      throw new StorageError('EXISTS', 'Somebody is writing an object of that key', { cause: error });
    throw error;
  }
}

async function openInFolder(folder: string, flags: number): Promise<Temporary> {
  const temp = path.join(folder, randomUUID());
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(folder).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error;
      });
      await removeStale(folder);
      const leave = () => rmdir(folder).catch(() => {});
      return { temp, handle: await open(temp, flags, 0o644), leave };
    } catch (error) {
      // Another writer that was done removed the folder in between. (The one above it is the caller's to make, and to make durable.)
      if (codeOf(error) !== 'ENOENT' || attempt === 10) throw error;
    }
  }
}

async function removeStale(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const found = await stat(file).catch(ignoreMissing);
    if (found && Date.now() - found.mtimeMs > STALE_MS) await unlink(file).catch(ignoreMissing);
  }
}

/** Removes whatever interrupted writes of a key have left. */
export async function removeTemporaries(final: string): Promise<void> {
  await unlink(temporaryName(final)).catch(ignoreMissing);
  await rm(replacementsOf(final), { recursive: true, force: true });
}

/** The name of a file that is being written for a key. Starts with a dot, which no key's segment does. */
export function temporaryName(final: string): string {
  return path.join(path.dirname(final), `.${hashOf(final)}.part`);
}

function replacementsOf(final: string): string {
  return path.join(path.dirname(final), `.${hashOf(final)}.parts`);
}

function hashOf(final: string): string {
  return createHash('sha256').update(path.basename(final)).digest('hex').slice(0, 32);
}
