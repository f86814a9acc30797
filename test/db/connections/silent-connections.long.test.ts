import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { WaitBudget, withBudget } from '../../../src/db/connections/wait-budget.ts';
import { openDatabase } from '../../../src/db/database.ts';
import { failureOf } from '../../../src/db/failure.ts';
import { QueuePool } from '../../../src/db/queue/queue-pool.ts';
import { migrate } from '../../../src/db/schema/migrator.ts';
import { type SilentProxy, startSilentProxy } from '../../support/database/silent-proxy.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';

interface Setting {
  server: TestDatabase;
  proxy: SilentProxy;
}

/** A test with a database and a proxy of its own. The tests run at the same time: most of it is spent waiting. */
function behindProxy(work: (setting: Setting) => Promise<void>): () => Promise<void> {
  return async () => {
    const server = await createTestDatabase('empty');
    const proxy = await startSilentProxy(server.connectionString);
    try {
      await work({ server, proxy });
    } finally {
      await proxy.close();
      await server.drop();
    }
  };
}

const LIMIT = { timeout: 60_000 };

/** Milliseconds until it failed because the database did not answer. */
async function silentAfter(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  const error: unknown = await work.then(
    () => 'an answer',
    (failure: unknown) => failure,
  );
  expect(failureOf(error), String(error)).toBe('gone');
  return performance.now() - began;
}

test.concurrent(
  'a statement without a limit may run for as long as the server works on it, and no longer',
  LIMIT,
  behindProxy(async ({ proxy }) => {
    const database = openDatabase({ connectionString: proxy.connectionString, poolMax: 2, statementTimeoutMs: 0 });
    const long = sql<{ done: number }>`SELECT 1 AS done FROM pg_sleep(8)`.execute(database.db);
    expect((await long).rows).toEqual([{ done: 1 }]);
    const lost = silentAfter(sql`SELECT pg_sleep(2)`.execute(database.db));
    await sleep(500);
    proxy.silence('open');
    expect(await lost).toBeLessThan(12_000);
    await sql`SELECT 1`.execute(database.db);
    await database.close();
  }),
);

test.concurrent(
  'a migration whose connections go silent fails, and can be repeated at once',
  LIMIT,
  behindProxy(async ({ server, proxy }) => {
    const holder = openDatabase({ connectionString: server.connectionString, poolMax: 1, statementTimeoutMs: 0 });
    await sql`CREATE TABLE generated_images (id BIGSERIAL PRIMARY KEY, user_id VARCHAR(32) NOT NULL, prompt TEXT NOT NULL,
    bytes INTEGER, request_id TEXT, model TEXT, tool_name TEXT, status TEXT, storage_url TEXT, metadata JSONB, tags TEXT[],
    message_id TEXT, created_at TIMESTAMPTZ, sha256 CHAR(64), storage_provider TEXT, mime_type TEXT, n INTEGER)`.execute(
      holder.db,
    );
    await holder.db.transaction().execute(async (trx) => {
      await sql`LOCK TABLE generated_images IN ACCESS EXCLUSIVE MODE`.execute(trx);
      const lost = silentAfter(migrate(proxy.connectionString));
      // It waits for the lock, at most 10 s, when the path dies.
      await sleep(3000);
      proxy.silence('open');
      expect(await lost).toBeLessThan(25_000);
    });
    expect((await migrate(proxy.connectionString)).applied).not.toEqual([]);
    await holder.close();
  }),
);

test.concurrent(
  'a connection that only listens notices that it is dead',
  LIMIT,
  behindProxy(async ({ proxy }) => {
    const pool = new QueuePool(proxy.connectionString, 2, () => {});
    const listener = await pool.connect();
    const lost = new Promise<Error>((resolve) => listener.once('error', resolve));
    await listener.query('LISTEN something');
    proxy.silence('open');
    const began = performance.now();
    expect(failureOf(await lost)).toBe('gone');
    expect(performance.now() - began).toBeLessThan(15_000);
    listener.release();
    const next = await pool.connect();
    expect((await next.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    next.release();
    await pool.end();
  }),
);

test.concurrent(
  'idle connections that are dead are not handed out, and go together',
  LIMIT,
  behindProxy(async ({ proxy }) => {
    const database = openDatabase({ connectionString: proxy.connectionString, poolMax: 5, statementTimeoutMs: 20_000 });
    const ask = () => sql`SELECT 1`.execute(database.db);
    await Promise.all(Array.from({ length: 5 }, ask));
    await sleep(1500);
    proxy.silence('open');
    const began = performance.now();
    await ask();
    expect(performance.now() - began).toBeLessThan(3500);
    expect(database.pool.totalCount).toBe(1);
    await database.close();
  }),
);

test.concurrent(
  'a request that needs many statements waits no longer in all than one',
  LIMIT,
  behindProxy(async ({ proxy }) => {
    const database = openDatabase({ connectionString: proxy.connectionString, poolMax: 2, statementTimeoutMs: 20_000 });
    await sql`SELECT 1`.execute(database.db);
    const budget = new WaitBudget(5000);
    proxy.silence('all');
    const began = performance.now();
    await withBudget(budget, async () => {
      for (let n = 0; n < 20; n += 1) await silentAfter(sql`SELECT 1`.execute(database.db));
    });
    expect(performance.now() - began).toBeLessThan(5000 + 7000);
    // An answer that has begun may go on.
    budget.lift();
    proxy.restore();
    await withBudget(budget, () => sql`SELECT 1`.execute(database.db));
    await database.close();
  }),
);

test.concurrent(
  'a busy pool asks no connection whether it is alive',
  LIMIT,
  behindProxy(async ({ server }) => {
    const database = openDatabase({
      connectionString: server.connectionString,
      poolMax: 2,
      statementTimeoutMs: 20_000,
    });
    const asked: string[] = [];
    database.pool.on('connect', (client) => {
      const { stream } = (client as unknown as { connection: { stream: NodeJS.WritableStream } }).connection;
      const write = stream.write.bind(stream) as (bytes: Uint8Array) => boolean;
      stream.write = ((bytes: Uint8Array) => {
        if (Buffer.from(bytes).includes('SELECT 1\0')) asked.push('SELECT 1');
        return write(bytes);
      }) as typeof stream.write;
    });
    const end = performance.now() + 3000;
    const lane = async () => {
      while (performance.now() < end) await sql`SELECT 2`.execute(database.db);
    };
    await Promise.all([lane(), lane(), lane(), lane()]);
    expect(asked).toEqual([]);
    await sleep(1200);
    await sql`SELECT 2`.execute(database.db);
    expect(asked).toEqual(['SELECT 1']);
    await database.close();
  }),
);
