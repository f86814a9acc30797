import DataLoader from 'dataloader';
import { codeOf } from '../errors.ts';
import type { Db } from './database.ts';

export interface CoalesceOptions {
  /** Statements at once; while so many run, requests gather for the next one. One that takes longer than 50 ms does not count, so that what waits for a lock holds up no other. */
  running: number;
  /** Requests for one statement at most. */
  most: number;
}

const SLOW_MS = 50;

/**
 * Lets requests that come together share a statement, a trip and a commit: under load that halves what each costs. Alone, a request
 * goes at once. Nothing is kept. Not for transactions: their statements are their own.
 * @param run answers in the order of the requests; an Error is the failure of that request alone
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
    return loader.load(request);
  };
}

/** Data that PostgreSQL refuses, a constraint, a deadlock, or an error that a function raises: the statement has left nothing behind. */
const REFUSED = /^(22|23|40|54|P0)...$/;

/** What one request of a batch brings upon the statement must not fail the others. */
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
      // Who comes alone waits for nobody.
      setImmediate(begin);
    },
  });
}
