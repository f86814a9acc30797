/** So many bytes of buffers may wait for their collection. */
const COLLECT_AFTER = 16 * 1024 * 1024;

let waiting = 0;

/**
 * To be told of bytes that a socket brought and that are of no more use soon. Each piece lies in a buffer of its own outside of V8's
 * heap. Left alone, V8 goes through its whole heap for them after 64 MiB or more; to collect the young objects much earlier takes a third less
 * CPU, because the same memory is used again while it is still mapped, and half the memory. Needs Node's `--expose-gc`; without it
 * nothing happens here.
 */
export function buffersPassed(bytes: number): void {
  waiting += bytes;
  if (waiting < COLLECT_AFTER) return;
  waiting = 0;
  globalThis.gc?.({ type: 'minor', execution: 'sync' });
}

/** Characters of large texts that may wait for their collection. */
const COLLECT_TEXTS_AFTER = 12 * 1024 * 1024;
const LARGE_TEXT = 64 * 1024;

let texts = 0;

/**
 * Call it with the length of a text that has been written out and is of no more use. V8 moves large texts to its old space at their first
 * collection and lets that grow by as much again before it looks there: an export of texts would double the heap. The collection
 * takes some 30 ms. Small texts count for nothing.
 */
export function largeTextsPassed(length: number): void {
  if (length < LARGE_TEXT) return;
  texts += length;
  if (texts < COLLECT_TEXTS_AFTER) return;
  texts = 0;
  globalThis.gc?.();
}
