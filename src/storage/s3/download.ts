import { Readable } from 'node:stream';
import { StorageError } from '../driver.ts';
import { buffersPassed } from '../streams/minor-gc.ts';
import { asS3Failure } from './errors.ts';

export interface Announced {
  /** Expected bytes of the response. */
  bytes: number;
  /** Milliseconds without a byte, while a reader waits for one, after which the response is aborted. */
  stallMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * The body of a response with a watchdog: it fails when the server stops sending, when it ends early or late, and when the signal
 * fires. The timer stops while the reader takes nothing, so a paused player keeps its connection.
 */
export function watchedDownload(source: Readable, { bytes, stallMs, signal }: Announced): Readable {
  let received = 0;
  let timer: NodeJS.Timeout | undefined;
  const stopClock = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const startClock = () => {
    if (timer) timer.refresh();
    else
      timer = setTimeout(() => {
        download.destroy(new StorageError('UNAVAILABLE', `The S3 server sent nothing for ${stallMs} ms in mid-object`));
      }, stallMs);
  };
  const abort = () => void download.destroy(signal?.reason as Error);
  const download = new Readable({
    highWaterMark: 256 * 1024,
    read() {
      startClock();
      source.resume();
    },
    destroy(error, callback) {
      stopClock();
      signal?.removeEventListener('abort', abort);
      source.destroy();
      callback(error);
    },
  });
  source.on('data', (chunk: Buffer) => {
    received += chunk.length;
    buffersPassed(chunk.length);
    if (received > bytes) download.destroy(wrongLength(received, bytes));
    else if (download.push(chunk)) startClock();
    else {
      source.pause();
      stopClock();
    }
  });
  source.on('end', () => {
    stopClock();
    if (received === bytes) download.push(null);
    else download.destroy(wrongLength(received, bytes));
  });
  source.on('error', (error) => download.destroy(asS3Failure(error, 'Reading an object')));
  source.on('close', () => {
    if (received < bytes) download.destroy(wrongLength(received, bytes));
  });
  source.pause();
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  return download;
}

function wrongLength(received: number, bytes: number): StorageError {
  return new StorageError('UNAVAILABLE', `The S3 server sent ${received} of ${bytes} announced bytes`);
}
