import { Readable } from 'node:stream';
import { AppError } from '../../errors.ts';

/** Minimum rate of a body while the service waits for it. */
export interface BodyRate {
  windowMs: number;
  minBytes: number;
}

export const BODY_RATE: BodyRate = { windowMs: 30_000, minBytes: 8 * 1024 };

/**
 * Enforces the minimum rate of one body: a sender that sends a byte now and then would hold a connection, a lease and a temporary
 * file for hours without ever reaching an inactivity timeout. Only time spent waiting for the body counts.
 */
export interface BodyPace {
  /** Returns the result of `work`. @throws AppError request_timeout when too little has arrived for too long. */
  wait<T>(work: Promise<T>): Promise<T>;
  arrived(bytes: number): void;
  /** Fails this wait and all later ones. */
  refuse(error: AppError): void;
}

export function createBodyPace({ windowMs, minBytes }: BodyRate): BodyPace {
  /** Milliseconds waited in this window before the present wait, which began at `since`. */
  let waited = 0;
  let since = 0;
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let giveUp: ((error: AppError) => void) | undefined;
  let refused: AppError | undefined;
  const late = () =>
    new AppError(
      'request_timeout',
      `The body arrived too slowly: less than ${minBytes} bytes in ${windowMs / 1000} seconds.`,
    );
  /** One timer for many waits, most of which are short; it runs only during waits. */
  const watch = () => {
    timer = undefined;
    if (!giveUp) return;
    const left = windowMs - waited - (performance.now() - since);
    if (left <= 0) giveUp(late());
    else timer = setTimeout(watch, left).unref();
  };
  return {
    arrived(count) {
      bytes += count;
      if (bytes < minBytes) return;
      bytes = 0;
      waited = 0;
      since = performance.now();
    },
    refuse(error) {
      refused ??= error;
      giveUp?.(refused);
    },
    wait: (work) =>
      new Promise((resolve, reject) => {
        if (refused) reject(refused);
        since = performance.now();
        const over = () => {
          giveUp = undefined;
          waited += performance.now() - since;
        };
        giveUp = (error) => {
          over();
          reject(error);
        };
        timer ??= setTimeout(watch, Math.max(0, windowMs - waited)).unref();
        work.then(
          (value) => {
            if (giveUp) over();
            resolve(value);
          },
          (error: unknown) => {
            if (giveUp) over();
            reject(error);
          },
        );
      }),
  };
}

export interface BodyWatch {
  /** Called before the first byte is requested. */
  begin?: () => void;
  /** Called with each chunk. */
  arrived?: (chunk: Uint8Array) => void;
  /** Called when the body has ended. @throws the error with which the body then fails */
  end?: () => void;
}

/** Passes a body on while it keeps its minimum rate. @throws AppError request_timeout */
export async function* paced(
  body: AsyncIterable<Uint8Array>,
  pace: BodyPace,
  { begin, arrived, end }: BodyWatch = {},
): AsyncGenerator<Uint8Array> {
  begin?.();
  // A reader that stops early must not destroy the request: its sender must still get the response.
  const iterator = body instanceof Readable ? body.iterator({ destroyOnReturn: false }) : body[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await pace.wait(iterator.next());
      if (next.done) {
        ended = true;
        end?.();
        return;
      }
      arrived?.(next.value);
      yield next.value;
    }
  } finally {
    // Errors during the return are irrelevant, and must not end the process.
    if (!ended) iterator.return?.().catch(() => {});
  }
}
