import { type FileHandle, open } from 'node:fs/promises';
import { codeOf } from '../errors.ts';
import { abortable } from './abortable.ts';

/** A trip through libuv's pool costs more than copying: small chunks are gathered up to this size and written at once. */
const GATHER_BYTES = 512 * 1024;

/**
 * Writes all of `body` from the file's start; answers the number of bytes.
 * @throws the body's own error, the signal's reason, or the file system's error.
 */
export async function writeAll(
  handle: FileHandle,
  body: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  let waiting: Uint8Array[] = [];
  let gathered = 0;
  let written = 0;
  const flush = async () => {
    for (let at = 0; at < waiting.length;) {
      const { bytesWritten } = await handle.writev(waiting.slice(at, at + 512));
      written += bytesWritten;
      // A short write (a full disk answers with one before it fails) continues in the middle of a chunk.
      let left = bytesWritten;
      while (left > 0) {
        const chunk = waiting[at] as Uint8Array;
        if (left >= chunk.length) {
          left -= chunk.length;
          at += 1;
        } else {
          waiting[at] = chunk.subarray(left);
          left = 0;
        }
      }
    }
    waiting = [];
    gathered = 0;
  };
  for await (const chunk of abortable(body, signal)) {
    if (chunk.length === 0) continue;
    waiting.push(chunk);
    gathered += chunk.length;
    if (gathered >= GATHER_BYTES) await flush();
  }
  signal?.throwIfAborted();
  if (gathered > 0) await flush();
  return written;
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
