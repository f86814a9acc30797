import { Worker } from 'node:worker_threads';
import type { HiddenPixels } from './probe.ts';

/** Compiled, the file has another ending. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
const TIMEOUT_MS = 5000;
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 };
/** Compressed pixels that wait while others are read, and how long. What is beyond stays unread, so that no upload waits long. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const MAX_WAITING_MS = 10_000;

let waitingBytes = 0;
let last: Promise<unknown> = Promise.resolve();

/**
 * Reads the text that a picture hides in its pixels, in a worker thread with limits of time and memory, one picture at a time.
 * @returns undefined when there is none
 * @throws Error when it cannot be read within the limits
 */
export async function readHiddenText(pixels: HiddenPixels): Promise<string | undefined> {
  const bytes = pixels.compressed.length;
  if (waitingBytes + bytes > MAX_WAITING_BYTES) throw new Error(TOO_MANY);
  waitingBytes += bytes;
  const since = performance.now();
  const read = last.then(() => {
    if (performance.now() - since > MAX_WAITING_MS) throw new Error(TOO_MANY);
    return inWorker(pixels);
  });
  last = read.catch(() => {});
  try {
    return await read;
  } finally {
    waitingBytes -= bytes;
  }
}
const TOO_MANY = 'too many pictures with hidden texts arrived at once';

function inWorker(pixels: HiddenPixels): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const worker = new Worker(WORKER, { workerData: pixels, resourceLimits: LIMITS, execArgv: [] });
  const timer = setTimeout(() => reject(new Error('it took too long')), TIMEOUT_MS);
  worker.once('message', resolve);
  worker.once('error', reject);
  worker.once('exit', () => reject(new Error('the worker ended')));
  return promise.finally(() => {
    clearTimeout(timer);
    worker.terminate().catch(() => {});
  });
}
