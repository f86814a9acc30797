import { AppError } from '../../errors.ts';

export interface PartMemoryOptions {
  /** All parts of all uploads together hold no more than that. */
  bytes: number;
  /** The usual size of a part, `bytes` at most; buffers of it are used again. */
  partBytes: number;
  /** Milliseconds after which somebody who waits is sent away. */
  waitMs: number;
  /** The environment variable that sets `bytes`. */
  setting: string;
}

/** Memory for one part, from before its first byte is gathered until it is stored or its upload has failed. */
export interface Room {
  /** To be filled; as long as what was asked for. */
  readonly buffer: Buffer;
  /** The first `bytes` of the buffer, which is all that will be stored. What is not needed for them is given back at once. */
  keep(bytes: number): Buffer;
  /**
   * Once or more often; the first time counts.
   * @param unread nobody reads the buffer any more. A request that failed or was tried again may still do so, whatever it
   * says: what somebody else wrote there would be sent as its bytes.
   */
  giveBack(unread: boolean): void;
}

export interface PartMemory {
  /** The bound. */
  readonly bytes: number;
  /** Bytes that are given away just now. */
  reserved(): number;
  /** Waits until `bytes` are free, in order of arrival. @throws AppError overloaded; the signal's reason */
  take(bytes: number, signal?: AbortSignal): Promise<Room>;
  /** Lets go of buffers that nobody has in use. */
  close(): void;
}

/** Buffers that nobody has asked for so long are let go of. */
const IDLE_MS = 10_000;
const RETRY_AFTER_SECONDS = 5;

interface Waiter {
  bytes: number;
  grant(room: Room): void;
}

/**
 * The memory that the parts of one store's uploads share.
 *
 * Nobody waits for ever. Let an upload hold parts that are being sent and at most one that is being gathered.
 * - Memory is given for a whole part or not at all, and `cutParts` asks for a part's only after it has handed on the part
 *   before, so whoever waits has nothing half gathered: it holds parts that are being sent, or nothing.
 * - A part that is being sent needs nothing more from here. Its request ends, well or not, by its own limits.
 * - A part that is being gathered needs nothing more from here either. It ends with its sender, who is held to a least rate,
 *   and is sent then.
 * So whatever is reserved is given back without anybody's having to be given something first: there is no circle to wait in.
 * - The first in the queue is passed by nobody, however small, and fits when all is given back, because nothing larger than
 *   the whole is asked for. So everybody's turn comes, and one who is not patient enough for that leaves with an error and
 *   gives back what it holds.
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
        // Half a buffer and more is not worth a copy.
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
          // Those behind may fit where this one did not.
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
