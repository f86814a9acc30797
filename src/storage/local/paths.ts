import { readlinkSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';
import { syncFolder } from './write.ts';

/** For `.catch`: undefined when the file or a folder above it is not there. */
export function ignoreMissing(error: unknown): undefined {
  const code = codeOf(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
}

/** Whether a real path is `root` or lies below it. */
export function isInside(real: string, root: string): boolean {
  return real === root || real.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
}

/** @throws StorageError OUTSIDE when an opened file lies outside of `root`. */
export async function assertInside(handle: FileHandle, opened: string, root: string): Promise<void> {
  const real = descriptorPath(handle.fd) ?? (await realpath(opened));
  if (!isInside(real, root)) throw outside();
}

/**
 * /proc tells where a descriptor lies, from memory: at once, whatever the volume does. Elsewhere the path has to be looked up again,
 * which is the best that can be had there.
 */
export function descriptorPath(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

function outside(): StorageError {
  return new StorageError('OUTSIDE', 'The path leads outside of the volume through a symbolic link');
}

/** Folders whose names are known to be durable; bounded, because users are not. */
export type DurableFolders = Set<string>;
const MAX_REMEMBERED = 10_000;

/**
 * Makes a folder below `root` and what is missing above it, each one's entry in its parent durable, whoever made it:
 * one that another upload has just made may not have reached the disk yet. Where the existing part
 * lies is looked at first: mkdir follows symbolic links and would make folders wherever they lead.
 * @throws StorageError OUTSIDE, NOT_A_FILE
 */
export async function prepareFolder(root: string, folder: string, durable: DurableFolders): Promise<void> {
  for (let at = folder; ; at = path.dirname(at)) {
    const real = await realpath(at).catch(missingPart);
    if (real === undefined) {
      // A link that leads nowhere is no missing folder. (One that is there by now was made by another writer.)
      if ((await lstat(at).catch(missingPart))?.isSymbolicLink() === true) throw outside();
      continue;
    }
    if (!isInside(real, root)) throw outside();
    break;
  }
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    if (codeOf(error) === 'EEXIST')
      throw new StorageError('NOT_A_FILE', 'A folder of the key is a file', { cause: error });
    throw error;
  });
  for (let at = folder; at !== root; at = path.dirname(at)) await syncFolder(path.dirname(at));
  if (durable.size >= MAX_REMEMBERED) durable.clear();
  durable.add(folder);
}

function missingPart(error: unknown): undefined {
  if (codeOf(error) === 'ENOTDIR')
    throw new StorageError('NOT_A_FILE', 'A folder of the key is a file', { cause: error });
  return ignoreMissing(error);
}
