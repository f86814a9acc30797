import pg from 'pg';
import { DatabaseSilent } from './refusal.ts';
import { LIVE, LiveClient, type LiveClientConfig } from './live-client.ts';
import { type WaitBudget, currentBudget } from './wait-budget.ts';

type Callback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: Error | boolean) => void,
) => void;
type Client = LiveClient & pg.PoolClient;
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
    const found = this.#acquire(currentBudget());
    if (!callback) return found;
    void handOver(found, callback);
  }

  /** One promise in steady use, as many as pg's pool itself makes. */
  #acquire(budget: WaitBudget | undefined): Promise<pg.PoolClient> {
    return new Promise((resolve, reject) => {
      const wait = budget?.begin();
      const end = () => {
        if (wait) budget?.end(wait);
      };
      super.connect((error, client) => {
        if (error || !client) {
          end();
          reject(error ?? new Error('the pool gave no connection'));
        } else if (isFresh(client as Client, performance.now())) {
          end();
          resolve(client);
        } else
          this.#checked(client as Client)
            .finally(end)
            .then(resolve, reject);
      });
    });
  }

  /** The connection, if it answers; else another one. */
  async #checked(first: Client): Promise<pg.PoolClient> {
    const began = performance.now();
    for (let client = first; ; client = (await super.connect()) as Client) {
      const now = performance.now();
      if (isFresh(client, now)) return client;
      if (client.cutFor === undefined && (await client.answers(CHECK_MS))) return client;
      const dead = client.cutFor ?? new DatabaseSilent('the connection to the database is dead');
      client.release(dead);
      // They take the same path, and none of them has been heard of since.
      for (const other of this.#idle) if (other.askedAt < now) other.cut(dead);
      if (performance.now() - began > ACQUIRE_MS) throw dead;
    }
  }
}

const isFresh = ({ cutFor, askedAt }: LiveClient, now: number): boolean =>
  cutFor === undefined && now - askedAt < FRESH_MS;

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
