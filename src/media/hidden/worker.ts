import { parentPort } from 'node:worker_threads';
import type { HiddenPixels } from './probe.ts';
import { readPixels } from './read-pixels.ts';

/** What the worker answers for the pixels of one picture. */
export type Answer = { text: string | undefined } | { error: string };

parentPort?.on('message', (pixels: HiddenPixels) => {
  readPixels(pixels).then(
    (text) => answer({ text }),
    (error: unknown) => answer({ error: error instanceof Error ? error.message : 'unknown' }),
  );
});

function answer(answer: Answer): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- this is a thread, not a window
  parentPort?.postMessage(answer);
}
