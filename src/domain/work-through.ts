/**
 * Processes `source` in order, at most `concurrency` entries at a time; starts none after `signal` fires. The first failure of
 * `work` is thrown at once, while running entries go on.
 */
export async function workThrough<T>(
  source: Iterable<T> | AsyncIterable<T>,
  { concurrency, signal }: { concurrency: number; signal?: AbortSignal | undefined },
  work: (entry: T) => Promise<void>,
): Promise<void> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const worker = async () => {
    while (!signal?.aborted) {
      const next = await iterator.next();
      if (next.done === true) return;
      await work(next.value);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}
