import { rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { type PutOptions, StorageError } from '../driver.ts';
import { type DurableFolders, assertInside, prepareFolder } from './paths.ts';
import { type Temporary, openTemporary } from './temporary.ts';
import { type WritePart, gather, gatherBytes, syncFolder, writeParts } from './write.ts';
import { linkAsNew } from './new-file.ts';

/** How long a mount check stays valid. */
const STILL_MOUNTED_MS = 20;

interface Parts {
  first: WritePart;
  parts: AsyncGenerator<WritePart, undefined>;
}

/**
 * Writes files below `root`: next to the final place, made durable, and only then linked to the final name. A body that fits into
 * one part is complete before the file is opened, and takes the fewest calls: each through libuv's pool costs more than the
 * copying.
 */
export function createLocalPut(
  root: string,
  { checkMounted, fileMode }: { checkMounted: () => Promise<void>; fileMode?: number | undefined },
): (final: string, body: AsyncIterable<Uint8Array>, options: PutOptions) => Promise<{ bytes: number }> {
  const known: DurableFolders = new Set();
  let writers = 0;

  /** In a known folder, opens at once; where the descriptor really lies is checked afterwards in any case. */
  async function openIn(folder: string, open: () => Promise<Temporary>): Promise<Temporary> {
    if (known.has(folder)) {
      try {
        return await open();
      } catch (error) {
        // The folder was removed.
        if (codeOf(error) !== 'ENOENT') throw error;
        known.delete(folder);
      }
    }
    await prepareFolder(root, folder, known);
    return open();
  }

  async function write(final: string, { first, parts }: Parts, { overwrite = false }: PutOptions) {
    const folder = path.dirname(final);
    const { temp, handle, leave } = await openIn(folder, () => openTemporary(final, overwrite));
    let closing: Promise<void> | undefined;
    const close = () => (closing ??= handle.close());
    try {
      // open() follows a symlinked parent, so check where the descriptor really lies.
      await assertInside(handle, temp, root);
      if (fileMode !== undefined) await handle.chmod(fileMode);
      const bytes = await writeParts(handle, first, parts);
      await handle.datasync();
      let beside = false;
      if (overwrite) {
        await rename(temp, final);
        await leave();
      } else beside = await linkWithoutReplacing(temp, final);
      // If a crash brings the temporary name back, it does no harm: it is the same file, and deleting the key removes both.
      await Promise.all([syncFolder(folder), beside && unlink(temp), close()]);
      return { bytes };
    } catch (error) {
      await close().catch(() => {});
      await unlink(temp).catch(() => {});
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

/** As `linkAsNew`, with this driver's error for existing keys. */
async function linkWithoutReplacing(temp: string, final: string): Promise<boolean> {
  return linkAsNew(temp, final).catch((cause: unknown) => {
    if (codeOf(cause) !== 'EEXIST') throw cause;
    throw new StorageError('EXISTS', 'There is an object of that key already', { cause });
  });
}
