import { type FileHandle, open } from 'node:fs/promises';
import { codeOf } from '../errors.ts';
import { abortable } from './abortable.ts';

/** A trip through libuv's pool costs more than copying: small chunks are gathered up to this size and written at once. */
const GATHER_BYTES = 512 * 1024;
const MIN_GATHER_BYTES = 64 * 1024;
/** What all writers together hold in memory, about. */
const BUDGET_BYTES = 64 * 1024 * 1024;

/** Bytes to be gathered for one write; less when many, maybe slow, writers are at it: each has two parts at a time. */
export function gatherBytes(writers: number): number {
  return Math.min(GATHER_BYTES, Math.max(MIN_GATHER_BYTES, Math.floor(BUDGET_BYTES / (2 * Math.max(1, writers)))));
}

/**
 * Writes all of `body` from the file's start; answers the number of bytes. One part is written while the next one is gathered (and
 * hashed on its way here), so at most two are in memory.
 * @throws the body's own error, the signal's reason, or the file system's error.
 */
export async function writeAll(
  handle: FileHandle,
  body: AsyncIterable<Uint8Array>,
  { signal, gatherBytes: most }: { signal?: AbortSignal | undefined; gatherBytes: () => number },
): Promise<number> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  let written = 0;
  let writing: Promise<void> | undefined;
  const flush = async () => {
    await writing;
    const part = gathered;
    gathered = [];
    bytes = 0;
    writing = writeChunks(handle, part).then((count) => void (written += count));
    // Whoever waits for it hears of a failure; until then nobody does.
    writing.catch(() => {});
  };
  try {
    for await (const chunk of abortable(body, signal)) {
      if (chunk.length === 0) continue;
      gathered.push(chunk);
      bytes += chunk.length;
      if (bytes >= most()) await flush();
    }
    signal?.throwIfAborted();
    if (bytes > 0) await flush();
  } finally {
    // The file must not be closed under a write.
    await writing?.catch(() => {});
  }
  await writing;
  return written;
}

async function writeChunks(handle: FileHandle, chunks: Uint8Array[]): Promise<number> {
  let written = 0;
  for (let at = 0; at < chunks.length;) {
    const { bytesWritten } = await handle.writev(chunks.slice(at, at + 512));
    written += bytesWritten;
    // A short write (a full disk answers with one before it fails) continues in the middle of a chunk.
    let left = bytesWritten;
    while (left > 0) {
      const chunk = chunks[at] as Uint8Array;
      if (left >= chunk.length) {
        left -= chunk.length;
        at += 1;
      } else {
        chunks[at] = chunk.subarray(left);
        left = 0;
      }
    }
  }
  return written;
}

/**
 * Makes new names in folders durable, for many writers at once: those who come while a folder is being synced share the next sync,
 * because the running one may have begun before their name was there.
 */
export function createFolderSync(
  sync: (folder: string) => Promise<void> = syncFolder,
): (folder: string) => Promise<void> {
  const running = new Map<string, { now: Promise<void>; next: Promise<void> | undefined }>();
  const begin = (folder: string): Promise<void> => {
    const now = sync(folder);
    const state = { now, next: undefined };
    running.set(folder, state);
    const ended = () => {
      if (running.get(folder) === state) running.delete(folder);
    };
    now.then(ended, ended);
    return now;
  };
  return (folder) => {
    const state = running.get(folder);
    if (!state) return begin(folder);
    state.next ??= state.now.then(
      () => begin(folder),
      () => begin(folder),
    );
    return state.next;
  };
}

/** Makes new names in a folder durable. Some file systems cannot sync a folder; there the rename alone has to do. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR'].includes(codeOf(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
}
