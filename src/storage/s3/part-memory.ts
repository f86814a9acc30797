import { AppError } from '../../errors.ts';

export interface PartMemoryOptions {
  /** Bound of all parts of all uploads together. */
  bytes: number;
  /** The usual size of a part, `bytes` at most; buffers of it are reused. */
  partBytes: number;
  /** Milliseconds after which a waiter gets an error. */
  waitMs: number;
  /** The environment variable that sets `bytes`. */
  setting: string;
}

/** Memory for one part, from before its first byte is gathered until it is stored or its upload has failed. */
export interface Room {
  /** To be filled; of the requested length. */
  readonly buffer: Buffer;
  /** The first `bytes` of the buffer, all that will be stored. The rest is released at once. */
  keep(bytes: number): Buffer;
  /**
   * May be called repeatedly; only the first call counts.
   * @param unread no request reads the buffer any longer. One that failed or was retried may still do so, whatever it reports:
   * bytes of another part written there would be sent as its own.
   */
  giveBack(unread: boolean): void;
}

export interface PartMemory {
  /** The bound. */
  readonly bytes: number;
  /** Bytes that are in use now. */
  reserved(): number;
  /** Waits until `bytes` are free, in order of arrival. @throws AppError overloaded; the signal's reason */
  take(bytes: number, signal?: AbortSignal): Promise<Room>;
  /** Releases unused buffers. */
  close(): void;
}

/** Unused buffers are released after this time. */
const IDLE_MS = 10_000;
const RETRY_AFTER_SECONDS = 5;

interface Waiter {
  bytes: number;
  grant(room: Room): void;
}

/**
 * The memory that the parts of one store's uploads share.
 *
 * No one waits for ever. Let an upload hold parts that are being sent and at most one that is being gathered.
 * - Memory is granted for a whole part or not at all, and `cutParts` requests a part's only after it has handed on the part
 *   before, so a waiter has nothing half gathered: it holds parts that are being sent, or nothing.
 * - A part that is being sent needs no further memory. Its request ends, well or not, by its own limits.
 * - A part that is being gathered needs no further memory either. It ends with its sender, who is held to a minimum rate, and is
 *   sent then.
 * So everything reserved is released without another grant: there is no circular wait.
 * - No one passes the first in the queue, however small, and the first fits when all is released, because no request is larger
 *   than the whole. So everyone's turn comes, and a waiter that times out leaves with an error and releases what it holds.
 */
export function createPartMemory({ bytes: total, partBytes, waitMs, setting }: PartMemoryOptions): PartMemory {
  /** In order of arrival. */
  const queue = new Set<Waiter>();
  /** Buffers of `partBytes`. Together with what is reserved they stay within the bound. */
  const idle: Buffer[] = [];
  let idleTimer: NodeJS.Timeout | undefined;
  let reserved = 0;

  function trim(): void {
    while (idle.length > 0 && reserved + idle.length * partBytes > total) idle.pop();
  }

  function recycle(buffer: Buffer): void {
    if (buffer.length !== partBytes) return;
    idle.push(buffer);
    trim();
    if (idleTimer) idleTimer.refresh();
    else
      idleTimer = setTimeout(() => {
        idleTimer = undefined;
        idle.length = 0;
      }, IDLE_MS).unref();
  }

  function open(bytes: number): Room {
    let held = bytes;
    reserved += held;
    const buffer = (bytes === partBytes ? idle.pop() : undefined) ?? Buffer.allocUnsafe(bytes);
    trim();
    let copied = false;
    return {
      buffer,
      keep(kept) {
        // Half a buffer or more is not worth a copy.
        if (kept > bytes / 2) return buffer.subarray(0, kept);
        const copy = Buffer.from(buffer.subarray(0, kept));
        copied = true;
        reserved -= held - kept;
        held = kept;
        recycle(buffer);
        admit();
        return copy;
      },
      giveBack(unread) {
        if (held === 0) return;
        reserved -= held;
        held = 0;
        if (unread && !copied) recycle(buffer);
        admit();
      },
    };
  }

  const fits = (bytes: number) => reserved + bytes <= total;

  function admit(): void {
    for (const waiter of queue) {
      if (!fits(waiter.bytes)) return;
      queue.delete(waiter);
      waiter.grant(open(waiter.bytes));
    }
  }

  return {
    bytes: total,
    reserved: () => reserved,
    take(bytes, signal) {
      if (!(bytes > 0 && bytes <= total)) return Promise.reject(new RangeError(`${bytes} of ${total} bytes`));
      if (signal?.aborted) return Promise.reject(signal.reason as Error);
      if (queue.size === 0 && fits(bytes)) return Promise.resolve(open(bytes));
      return new Promise((resolve, reject) => {
        const stop = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', abort);
        };
        const waiter: Waiter = {
          bytes,
          grant(room) {
            stop();
            resolve(room);
          },
        };
        const leave = (reason: unknown) => {
          stop();
          queue.delete(waiter);
          reject(reason);
          // Waiters behind it may fit where this one did not.
          admit();
        };
        const abort = () => leave(signal?.reason);
        const timer = setTimeout(() => leave(overloaded(waitMs, setting)), waitMs);
        signal?.addEventListener('abort', abort, { once: true });
        queue.add(waiter);
      });
    },
    close() {
      clearTimeout(idleTimer);
      idleTimer = undefined;
      idle.length = 0;
    },
  };
}

function overloaded(waitMs: number, setting: string): AppError {
  return new AppError('overloaded', 'The store has too many uploads at a time; try again shortly.', {
    retryAfter: RETRY_AFTER_SECONDS,
    cause: new Error(`no memory for a part became free within ${waitMs} ms; ${setting} bounds it`),
  });
}
