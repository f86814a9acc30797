/**
 * Works through `source` in its order, at most `concurrency` entries at a time; once `signal` fires, no further one is begun. The
 * first failure of `work` is thrown at once, while what is under way runs on.
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
