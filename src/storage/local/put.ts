import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { type PutOptions, StorageError } from '../driver.ts';
import { type DurableFolders, assertInside, prepareFolder } from './paths.ts';
import { type Temporary, openTemporary } from './temporary.ts';
import { type WritePart, gather, gatherBytes, writeParts } from './write.ts';
import type { Files } from './files.ts';
import type { FileSystem } from './traits.ts';
import { nameAsNew } from './new-name.ts';

/** How long a mount check stays valid. */
const STILL_MOUNTED_MS = 20;

interface Parts {
  first: WritePart;
  parts: AsyncGenerator<WritePart, undefined>;
}

export interface LocalPutOptions {
  files: Files;
  system: FileSystem;
  checkMounted: () => Promise<void>;
  /** Throws when names of the path have another spelling on the volume. */
  checkSpelling: (final: string) => Promise<void>;
  fileMode?: number | undefined;
}

/**
 * Writes files below `root`: next to the final place, made durable, and only then given the final name. A body that fits into
 * one part is complete before the file is opened, and takes the fewest calls: each through libuv's pool costs more than the
 * copying.
 */
export function createLocalPut(
  root: string,
  { files, system, checkMounted, checkSpelling, fileMode }: LocalPutOptions,
): (final: string, body: AsyncIterable<Uint8Array>, options: PutOptions) => Promise<{ bytes: number }> {
  const durable: DurableFolders = new Set();
  let writers = 0;

  /** In a known folder, opens at once; where the descriptor really lies is checked afterwards in any case. */
  async function openIn(folder: string, open: () => Promise<Temporary>): Promise<Temporary> {
    if (durable.has(folder)) {
      try {
        return await open();
      } catch (error) {
        // The folder was removed.
        if (codeOf(error) !== 'ENOENT') throw error;
        durable.delete(folder);
      }
    }
    await prepareFolder(folder, { root, files, system, durable });
    return open();
  }

  async function write(final: string, { first, parts }: Parts, { overwrite = false }: PutOptions) {
    const folder = path.dirname(final);
    const { temp, handle, leave } = await openIn(folder, () => openTemporary(final, overwrite, files, system));
    let closing: Promise<void> | undefined;
    const close = () => (closing ??= handle.close());
    try {
      // open() follows a symlinked parent, so check where the descriptor really lies.
      await assertInside(handle, temp, root, files);
      // Now the folder exists, and no other writer gives it its spelling.
      await checkSpelling(final);
      if (fileMode !== undefined) await handle.chmod(fileMode);
      const bytes = await writeParts(handle, first, parts);
      await handle.datasync();
      let beside = false;
      if (overwrite) {
        // Some FUSE mounts write when a file is closed, and rename an open one later.
        await close();
        await files.rename(temp, final);
        await leave();
      } else beside = await nameAsNew({ temp, final, bytes, handle, close }, files, system);
      // If a crash brings the temporary name back, it does no harm: it is the same file, and deleting the key removes both.
      await Promise.all([system.sync(folder), beside && files.unlink(temp), close()]);
      return { bytes };
    } catch (error) {
      await close().catch(() => {});
      await files.unlink(temp).catch(() => {});
      await leave();
      // Only a sweep removes a temporary file, after the lease of its upload has expired.
      if (codeOf(error) === 'ENOENT')
        throw new StorageError('UNAVAILABLE', 'The upload was given up while it was written', { cause: error });
      throw error;
    }
  }

  return async (final, body, options) => {
    writers += 1;
    const parts = gather(body, { most: (first) => gatherBytes(writers, first) });
    try {
      const began = performance.now();
      // An unmounted volume is reported at once, however slowly the body arrives.
      const [first] = await Promise.all([parts.next(), checkMounted()]);
      if (performance.now() - began > STILL_MOUNTED_MS) await checkMounted();
      return await write(final, { first: first.value as WritePart, parts }, options);
    } finally {
      writers -= 1;
      // Tells the sender to stop; not awaited, because it may hang.
      parts.return(undefined).catch(() => {});
    }
  };
}
