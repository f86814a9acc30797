import { type Stats, constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { codeOf } from '../../errors.ts';
import { type GetOptions, type GetResult, StorageError } from '../driver.ts';
import { FileStream } from '../streams/file-stream.ts';
import { type Files, retryStale } from './files.ts';
import { assertInside, ignoreMissing } from './paths.ts';
import { BufferedObject } from '../streams/buffered-object.ts';

/** A file up to this size is read in one go: a stream would cost more than the read. */
const READ_AT_ONCE = 256 * 1024;

/** A file of the volume, which may be missing. */
export interface Place {
  file: string;
  root: string;
  files: Files;
}

/**
 * The bytes of a regular file, or a part of them; undefined when there is none. @throws StorageError NOT_A_FILE, OUTSIDE,
 * UNAVAILABLE
 */
export function readFrom(place: Place, options?: GetOptions): Promise<GetResult | undefined> {
  return retryStale(() => readOnce(place, options));
}

async function readOnce(
  place: Place,
  { range, bytes: expected, signal }: GetOptions = {},
): Promise<GetResult | undefined> {
  const handle = await openFile(place);
  if (!handle) return undefined;
  // Not awaited: nothing depends on it.
  const close = () => void handle.close().catch(() => {});
  try {
    const data = range ? undefined : await readExpected(handle, expected);
    signal?.throwIfAborted();
    if (data) {
      close();
      return new BufferedObject(data, data.length);
    }
    const found = await statOfFile(handle);
    const { size } = found;
    // A file that has become shorter is no failure of the volume: the caller gets its size, and learns that these bytes do not
    // exist.
    if (range && range.end >= size) {
      close();
      return new BufferedObject(Buffer.alloc(0), size);
    }
    const { start, end } = range ?? { start: 0, end: size - 1 };
    const bytes = Math.max(0, end - start + 1);
    if (bytes > READ_AT_ONCE) {
      const stream = new FileStream(handle, { start, bytes }, { signal, reopen: () => reopen(place, found) });
      const sendTo = stream.sendTo.bind(stream);
      return { stream, sendTo, bytes, totalBytes: size, version: versionOf(found) };
    }
    const part = await readPart(handle, start, bytes);
    signal?.throwIfAborted();
    close();
    return new BufferedObject(part, size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** `stat` of a regular file; undefined when there is none. @throws StorageError NOT_A_FILE, OUTSIDE */
export function statOf(place: Place): Promise<Stats | undefined> {
  return retryStale(async () => {
    const handle = await openFile(place);
    if (!handle) return undefined;
    try {
      return await statOfFile(handle);
    } finally {
      await handle.close();
    }
  });
}

/** Opens a file for reading; undefined when there is none. Never blocks on a FIFO, never follows a link at the end. */
async function openFile({ file, root, files }: Place): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await files.open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO')
      throw new StorageError('NOT_A_FILE', 'The object is a symbolic link, a socket or a device', { cause: error });
    return ignoreMissing(error);
  }
  try {
    await assertInside(handle, file, root, files);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The same bytes by a new look-up; undefined when the file has become another one. */
async function reopen(place: Place, before: Stats): Promise<FileHandle | undefined> {
  const handle = await openFile(place);
  if (!handle) return undefined;
  const now = await handle.stat();
  if (now.size === before.size && now.mtimeMs === before.mtimeMs) return handle;
  await handle.close();
  return undefined;
}

async function statOfFile(handle: FileHandle): Promise<Stats> {
  const found = await handle.stat();
  if (!found.isFile()) throw new StorageError('NOT_A_FILE', 'The object is not a regular file');
  return found;
}

/** Changes with every write; resetting the times changes ctime. */
function versionOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs, ctimeMs].join(' ');
}

/** Reads a small file of the expected size in one call; undefined when the size differs or it is no file: then it must be examined. */
async function readExpected(handle: FileHandle, bytes: number | undefined): Promise<Buffer | undefined> {
  // An empty file reads like a pipe without a writer.
  if (bytes === undefined || bytes === 0 || bytes > READ_AT_ONCE) return undefined;
  // One byte more, to detect a larger file.
  const data = Buffer.allocUnsafeSlow(bytes + 1);
  const { bytesRead } = await handle.read(data, 0, data.length, 0).catch(() => ({ bytesRead: undefined }));
  return bytesRead === bytes ? data.subarray(0, bytes) : undefined;
}

async function readPart(handle: FileHandle, start: number, bytes: number): Promise<Buffer> {
  const data = Buffer.allocUnsafeSlow(bytes);
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await handle.read(data, at, bytes - at, start + at);
    if (bytesRead === 0) throw new StorageError('UNAVAILABLE', 'The file became shorter while it was read');
    at += bytesRead;
  }
  return data;
}
