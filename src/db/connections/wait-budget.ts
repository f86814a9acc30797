import { AsyncLocalStorage } from 'node:async_hooks';
import { DatabaseSilent } from './refusal.ts';

/**
 * How long one request may wait for the database in all. Opening a connection takes up to 8 s more when it begins just before the
 * end, so an answer comes within 30 s.
 */
const REQUEST_WAIT_MS = 21_000;
/** Shorter waits are not counted: a request may need any number of statements that a healthy database answers. */
const FREE_MS = 1000;

interface Wait {
  since: number;
}

/** Sums up the time for which one request waits for the database. Waits at the same time count once. */
export class WaitBudget {
  readonly #running = new Set<Wait>();
  readonly #totalMs: number;
  #spent = 0;
  #countedTo = 0;
  #lifted = false;

  constructor(totalMs: number = REQUEST_WAIT_MS) {
    this.#totalMs = totalMs;
  }

  /** Milliseconds that are left; 0 or less: the request must end. */
  left(now: number): number {
    if (this.#lifted) return Number.POSITIVE_INFINITY;
    let since = now;
    for (const wait of this.#running) since = Math.min(since, wait.since);
    return this.#totalMs - this.#spent - this.#uncounted(since, now);
  }

  /** From now on nothing is counted: the answer has begun. */
  lift(): void {
    this.#lifted = true;
  }

  /** Begins a wait, which `end` ends. @throws DatabaseSilent when nothing is left */
  begin(): Wait {
    const wait = { since: performance.now() };
    if (this.left(wait.since) <= 0) throw waitedEnough();
    this.#running.add(wait);
    return wait;
  }

  end(wait: Wait): void {
    this.#running.delete(wait);
    const now = performance.now();
    const uncounted = this.#uncounted(wait.since, now);
    if (uncounted === 0) return;
    this.#spent += uncounted;
    this.#countedTo = now;
  }

  /** For work that requests share, and which must go on for the others. @throws DatabaseSilent when nothing is left */
  async race<T>(work: () => Promise<T>): Promise<T> {
    const wait = this.begin();
    let timer: NodeJS.Timeout | undefined;
    try {
      const left = this.left(wait.since);
      if (left === Number.POSITIVE_INFINITY) return await work();
      const late = new Promise<never>((_resolve, reject) => {
        // Whole seconds: timers of one duration share a list.
        timer = setTimeout(() => reject(waitedEnough()), Math.ceil(left / 1000) * 1000);
      });
      return await Promise.race([work(), late]);
    } finally {
      clearTimeout(timer);
      this.end(wait);
    }
  }

  #uncounted(since: number, now: number): number {
    return now - since < FREE_MS ? 0 : Math.max(0, now - Math.max(since, this.#countedTo));
  }
}

export function waitedEnough(): DatabaseSilent {
  return new DatabaseSilent('the request has waited for the database for as long as it may');
}

const budgets = new AsyncLocalStorage<WaitBudget | undefined>();

/** The budget of the request whose code is running; undefined in background work. */
export const currentBudget = (): WaitBudget | undefined => budgets.getStore();

/** Runs `work`, and all that it begins, within the budget. */
export const withBudget = <T>(budget: WaitBudget | undefined, work: () => T): T => budgets.run(budget, work);
