import type { FileHandle } from 'node:fs/promises';
import { codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';
import type { Files } from './files.ts';
import { ignoreMissing } from './paths.ts';
import { type FileSystem, NO_HARD_LINKS } from './traits.ts';

export interface Written {
  /** Created exclusively under a name that follows from `final`: only its creator may give the final name away. */
  temp: string;
  final: string;
  bytes: number;
  handle: FileHandle;
  close: () => Promise<void>;
}

/*
 * Both ways need the temporary file, which one writer of a key can create:
 *
 *   link:    link(temp, final) fails if there is a file ──> unlink(temp)
 *   rename:  is there a file? ──> rename(temp, final); a second writer of the key cannot come between, for it lacks `temp`
 *
 * A crash leaves nothing, `temp`, `temp` and the whole object (link alone), or the whole object. Never a part, nor an empty claim.
 */

/**
 * Gives a whole, synced file its final name, without replacing another. Returns whether the temporary name still exists, too.
 * @throws StorageError EXISTS, UNAVAILABLE
 */
export async function nameAsNew(written: Written, files: Files, system: FileSystem): Promise<boolean> {
  const { noLinks } = await system.current();
  if (noLinks === undefined && (await linked(written, files, system))) return true;
  await renameAsNew(written, files);
  return false;
}

/** False: the file system makes no links (any more). */
async function linked({ temp, final, handle }: Written, files: Files, system: FileSystem): Promise<boolean> {
  try {
    await files.link(temp, final);
    return true;
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (code === 'EEXIST') {
      // An NFS client that had to repeat its request sees its own link.
      if ((await handle.stat()).nlink > 1) return true;
      throw exists(error);
    }
    if (!NO_HARD_LINKS.has(code)) throw error;
    system.forget();
    const { noLinks } = await system.current().catch((cause: unknown) => {
      throw cause instanceof StorageError ? cause : error;
    });
    if (noLinks === undefined) throw error;
    return false;
  }
}

async function renameAsNew({ temp, final, bytes, close }: Written, files: Files): Promise<void> {
  // Some FUSE mounts write when a file is closed, and rename an open one later.
  await close();
  if (await files.lstat(final).catch(ignoreMissing)) throw exists();
  const { size } = await files.lstat(temp);
  if (size !== bytes) throw new StorageError('UNAVAILABLE', `The file has ${size} bytes after ${bytes} were written`);
  await files.rename(temp, final);
}

function exists(cause?: unknown): StorageError {
  return new StorageError('EXISTS', 'There is an object of that key already', { cause });
}
