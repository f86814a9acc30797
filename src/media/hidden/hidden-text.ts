import { Worker } from 'node:worker_threads';
import type { HiddenPixels } from './probe.ts';

/** Compiled, the file has another ending. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
const TIMEOUT_MS = 5000;
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 };
/** Pictures that wait while another is read. More of them stay unread, so that uploads do not wait for one another. */
const MAX_WAITING = 8;

let waiting = 0;
let last: Promise<unknown> = Promise.resolve();

/**
 * Reads the text that a picture hides in its pixels, in a worker thread with limits of time and memory, one picture at a time.
 * @returns undefined when there is none
 * @throws Error when it cannot be read within the limits
 */
export async function readHiddenText(pixels: HiddenPixels): Promise<string | undefined> {
  if (waiting >= MAX_WAITING) throw new Error('too many pictures with hidden texts arrived at once');
  waiting += 1;
  const read = last.then(() => inWorker(pixels));
  last = read.catch(() => {});
  try {
    return await read;
  } finally {
    waiting -= 1;
  }
}

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
