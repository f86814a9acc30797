import { Worker } from 'node:worker_threads';
import type { HiddenPixels } from './probe.ts';
import type { Answer } from './worker.ts';

/** Compiled, the file has another ending. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
const TIMEOUT_MS = 5000;
/** After this time without pictures the worker ends. */
const IDLE_MS = 10_000;
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 };
/** Compressed pixels that wait while others are read, and how long. What is beyond stays unread, so that no upload waits long. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const MAX_WAITING_MS = 10_000;

let waitingBytes = 0;
let worker: Worker | undefined;
let idle: NodeJS.Timeout | undefined;
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

async function inWorker(pixels: HiddenPixels): Promise<string | undefined> {
  clearTimeout(idle);
  const current = (worker ??= startWorker());
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const ended = () => reject(new Error('the worker ended'));
  const timer = setTimeout(() => {
    stopWorker();
    reject(new Error('it took too long'));
  }, TIMEOUT_MS);
  current.once('message', resolve).once('error', reject).once('exit', ended);
  try {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- this is a thread, not a window
    current.postMessage(pixels);
    const answer = await promise;
    if ('error' in answer) throw new Error(answer.error);
    return answer.text;
  } finally {
    clearTimeout(timer);
    current.off('message', resolve).off('error', reject).off('exit', ended);
    idle = setTimeout(stopWorker, IDLE_MS).unref();
  }
}

/** The worker keeps no process alive. */
function startWorker(): Worker {
  const started = new Worker(WORKER, { resourceLimits: LIMITS, execArgv: [] });
  started.unref();
  const forget = () => {
    if (worker === started) worker = undefined;
  };
  // Whoever waits is told, too; without a listener an error would end the process.
  started.on('error', forget).on('exit', forget);
  return started;
}

function stopWorker(): void {
  worker?.terminate().catch(() => {});
  worker = undefined;
}
