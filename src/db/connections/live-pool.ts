import pg from 'pg';
import { DatabaseSilent } from './refusal.ts';
import { LIVE, LiveClient, type LiveClientConfig } from './live-client.ts';
import { currentBudget } from './wait-budget.ts';

type Callback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void;
type PoolOptions = pg.PoolConfig & LiveClientConfig;

/** A connection that has answered within this time is handed out as it is: a busy pool asks nothing. */
const FRESH_MS = 1000;
const CHECK_MS = 1500;
/** Handing out a connection takes no longer than this, plus one attempt to open one. */
const ACQUIRE_MS = 2000;

/** A pool that hands out no dead connections, and keeps none. */
export class LivePool extends pg.Pool {
  /** Not handed out. */
  readonly #idle = new Set<LiveClient>();

  constructor(options: PoolOptions) {
    super({ Client: LiveClient, ...LIVE, ...options });
    this.on('acquire', (client) => this.#idle.delete(client as unknown as LiveClient));
    this.on('release', (_error, client) => this.#idle.add(client as unknown as LiveClient));
    this.on('remove', (client) => this.#idle.delete(client as unknown as LiveClient));
    // The pool listens to idle connections alone; on a busy one the running statement fails too, which its caller sees.
    this.on('connect', (client) => client.on('error', () => {}));
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Callback): void;
  override connect(callback?: Callback): Promise<pg.PoolClient> | void {
    const budget = currentBudget();
    const found = budget === undefined ? this.#acquire() : budget.during(() => this.#acquire());
    if (!callback) return found;
    void handOver(found, callback);
  }

  async #acquire(): Promise<pg.PoolClient> {
    const began = performance.now();
    for (;;) {
      const client = (await super.connect()) as LiveClient & pg.PoolClient;
      const now = performance.now();
      if (client.cutFor === undefined) {
        if (now - client.askedAt < FRESH_MS || (await client.answers(CHECK_MS))) return client;
      }
      const dead = client.cutFor ?? new DatabaseSilent('the connection to the database is dead');
      client.release(dead);
      // They take the same path, and none of them has been heard of since.
      for (const other of this.#idle) if (other.askedAt < now) other.cut(dead);
      if (performance.now() - began > ACQUIRE_MS) throw dead;
    }
  }
}

async function handOver(found: Promise<pg.PoolClient>, callback: Callback): Promise<void> {
  let client: pg.PoolClient;
  try {
    client = await found;
  } catch (error) {
    callback(error as Error, undefined, () => {});
    return;
  }
  callback(undefined, client, (error) => client.release(error));
}
