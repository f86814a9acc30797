import { randomUUID } from 'node:crypto';
import { type Stats, constants } from 'node:fs';
import { type FileHandle, open, realpath, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../errors.ts';
import { type ByteRange, type Driver, type DriverContext, type GetResult, StorageError } from './driver.ts';
import { listBelow } from './local-list.ts';
import { assertInside, ignoreMissing, isInside } from './local-paths.ts';
import { removeTemporaries } from './local-temporary.ts';
import { FileStream } from './file-stream.ts';
import { createLocalPut } from './local-put.ts';
import { syncFolder } from './local-write.ts';
import { mountCheck, openVolume } from './local-volume.ts';
import { Whole } from './whole.ts';

export interface LocalOptions {
  /** Folder that holds everything; a disk or a network volume. */
  root: string;
  /** Absolute paths under which the same volume is mounted elsewhere. */
  mountAliases: readonly string[];
}

/** A file up to this size is read in one go: a stream would cost more than the reading. */
const READ_AT_ONCE = 256 * 1024;
async function readPart(handle: FileHandle, start: number, bytes: number): Promise<Buffer> {
  const data = Buffer.allocUnsafeSlow(bytes);
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await handle.read(data, at, bytes - at, start + at);
    if (bytesRead === 0) throw new StorageError('UNAVAILABLE', 'The file became shorter while it was read');
    at += bytesRead;
  }
  return data;
}

/**
 * Files below one folder. A file is written beside its final place, made durable, and only then linked to its name,
 * so that a name always stands for whole, durable bytes.
 */
export async function createLocalDriver(options: LocalOptions, context: DriverContext): Promise<Driver> {
  const root = await openVolume(options.root, context);
  const checkMounted = mountCheck(root);
  const resolve = (key: string) => path.join(root.path, key);
  const put = createLocalPut(root.path, checkMounted);

  return {
    place: `volume ${root.identity}`,
    mounts: { own: [path.resolve(options.root), root.path], aliases: options.mountAliases },
    capabilities: {
      range: { able: true, reason: 'Files can be read from any byte.' },
      presignGet: { able: false, reason: 'A folder has no web server; the service signs URLs of its own.' },
      presignPut: { able: false, reason: 'A folder has no web server; the service takes the bytes itself.' },
      publicUrl: { able: false, reason: 'The service itself serves /uploads/.' },
      list: { able: true, reason: 'Folders can be read.' },
      maxObjectBytes: undefined,
    },

    put: (key, body, options) => put(resolve(key), body, options),

    async get(key, { range, signal } = {}): Promise<GetResult | undefined> {
      const opened = await openFile(resolve(key), root.path);
      if (!opened) return missing(checkMounted);
      const { handle, found } = opened;
      try {
        const { size } = found;
        const { start, end } = range ?? ({ start: 0, end: size - 1 } satisfies ByteRange);
        const bytes = Math.max(0, end - start + 1);
        if (bytes <= READ_AT_ONCE) {
          const data = await readPart(handle, start, bytes);
          signal?.throwIfAborted();
          // Nobody has to wait for that, and nothing depends on it.
          handle.close().catch(() => {});
          return new Whole(data, size);
        }
        const stream = new FileStream(handle, { start, bytes }, signal);
        return { stream, bytes, totalBytes: size };
      } catch (error) {
        await handle.close();
        throw error;
      }
    },

    async stat(key) {
      const opened = await openFile(resolve(key), root.path);
      if (!opened) return missing(checkMounted);
      await opened.handle.close();
      return { bytes: opened.found.size, modifiedAt: opened.found.mtime };
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
      // An unmounted volume is an empty folder: "no objects" would be a lie that a reconciliation acts upon.
      await checkMounted();
      return listBelow(root.path, prefix, cursor);
    },

    async healthy() {
      await checkMounted();
      const probe = path.join(root.path, `.mediakeep-probe-${randomUUID()}`);
      await writeFile(probe, '');
      await unlink(probe);
    },
  };
}

/** A file that is not there means "no such object" only while the volume itself is there. */
async function missing(checkMounted: () => Promise<void>): Promise<undefined> {
  await checkMounted();
  return undefined;
}

/** Opens a regular file for reading; undefined when there is none. Never waits on a FIFO, never follows a link at the end. */
async function openFile(file: string, root: string): Promise<{ handle: FileHandle; found: Stats } | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO')
      throw new StorageError('NOT_A_FILE', 'The object is a symbolic link, a socket or a device', { cause: error });
    return ignoreMissing(error);
  }
  try {
    await assertInside(handle, file, root);
    const found = await handle.stat();
    if (!found.isFile()) throw new StorageError('NOT_A_FILE', 'The object is not a regular file');
    return { handle, found };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
