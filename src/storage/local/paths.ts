import { readlinkSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';
import type { Files } from './files.ts';
import type { FileSystem } from './traits.ts';

/** For `.catch`: undefined when the file or a folder above it does not exist. */
export function ignoreMissing(error: unknown): undefined {
  const code = codeOf(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
}

/** Whether a real path is `root` or lies below it. */
export function isInside(real: string, root: string): boolean {
  return real === root || real.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
}

/** @throws StorageError OUTSIDE when an opened file lies outside of `root`. */
export async function assertInside(handle: FileHandle, opened: string, root: string, files: Files): Promise<void> {
  const real = descriptorPath(handle.fd) ?? (await files.realpath(opened));
  if (!isInside(real, root)) throw outside();
}

/**
 * /proc reports a descriptor's path from memory, at once, whatever the volume's state. Elsewhere the path must be resolved again,
 * which is the best available there.
 */
function descriptorPath(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

function outside(): StorageError {
  return new StorageError('OUTSIDE', 'The path leads outside of the volume through a symbolic link');
}

/** Folders whose names are known to be durable; bounded, because the number of users is not. */
export type DurableFolders = Set<string>;
const MAX_REMEMBERED = 10_000;

/**
 * Creates a folder below `root` and its missing parents, and makes each one's entry in its parent durable, even if another upload
 * created it: it may not have reached the disk yet. The existing part is resolved first, because mkdir follows symbolic links and
 * would create folders wherever they lead.
 * @throws StorageError OUTSIDE, NOT_A_FILE
 */
export async function prepareFolder(
  folder: string,
  { root, files, system, durable }: { root: string; files: Files; system: FileSystem; durable: DurableFolders },
): Promise<void> {
  for (let at = folder; ; at = path.dirname(at)) {
    const real = await files.realpath(at).catch(missingPart);
    if (real === undefined) {
      // A dangling link is not a missing folder. (A folder that exists by now was created by another writer.)
      if ((await files.lstat(at).catch(missingPart))?.isSymbolicLink() === true) throw outside();
      continue;
    }
    if (!isInside(real, root)) throw outside();
    break;
  }
  await files.mkdir(folder, { recursive: true }).catch((error: unknown) => {
    if (codeOf(error) === 'EEXIST')
      throw new StorageError('NOT_A_FILE', 'A folder of the key is a file', { cause: error });
    throw error;
  });
  for (let at = folder; at !== root; at = path.dirname(at)) await system.sync(path.dirname(at));
  if (durable.size >= MAX_REMEMBERED) durable.clear();
  durable.add(folder);
}

function missingPart(error: unknown): undefined {
  if (codeOf(error) === 'ENOTDIR')
    throw new StorageError('NOT_A_FILE', 'A folder of the key is a file', { cause: error });
  return ignoreMissing(error);
}
