import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { QueuePool } from '../../../src/db/queue/queue-pool.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';
import { until } from '../../support/until.ts';

let database: TestDatabase;
let admin: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase('empty');
  admin = new pg.Client({ connectionString: database.connectionString });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await database.drop();
});

const terminate = () =>
  admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()",
  );
/** Statements that the server works on. */
const atWork = async () => {
  const { rows } = await admin.query<{ count: string }>(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
  );
  return Number(rows[0]?.count);
};
const ask = async (pool: QueuePool, name: string | undefined) => {
  const client = await pool.connect();
  try {
    const statement = { ...(name !== undefined && { name }), text: 'SELECT pg_sleep(2), 7 AS answer' };
    return (await client.query<{ answer: number }>(statement)).rows[0]?.answer;
  } finally {
    client.release();
  }
};

test('a statement that records the result of a job is retried when its connection is lost; other statements fail', async () => {
  const lost: unknown[] = [];
  const pool = new QueuePool(database.connectionString, 3, (error) => lost.push(error));
  const answers = Promise.allSettled([
    ask(pool, 'complete_job/graphile_worker'),
    ask(pool, 'get_job/x'),
    ask(pool, undefined),
  ]);
  await until(async () => (await atWork()) === 3);
  await terminate();
  expect((await answers).map((answer) => (answer.status === 'fulfilled' ? answer.value : 'lost'))).toEqual([
    7,
    'lost',
    'lost',
  ]);
  expect(lost.length).toBeGreaterThan(0);
  await pool.end();
});

test('connect waits for a database that is unavailable, until the pool gives up', async () => {
  const away = new URL(database.connectionString);
  away.searchParams.delete('host');
  away.host = '127.0.0.1:9';
  const lost: unknown[] = [];
  const pool = new QueuePool(away.href, 1, (error) => lost.push(error));
  const waiting = pool.connect().catch((error: unknown) => error);
  await until(async () => lost.length > 2);
  pool.giveUp();
  expect(await waiting).toMatchObject({ code: 'ECONNREFUSED' });
  await expect(pool.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await pool.end();
});
