import { setTimeout as sleep } from 'node:timers/promises';
import { runMigrations } from 'graphile-worker';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DRIVERS } from '../../src/storage/registry.ts';
import { type Worker, startWorker } from '../../src/workers/worker.ts';
import { type MemoryStore, memoryKind } from '../support/memory-driver.ts';
import { png } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let stores: Map<string, MemoryStore>;
let workers: Worker[];

beforeEach(async () => {
  const { kind, made } = memoryKind();
  stores = made;
  workers = [];
  const env = {
    STORES: 'main:memory',
    STORAGE_PRIMARY: 'main',
    STORAGE_FALLBACKS: 'local',
    STORAGE_MIRRORS: 'database',
  };
  t = await createTestApp(env, {}, { ...DRIVERS, memory: kind });
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await t.close();
});

const start = () => workers.push(startWorker(t.deps, { connectionString: t.connectionString, concurrency: 2 }));
const upload = async () => {
  const headers = { ...asUser('a'), 'content-type': 'image/png' };
  return (await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: png() })).json().id as string;
};
async function locations(id: string): Promise<string[]> {
  const item = (await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('a') })).json();
  return item.locations.map((location: { store: string; state: string }) => `${location.store} ${location.state}`);
}
async function until(condition: () => Promise<boolean>, seconds: number): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s`);
    await sleep(50);
  }
}
const jobs = async () => {
  const client = new pg.Client({ connectionString: t.connectionString });
  await client.connect();
  try {
    return (await client.query<{ count: number }>('SELECT count(*)::int AS count FROM graphile_worker.jobs')).rows[0]
      ?.count;
  } finally {
    await client.end();
  }
};

test('an upload while the store is down comes home by itself when the store is back, its mirrors are made, no job is left running', async () => {
  start();
  start();
  const main = stores.get('main');
  if (main) main.down = true;
  const id = await upload();
  await until(async () => (await locations(id)).includes('database stored'), 15);
  expect(await locations(id)).toContain('main pending');
  if (main) main.down = false;
  await until(async () => (await locations(id)).includes('main stored'), 30);
  expect((await locations(id)).toSorted()).toEqual(['database stored', 'main stored']);
  expect(main?.objects.size).toBe(1);
});

test('what was wanted while no worker ran is made by the next one', async () => {
  const id = await upload();
  expect(await locations(id)).toEqual(['main stored', 'database pending']);
  start();
  await until(async () => (await locations(id)).includes('database stored'), 15);
  expect(await locations(id)).toEqual(['main stored', 'database stored']);
});

test('a plain upload enqueues nothing', async () => {
  await t.close();
  t = await createTestApp();
  await runMigrations({ connectionString: t.connectionString });
  await upload();
  await sleep(100);
  expect(await jobs()).toBe(0);
});

test('jobs go on after the database has cut all connections', async () => {
  start();
  const first = await upload();
  await until(async () => (await locations(first)).includes('database stored'), 15);
  const admin = new pg.Client({ connectionString: t.connectionString });
  await admin.connect();
  await admin.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  await admin.end();
  const second = await upload();
  await until(async () => (await locations(second)).includes('database stored'), 25);
  expect(await locations(second)).toHaveLength(2);
});
