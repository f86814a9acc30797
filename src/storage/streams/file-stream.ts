import type { FileHandle } from 'node:fs/promises';
import { Readable, addAbortSignal } from 'node:stream';
import { codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';

/** Bytes read at a time. Measured: more gains nothing once the buffers are reused, less costs. */
const CHUNK_BYTES = 256 * 1024;
const MIN_CHUNK_BYTES = 32 * 1024;
/** Approximate memory of all streams together. */
const BUDGET_BYTES = 32 * 1024 * 1024;
/** Buffers kept for the next stream. */
const MAX_SPARE = 16;

const spare: Buffer[] = [];
let open = 0;

/** Smaller with many, maybe slow, readers: each has two chunks in flight. */
function chunkBytes(): number {
  return Math.min(CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, Math.floor(BUDGET_BYTES / (2 * open))));
}

export interface FileStreamOptions {
  signal?: AbortSignal | undefined;
  /** Opens the file anew after ESTALE; undefined: these bytes are gone. */
  reopen?: () => Promise<FileHandle | undefined>;
}

export interface FilePart {
  /** First byte. */
  start: number;
  bytes: number;
}

/**
 * A part of an open file as a stream, which closes the file. `sendTo` sends the bytes from two reused buffers, one being read
 * into while the other is sent: half the work of a stream's fresh memory for each chunk. Readers of the stream get separate
 * chunks, which they may keep.
 */
export class FileStream extends Readable {
  #handle: FileHandle;
  #at: number;
  #left: number;
  #reading: Promise<unknown> | undefined;
  #sending = false;
  #reopen: FileStreamOptions['reopen'];

  constructor(handle: FileHandle, { start, bytes }: FilePart, { signal, reopen }: FileStreamOptions = {}) {
    super({ highWaterMark: CHUNK_BYTES });
    this.#handle = handle;
    this.#reopen = reopen;
    this.#at = start;
    this.#left = bytes;
    open += 1;
    // Not the base class's own option: a signal that has fired already would destroy this before it has a file to close.
    if (signal) addAbortSignal(signal, this);
  }

  override _read(): void {
    if (this.#sending) return;
    if (this.#left === 0) {
      this.push(null);
      return;
    }
    this.#fill(Buffer.allocUnsafeSlow(Math.min(this.#left, chunkBytes()))).then(
      (piece) => {
        this.push(piece);
        if (this.#left === 0) this.push(null);
      },
      (error: unknown) => this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, settle: (error?: Error | null) => void): void {
    open -= 1;
    const close = () => this.#handle.close().then(() => settle(error), settle);
    // Closing during a read could free the descriptor for another file.
    if (this.#reading) this.#reading.then(close, close);
    else void close();
  }

  /**
   * Passes all bytes to `write`, one chunk after the other, instead of the stream. Resolves when every write has ended; the
   * stream has ended then, too.
   */
  async sendTo(write: (piece: Buffer) => Promise<void>): Promise<void> {
    this.#sending = true;
    const size = Math.min(this.#left, chunkBytes());
    const buffers = [takeBuffer(size), takeBuffer(size)] as const;
    const sent: [Promise<void>, Promise<void>] = [Promise.resolve(), Promise.resolve()];
    for (let turn: 0 | 1 = 0; this.#left > 0; turn = turn === 0 ? 1 : 0) {
      await sent[turn];
      if (this.destroyed) return;
      const piece = await this.#fill(buffers[turn].subarray(0, Math.min(this.#left, size)));
      if (this.destroyed) return;
      sent[turn] = write(piece);
      // Handled when its turn is awaited.
      sent[turn].catch(() => {});
    }
    await Promise.all(sent);
    // A buffer may be reused only once it was sent completely.
    for (const buffer of buffers) giveBuffer(buffer);
    this.push(null);
    this.resume();
  }

  async #fill(buffer: Buffer): Promise<Buffer> {
    const reading = this.#read(buffer);
    this.#reading = reading;
    const { bytesRead } = await reading.finally(() => (this.#reading = undefined));
    if (bytesRead === 0) throw new StorageError('UNAVAILABLE', 'The file became shorter while it was read');
    this.#at += bytesRead;
    this.#left -= bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  async #read(buffer: Buffer): Promise<{ bytesRead: number }> {
    try {
      return await this.#handle.read(buffer, 0, buffer.length, this.#at);
    } catch (error) {
      if (codeOf(error) !== 'ESTALE') throw error;
      const opened = await this.#reopen?.();
      this.#reopen = undefined;
      if (!opened) throw error;
      await this.#handle.close().catch(() => {});
      this.#handle = opened;
      return opened.read(buffer, 0, buffer.length, this.#at);
    }
  }
}

function takeBuffer(size: number): Buffer {
  const buffer = size === CHUNK_BYTES ? spare.pop() : undefined;
  return buffer ?? Buffer.allocUnsafeSlow(size);
}

function giveBuffer(buffer: Buffer): void {
  if (buffer.length === CHUNK_BYTES && spare.length < MAX_SPARE) spare.push(buffer);
}
