import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { type Driver, type DriverContext, StorageError } from '../driver.ts';
import { openFileSystem } from './file-system.ts';
import { type Files, systemFiles } from './files.ts';
import { listBelow } from './list.ts';
import { readFrom, statOf } from './get.ts';
import { ignoreMissing, isInside } from './paths.ts';
import { removeTemporaries } from './temporary.ts';
import { createLocalPut } from './put.ts';
import { createSpelling } from './spelling.ts';
import { PROBE } from './traits.ts';
import { mountCheck, openVolume } from './volume.ts';

export interface LocalOptions {
  /** Folder of all objects, on a disk or a network volume. */
  root: string;
  /** Absolute paths at which the same volume is mounted elsewhere. */
  mountAliases: readonly string[];
  /** The service serves its objects under `/uploads/`; only one store's. */
  served?: boolean;
  /** Mode of new files; undefined: 0644 less the umask. */
  fileMode?: number;
}

/**
 * Files below one folder. A file is written next to its final place, made durable, and only then given its name, so that a name
 * always stands for complete, durable bytes. `files` is the file system, for tests.
 */
export async function createLocalDriver(
  options: LocalOptions,
  context: DriverContext,
  files: Files = systemFiles,
): Promise<Driver> {
  const volume = await openVolume(options.root, context, files);
  const root = volume.path;
  const system = await openFileSystem(root, files, context);
  const checkMounted = mountCheck(volume, files, system.forget);
  const resolve = (key: string) => path.join(root, key);
  const place = (key: string) => ({ file: resolve(key), root, files });
  const spellingOf = createSpelling(root, files, system);
  /** Spelled differently, a key names no object. */
  const isMisspelled = async (key: string) => (await spellingOf(resolve(key))) === 'different';
  const checkSpelling = async (final: string) => {
    if ((await spellingOf(final)) === 'different') throw misspelled();
  };
  async function find<T>(key: string, look: () => Promise<T | undefined>): Promise<T | undefined> {
    if (!(await isMisspelled(key))) {
      // Mounts without links are FUSE mounts most often, where a file that is being replaced cannot be opened for a moment.
      for (let tries = system.known().noLinks === undefined ? 1 : 5; tries > 0; tries -= 1) {
        const found = await look();
        if (found !== undefined) return found;
      }
    }
    // A missing file means "no such object" only while the volume itself is mounted.
    await checkMounted();
    return undefined;
  }
  const put = createLocalPut(root, { files, system, checkMounted, checkSpelling, fileMode: options.fileMode });

  return {
    place: `volume ${volume.identity}`,
    mounts: { own: [path.resolve(options.root), root], aliases: options.mountAliases },
    shared: true,
    ...(options.served === true && {
      servedPath: (key) => `/uploads/${key.split('/').map(encodeURIComponent).join('/')}`,
    }),
    capabilities: {
      range: { able: true, reason: 'Files can be read from any byte.' },
      presignGet: { able: false, reason: 'A folder has no web server; the service signs URLs of its own.' },
      presignPut: { able: false, reason: 'A folder has no web server; the service takes the bytes itself.' },
      publicUrl: { able: false, reason: 'The service itself serves /uploads/.' },
      list: { able: true, reason: 'Folders can be read.' },
      maxObjectBytes: undefined,
    },

    put: (key, body, options) => put(resolve(key), body, options),

    get: (key, options) => find(key, () => readFrom(place(key), options)),

    async stat(key) {
      const found = await find(key, () => statOf(place(key)));
      return found && { bytes: found.size, modifiedAt: found.mtime };
    },

    async delete(key) {
      await checkMounted();
      if (await isMisspelled(key)) return;
      const final = resolve(key);
      const folder = path.dirname(final);
      const real = await files.realpath(folder).catch(ignoreMissing);
      if (real === undefined) return;
      if (!isInside(real, root)) throw new StorageError('OUTSIDE', `${key} leads outside of the volume`);
      await removeTemporaries(final, files, system);
      await files.unlink(final).catch(ignoreMissing);
      await system.sync(folder);
    },

    async list(prefix, cursor) {
      // An unmounted volume is an empty folder: a reconciliation would act on the false "no objects".
      await checkMounted();
      const page = await listBelow({ root, files, composed: system.known().ignoresForm }, prefix, cursor);
      // It may have gone away meanwhile.
      await checkMounted();
      return page;
    },

    remark: system.description,

    async space() {
      const { bavail, blocks, bsize } = await files.statfs(root);
      return { free: bavail * bsize, total: blocks * bsize };
    },

    async healthy() {
      await checkMounted();
      const probe = path.join(root, PROBE + randomUUID());
      await files.writeFile(probe, '');
      await files.unlink(probe);
    },
  };
}

function misspelled(): StorageError {
  return new StorageError(
    'NOT_A_FILE',
    'The volume ignores case or Unicode form, and has a name of the key in another spelling',
  );
}
