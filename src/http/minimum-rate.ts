import { AppError } from '../errors.ts';

const WINDOW_MS = 30_000;
const MIN_BYTES_PER_WINDOW = 8 * 1024;

/**
 * Passes a body on while it makes progress: a sender that drips a byte now and then holds a connection, a lease and a
 * temporary file for hours, and an inactivity timeout never fires. Time in which the reader is slow does not count.
 * @throws AppError request_timeout
 */
export async function* minimumRate(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  let waited = 0;
  let bytes = 0;
  let ended = false;
  try {
    for (;;) {
      const started = performance.now();
      const next = await within(iterator.next(), WINDOW_MS - waited);
      waited += performance.now() - started;
      if (next.done) {
        ended = true;
        return;
      }
      bytes += next.value.length;
      if (bytes >= MIN_BYTES_PER_WINDOW) {
        waited = 0;
        bytes = 0;
      }
      yield next.value;
    }
  } finally {
    if (!ended) void iterator.return?.();
  }
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new AppError(
            'request_timeout',
            `The body arrived too slowly: less than ${MIN_BYTES_PER_WINDOW} bytes in ${WINDOW_MS / 1000} seconds.`,
          ),
        ),
      Math.max(0, ms),
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    // When it lost the race, its own failure must not go unhandled.
    work.catch(() => {});
  }
}
