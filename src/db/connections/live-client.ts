import type { Socket } from 'node:net';
import pg from 'pg';
import { addressOf } from './address.ts';
import { watch } from './watch.ts';
import { DatabaseSilent, explainedFailure } from './refusal.ts';
import { type WaitBudget, currentBudget, waitedEnough } from './wait-budget.ts';

export interface LiveClientConfig extends pg.ClientConfig {
  /** Milliseconds after which a statement without an answer ends its connection. 0: no limit, as for migrations. */
  answerWithinMs?: number;
}

/** Keep-alives begin after this time without traffic, so that a dead path is noticed and firewalls keep the connection. */
const KEEP_ALIVE_MS = 10_000;
/** Longest wait for a connection: opening one, or for a turn when all are in use. */
const CONNECT_MS = 5000;
/** Time in which the server must close a connection after our farewell. */
const FAREWELL_MS = 2000;

/** Settings of every connection to PostgreSQL. */
export const LIVE = {
  keepAlive: true,
  keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  connectionTimeoutMillis: CONNECT_MS,
} as const;

/** What this needs of pg's client that its types do not have. */
interface Internals {
  connection: { stream: Socket };
  processID: number | null;
  readyForQuery: boolean;
  _txStatus: string | null;
}

/**
 * A connection whose server need not answer for ever. `watch` looks at it twice a second, so a statement costs no timer. pg's own
 * `query_timeout` would leave the dead connection in the pool.
 */
export class LiveClient extends pg.Client {
  readonly config: LiveClientConfig;
  /** When it was last asked something. */
  askedAt = performance.now();
  /** The request for which the running statement was sent. */
  budget: WaitBudget | undefined;
  /** Why it was closed from our side. */
  cutFor: Error | undefined;
  #heardAt = 0;
  #bytes = 0;

  constructor(config: LiveClientConfig = {}) {
    super(config);
    this.config = config;
    this.once('connect', () => watch(this));
  }

  get #internals(): Internals {
    return this as unknown as Internals;
  }

  /** A statement is running. */
  get busy(): boolean {
    return !this.#internals.readyForQuery;
  }

  /** Not busy, and outside of a transaction. */
  get resting(): boolean {
    return !this.busy && this.#internals._txStatus === 'I';
  }

  get pid(): number {
    return this.#internals.processID ?? 0;
  }

  /** Closes the connection without waiting for the server. What runs on it fails with `error`. */
  cut(error: Error): void {
    this.cutFor ??= error;
    this.#internals.connection.stream.destroy(error);
  }

  /** Milliseconds for which the running statement has had no sign of the server. */
  quietMs(now: number): number {
    const { bytesRead } = this.#internals.connection.stream;
    if (bytesRead !== this.#bytes) {
      this.#bytes = bytesRead;
      this.#heardAt = now;
    }
    return now - Math.max(this.askedAt, this.#heardAt);
  }

  /** Ends a statement whose time is over. */
  enforceLimits(now: number): void {
    const { answerWithinMs: limit = 0 } = this.config;
    if (limit > 0 && now - this.askedAt > limit)
      this.cut(new DatabaseSilent(`the database did not answer a statement within ${limit / 1000} s`));
    else if (this.budget !== undefined && this.budget.left(now) <= 0) this.cut(waitedEnough());
  }

  /** Asks for a sign of life. Closes the connection and returns false when there is none in `ms`. */
  async answers(ms: number): Promise<boolean> {
    this.askedAt = performance.now();
    this.budget = undefined;
    const silent = () => this.cut(new DatabaseSilent(`the database did not answer SELECT 1 within ${ms / 1000} s`));
    // What has arrived while this process was busy is read first.
    let look: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => (look = setImmediate(silent)), ms);
    try {
      await (super.query('SELECT 1') as unknown as Promise<unknown>);
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
      clearImmediate(look);
    }
  }

  // The base class has a dozen overloads.
  override query(statement: unknown, values?: unknown, callback?: unknown): never {
    const budget = currentBudget();
    this.askedAt = performance.now();
    this.budget = budget;
    // Statements of requests have no callback.
    const ask = super.query as (this: pg.Client, ...given: unknown[]) => unknown;
    if (budget === undefined || callback !== undefined || typeof values === 'function')
      return ask.call(this, statement, values, callback) as never;
    const wait = begun(budget);
    if (wait instanceof Promise) return wait as never;
    const answer = ask.call(this, statement, values) as Promise<unknown>;
    const end = () => budget.end(wait);
    answer.then(end, end);
    return answer as never;
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: ((error: Error) => void) | ((error: null, client: pg.Client) => void)): void;
  override connect(callback?: (error: never, client: pg.Client) => void): Promise<pg.Client> | void {
    if (!callback)
      return new Promise((resolve, reject) => {
        this.connect((error: Error | null) => (error ? reject(error) : resolve(this)));
      });
    super.connect((error: Error | null) => {
      this.askedAt = performance.now();
      callback((error && explainedFailure(error, addressOf(this))) as never, this);
    });
  }

  override end(): Promise<void>;
  override end(callback: (error: Error) => void): void;
  override end(callback?: (error: Error) => void): Promise<void> | void {
    const timer = setTimeout(() => this.#internals.connection.stream.destroy(), FAREWELL_MS).unref();
    this.once('end', () => clearTimeout(timer));
    return callback ? super.end(callback) : super.end();
  }
}

/** A wait, or the rejection when the request has waited enough. */
function begun(budget: WaitBudget): ReturnType<WaitBudget['begin']> | Promise<never> {
  try {
    return budget.begin();
  } catch (error) {
    return Promise.reject(error);
  }
}
