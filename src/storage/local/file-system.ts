import path from 'node:path';
import { causeOf } from '../../errors.ts';
import { type DriverContext, StorageError } from '../driver.ts';
import type { Files } from './files.ts';
import { findsOtherCase, probeTraits } from './probe.ts';
import { type FileSystem, type Traits, describeTraits } from './traits.ts';
import { syncFolder } from './write.ts';
import { SENTINEL, folderOfStore } from './volume.ts';

/** The folder of a store, and what its file system can do. @throws StorageError MISCONFIGURED */
export async function openFileSystem(root: string, files: Files, context: DriverContext): Promise<FileSystem> {
  let known: Traits = {
    noLinks: undefined,
    noFolderSync: undefined,
    ignoresCase: await findsOtherCase(path.join(root, SENTINEL), files),
    ignoresForm: false,
  };
  let description: string | undefined;
  let fresh = false;
  let trying: Promise<Traits> | undefined;
  const tryNow = async () => {
    known = await probeTraits(root, files).catch((error: unknown) => {
      if (!(error instanceof StorageError)) throw error;
      const { code, cause, message } = error;
      throw new StorageError(
        code,
        `${folderOfStore(root, context.store)} cannot keep objects safely: ${message}; use another folder or mount`,
        { cause },
      );
    });
    fresh = true;
    const now = describeTraits(known);
    if (now !== description) context.log('info', `store '${context.store}' opened its file system: ${now}`, { root });
    description = now;
    return known;
  };
  const system: FileSystem = {
    // Concurrent callers share one try.
    current: async () => (fresh ? known : (trying ??= tryNow().finally(() => (trying = undefined)))),
    known: () => known,
    forget: () => void (fresh = false),
    description: () => description,
    folded(name) {
      const formed = known.ignoresForm ? name.normalize('NFC') : name;
      return known.ignoresCase ? formed.normalize('NFC').toLowerCase() : formed;
    },
    sync: (folder) => syncFolder(folder, files, known.noFolderSync),
  };
  await system.current().catch((error: unknown) => {
    if (error instanceof StorageError) throw error;
    // A volume that is full or read-only still serves.
    context.log(
      'warn',
      `store '${context.store}' cannot be written (${causeOf(error)}); reads go on, and the first write finds out what the file system can do`,
      { root },
    );
  });
  return system;
}
