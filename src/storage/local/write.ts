import type { FileHandle } from 'node:fs/promises';
import { codeOf } from '../../errors.ts';
import { buffersPassed } from '../streams/minor-gc.ts';
import type { Files } from './files.ts';

/**
 * A call through libuv's thread pool costs more than copying, so chunks are gathered up to this size and written at once; most
 * pictures fit whole.
 */
const GATHER_BYTES = 1280 * 1024;
/** For the rest of larger files a smaller size does as well. */
const LATER_GATHER_BYTES = 512 * 1024;
const MIN_GATHER_BYTES = 64 * 1024;
/** Approximate memory of all writers together. */
const BUDGET_BYTES = 32 * 1024 * 1024;

/** Bytes to gather for one write; fewer with many, maybe slow, writers: each has two parts at a time. */
export function gatherBytes(writers: number, first: boolean): number {
  const share = Math.floor(BUDGET_BYTES / (2 * Math.max(1, writers)));
  return Math.min(first ? GATHER_BYTES : LATER_GATHER_BYTES, Math.max(MIN_GATHER_BYTES, share));
}

/** Chunks that are written at once. */
export interface WritePart {
  chunks: Uint8Array[];
  bytes: number;
  /** No part follows. */
  last: boolean;
}

/**
 * Gathers a body into parts to be written, at least one. Ask for the next part before writing one: it is gathered (and hashed)
 * concurrently, so at most two are in memory.
 * @throws the body's own error
 */
export async function* gather(
  body: AsyncIterable<Uint8Array>,
  { most }: { most: (first: boolean) => number },
): AsyncGenerator<WritePart, undefined> {
  let gathered = new Gathered();
  let first = true;
  for await (const chunk of body) {
    if (chunk.length === 0) continue;
    if (gathered.bytes >= most(first)) {
      yield gathered.asPart(false);
      first = false;
      gathered = new Gathered();
    }
    gathered.add(chunk);
  }
  yield gathered.asPart(true);
}

/** Smaller chunks are joined up to this size: kept separately, a single byte takes some 400 of memory. */
const SMALL_BYTES = 4096;
const MOST_SMALL = 256;

class Gathered {
  bytes = 0;
  readonly #chunks: Uint8Array[] = [];
  #small: Uint8Array[] = [];

  add(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (chunk.length >= SMALL_BYTES) {
      this.#join();
      this.#chunks.push(chunk);
    } else if (this.#small.push(chunk) === MOST_SMALL) this.#join();
  }

  asPart(last: boolean): WritePart {
    this.#join();
    return { chunks: this.#chunks, bytes: this.bytes, last };
  }

  #join(): void {
    const [first] = this.#small;
    if (first) this.#chunks.push(this.#small.length === 1 ? first : Buffer.concat(this.#small));
    this.#small = [];
  }
}

/** Appends parts one after the other; returns their bytes. @throws what `parts` throws, or the file system's error. */
export async function writeParts(
  handle: FileHandle,
  first: WritePart,
  parts: AsyncGenerator<WritePart, undefined>,
): Promise<number> {
  const ahead = new SyncAhead(handle);
  let written = 0;
  for (let part: WritePart | undefined = first; part;) {
    const writing = writeChunks(handle, part.chunks);
    // The file must not be closed during a write, and the waiting caller gets its failure.
    const next: Promise<IteratorResult<WritePart, undefined>> | undefined = part.last ? undefined : parts.next();
    next?.catch(() => {});
    written += await writing;
    ahead.wrote(written);
    // Released before a garbage collection that may come now; a file written at once is not worth one.
    part.chunks.length = 0;
    if (!part.last) buffersPassed(part.bytes);
    part = (await next)?.value;
  }
  await ahead.end();
  return written;
}

/** A large file is synced after each of these many bytes while the rest arrives, so that the final sync is short. */
const SYNC_BYTES = 16 * 1024 * 1024;
/** Leaves some of libuv's four threads to others. */
const MAX_SYNCS = 2;
let syncs = 0;

class SyncAhead {
  readonly #handle: FileHandle;
  #synced = 0;
  #running: Promise<void> | undefined;
  /** The system reports a failed write only once; a later sync would not. */
  #failure: unknown;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  wrote(bytes: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (bytes - this.#synced < SYNC_BYTES || this.#running || syncs >= MAX_SYNCS) return;
    this.#synced = bytes;
    syncs += 1;
    this.#running = this.#handle
      .datasync()
      .catch((error: unknown) => void (this.#failure = error))
      .finally(() => {
        syncs -= 1;
        this.#running = undefined;
      });
  }

  async end(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }
}

async function writeChunks(handle: FileHandle, chunks: Uint8Array[]): Promise<number> {
  let written = 0;
  for (let at = 0; at < chunks.length;) {
    const { bytesWritten } = await handle.writev(chunks.slice(at, at + 512));
    written += bytesWritten;
    // A short write (a full disk returns one before it fails) continues in the middle of a chunk.
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

/** Codes with which file systems that cannot sync a folder answer; what they do at a rename must suffice. */
const NO_FOLDER_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EISDIR', 'EBADF', 'ENOSYS']);

/**
 * Makes new names in a folder durable. `expected` is the code with which this file system always fails: an EIO is otherwise a
 * failure of the disk.
 */
export async function syncFolder(folder: string, files: Files, expected?: string): Promise<void> {
  const ignore = (error: unknown) => {
    const code = codeOf(error) ?? '';
    if (code !== expected && !NO_FOLDER_SYNC.has(code)) throw error;
  };
  const handle = await files.open(folder, 'r').catch(ignore);
  try {
    await handle?.sync().catch(ignore);
  } finally {
    await handle?.close();
  }
}
