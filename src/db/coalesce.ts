import DataLoader from 'dataloader';
import { codeOf } from '../errors.ts';
import { currentBudget, withBudget } from './connections/wait-budget.ts';
import type { Db } from './database.ts';

export interface CoalesceOptions {
  /**
   * Concurrent statements; beyond that, requests gather for the next one. A statement that runs longer than 50 ms does not count,
   * so that one waiting for a lock does not block the others.
   */
  running: number;
  /** Maximum requests per statement. */
  most: number;
}

const SLOW_MS = 50;

/**
 * Lets concurrent requests share a statement, a round trip and a commit: under load that halves the cost of each. A request that
 * is alone is sent at once. Nothing is cached. Not for transactions, whose statements must stay separate.
 * @param run returns answers in the order of the requests; an Error fails that request alone
 */
export function coalesced<Request, Answer>(
  run: (db: Db, requests: readonly Request[]) => Promise<(Answer | Error)[]>,
  options: CoalesceOptions,
): (db: Db, request: Request) => Promise<Answer> {
  const loaders = new WeakMap<Db, DataLoader<Request, Answer>>();
  return (db, request) => {
    let loader = loaders.get(db);
    if (!loader) {
      loader = createLoader((requests: readonly Request[]) => runBatch(run, db, requests), options);
      loaders.set(db, loader);
    }
    const budget = currentBudget();
    const shared = loader;
    // The statement belongs to all who share it, so it keeps its own limit, and each request waits as long as it may.
    return budget === undefined ? shared.load(request) : budget.race(() => shared.load(request));
  };
}

/** Data that PostgreSQL refuses, a constraint, a deadlock, or an error that a function raises: the statement has changed nothing. */
const REFUSED = /^(22|23|40|54|P0)...$/;

/** One request of a batch that breaks the statement must not fail the others. */
async function runBatch<Request, Answer>(
  run: (db: Db, requests: readonly Request[]) => Promise<(Answer | Error)[]>,
  db: Db,
  requests: readonly Request[],
): Promise<(Answer | Error)[]> {
  try {
    return await run(db, requests);
  } catch (error) {
    if (requests.length === 1 || !REFUSED.test(codeOf(error) ?? '')) throw error;
    const answers: (Answer | Error)[] = [];
    for (const request of requests) {
      const [answer] = await run(db, [request]).catch((cause: unknown) => [asError(cause)]);
      answers.push(answer as Answer | Error);
    }
    return answers;
  }
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}

function createLoader<Request, Answer>(
  run: (requests: readonly Request[]) => Promise<(Answer | Error)[]>,
  { running, most }: CoalesceOptions,
): DataLoader<Request, Answer> {
  let active = 0;
  const waiting: (() => void)[] = [];
  const ended = () => {
    const next = waiting.shift();
    if (next) next();
    else active -= 1;
  };
  const batch = async (requests: readonly Request[]) => {
    let counts = true;
    const once = () => {
      if (counts) ended();
      counts = false;
    };
    const slow = setTimeout(once, SLOW_MS);
    try {
      return await run(requests);
    } finally {
      clearTimeout(slow);
      once();
    }
  };
  return new DataLoader<Request, Answer>(batch, {
    cache: false,
    maxBatchSize: most,
    batchScheduleFn: (begin) => {
      if (active === running) return void waiting.push(begin);
      active += 1;
      // A single request does not wait for others.
      withBudget(undefined, () => setImmediate(begin));
    },
  });
}
