import { randomUUID } from 'node:crypto';
import { realpath, statfs, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Driver, type DriverContext, StorageError } from '../driver.ts';
import { listBelow } from './list.ts';
import { readFrom, statOf } from './get.ts';
import { ignoreMissing, isInside } from './paths.ts';
import { removeTemporaries } from './temporary.ts';
import { createLocalPut } from './put.ts';
import { syncFolder } from './write.ts';
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
 * Files below one folder. A file is written next to its final place, made durable, and only then linked to its name, so that a
 * name always stands for complete, durable bytes.
 */
export async function createLocalDriver(options: LocalOptions, context: DriverContext): Promise<Driver> {
  const root = await openVolume(options.root, context);
  const checkMounted = mountCheck(root);
  const resolve = (key: string) => path.join(root.path, key);
  const put = createLocalPut(root.path, { checkMounted, fileMode: options.fileMode });

  return {
    place: `volume ${root.identity}`,
    mounts: { own: [path.resolve(options.root), root.path], aliases: options.mountAliases },
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

    async get(key, options) {
      return (await readFrom(resolve(key), root.path, options)) ?? missing(checkMounted);
    },

    async stat(key) {
      const found = await statOf(resolve(key), root.path);
      return found ? { bytes: found.size, modifiedAt: found.mtime } : missing(checkMounted);
    },

    async delete(key) {
      await checkMounted();
      const final = resolve(key);
      const folder = path.dirname(final);
      const real = await realpath(folder).catch(ignoreMissing);
      if (real === undefined) return;
      if (!isInside(real, root.path)) throw new StorageError('OUTSIDE', `${key} leads outside of the volume`);
      await removeTemporaries(final);
      await unlink(final).catch(ignoreMissing);
      await syncFolder(folder);
    },

    async list(prefix, cursor) {
      // An unmounted volume is an empty folder: a reconciliation would act on the false "no objects".
      await checkMounted();
      return listBelow(root.path, prefix, cursor);
    },

    async space() {
      const { bavail, blocks, bsize } = await statfs(root.path);
      return { free: bavail * bsize, total: blocks * bsize };
    },

    async healthy() {
      await checkMounted();
      const probe = path.join(root.path, `.mediakeep-probe-${randomUUID()}`);
      await writeFile(probe, '');
      await unlink(probe);
    },
  };
}

/** A missing file means "no such object" only while the volume itself is mounted. */
async function missing(checkMounted: () => Promise<void>): Promise<undefined> {
  await checkMounted();
  return undefined;
}
