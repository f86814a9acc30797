import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { connectionConfig } from '../connections/connection-url.ts';
import { LIVE, LiveClient, type LiveClientConfig } from '../connections/live-client.ts';
import { LivePool } from '../connections/live-pool.ts';
import { failureOf } from '../failure.ts';

/**
 * Opens connections for the migrations of the task queue, which may take as long as they need.
 * @param onError called when an idle connection is lost
 */
export function openQueuePool(connectionString: string, max: number, onError: (error: Error) => void): pg.Pool {
  return new LivePool({ ...options(connectionString), max }).on('error', onError);
}

const options = (connectionString: string): LiveClientConfig => ({
  ...connectionConfig(connectionString),
  ...LIVE,
  application_name: 'mediakeep jobs',
});

/** Limit of the task runner's statements, which take milliseconds. */
const STATEMENT_MS = 30_000;
const limited = { statement_timeout: STATEMENT_MS, answerWithinMs: STATEMENT_MS + 2000 } as const;

/** Pause between two attempts to reach the database. */
const RETRY_MS = 500;
/** Statements by which graphile-worker records the result of a task. They are idempotent. */
const OUTCOME = /^(?:complete|fail)_job/;

const isGone = (error: unknown): boolean => failureOf(error) === 'gone';

/**
 * Connections for the task runner that wait while the database is unavailable. A runner that cannot record the result of a
 * task stops with all its tasks and leaves that one locked for four hours, so those statements are retried until they succeed.
 */
export class QueuePool extends LivePool {
  readonly #connectionString: string;
  readonly #onAway: (error: unknown) => void;
  readonly #closing = new AbortController();

  /** @param onAway called with each failed attempt to reach the database */
  constructor(connectionString: string, max: number, onAway: (error: unknown) => void) {
    super({
      ...options(connectionString),
      ...limited,
      max,
      Client: class extends LiveClient {
        // The base class has a dozen overloads; only statements without a callback are retried.
        override query(...given: unknown[]): never {
          const answer = (super.query as (...args: unknown[]) => unknown).apply(this, given);
          const [statement] = given as [{ name?: unknown } | undefined];
          if (given.length > 1 || typeof statement?.name !== 'string' || !OUTCOME.test(statement.name))
            return answer as never;
          return (answer as Promise<unknown>).catch((error: unknown) =>
            again(error, statement as pg.QueryConfig),
          ) as never;
        }
      },
    });
    const again = (error: unknown, statement: pg.QueryConfig) => this.#again(error, statement);
    this.#connectionString = connectionString;
    this.#onAway = onAway;
    this.on('error', onAway);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(
    callback: (error: Error | undefined, client: pg.PoolClient | undefined, done: () => void) => void,
  ): void;
  override connect(
    callback?: (error: Error | undefined, client: pg.PoolClient | undefined, done: () => void) => void,
  ): Promise<pg.PoolClient> | void {
    if (callback) return super.connect(callback);
    return this.#connect();
  }

  /** Stops waiting for the database: everything that waits fails now. */
  giveUp(): void {
    this.#closing.abort(new Error('the task queue is closing'));
  }

  async #connect(): Promise<pg.PoolClient> {
    for (;;) {
      try {
        return await super.connect();
      } catch (error) {
        await this.#pause(error);
      }
    }
  }

  /** Uses a new connection: statements that wait here may hold all those of the pool. */
  async #again(failure: unknown, statement: pg.QueryConfig): Promise<unknown> {
    let error = failure;
    for (;;) {
      await this.#pause(error);
      const client = new LiveClient({ ...options(this.#connectionString), ...limited });
      client.on('error', () => {});
      try {
        await client.connect();
        const answer: Promise<unknown> = client.query(statement);
        return await answer;
      } catch (next) {
        error = next;
      } finally {
        client.end().catch(() => {});
      }
    }
  }

  /** @throws `error` when waiting cannot help, or when the pool is closing */
  async #pause(error: unknown): Promise<void> {
    if (!isGone(error) || this.#closing.signal.aborted) throw error;
    this.#onAway(error);
    await sleep(RETRY_MS * (0.5 + Math.random()), undefined, { signal: this.#closing.signal }).catch(() => {
      throw error;
    });
  }
}
