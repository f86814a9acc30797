import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JobHelpers, runMigrations } from 'graphile-worker';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DRIVERS } from '../../src/storage/stores/registry.ts';
import { downloads } from '../../src/workers/task-slots.ts';
import { type Worker, startWorker } from '../../src/workers/worker.ts';
import { type MemoryStore, memoryKind } from '../support/storage/memory-driver.ts';
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
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    WEBHOOK_SECRET_RUNPOD: 'hook',
  };
  t = await createTestApp(env, {}, { ...DRIVERS, memory: kind });
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await t.close();
});

const start = () => workers.push(startWorker(t.deps, { connectionString: t.connectionString, concurrency: 2 }));
const tryUpload = () => {
  const headers = { ...asUser('a'), 'content-type': 'image/png' };
  return t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: png() });
};
const upload = async () => (await tryUpload()).json().id as string;
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

test('an upload while the store is down fails back by itself when the store is back, its mirror copies are made, no task is left running', async () => {
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

test('work that was requested while no worker ran is done by the next one', async () => {
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

test('tasks go on after the database has cut all connections', async () => {
  start();
  const first = await upload();
  await until(async () => (await locations(first)).includes('database stored'), 15);
  const admin = new pg.Client({ connectionString: t.connectionString });
  await admin.connect();
  await admin.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  await admin.end();
  let answer = await tryUpload();
  // A caller that gets a connection that has just been cut is told to retry.
  for (; answer.statusCode === 503; answer = await tryUpload()) expect(answer.headers['retry-after']).toBeDefined();
  expect(answer.statusCode).toBe(201);
  const second: string = answer.json().id;
  await until(async () => (await locations(second)).includes('database stored'), 25);
  expect(await locations(second)).toHaveLength(2);
});

test('however many downloads wait and however slow they are, other tasks get through; then each is made', async () => {
  const held = new Set<() => void>();
  let holding = true;
  const origin = createServer((request, response) => {
    const salt = Number.parseInt(request.url?.slice(1) ?? '', 10);
    const answer = () => response.writeHead(200, { 'content-type': 'image/png' }).end(png(3, 3, salt));
    if (holding) held.add(answer);
    else answer();
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const { port } = origin.address() as AddressInfo;
  try {
    await runMigrations({ connectionString: t.connectionString });
    const images = Array.from({ length: 12 }, (_value, n) => ({
      type: 's3_url',
      data: `http://127.0.0.1:${port}/${n}`,
    }));
    const told = await t.app.inject({
      method: 'POST',
      url: '/v1/webhooks/runpod?secret=hook&userId=a',
      payload: { id: 'slow', status: 'COMPLETED', output: { images } },
    });
    expect(told.statusCode).toBe(200);
    start();
    await until(async () => held.size > 1, 15);
    const id = await upload();
    await until(async () => (await locations(id)).includes('database stored'), 15);
    // The requested number of downloads, and one slot more for others.
    expect(held.size).toBe(2);
    holding = false;
    for (const answer of held) answer();
    const stored = async () =>
      (await t.app.inject({ url: '/v1/media?jobId=slow&status=success', headers: asUser('a') })).json().items.length;
    await until(async () => (await stored()) === 12, 30);
    await until(async () => (await jobs()) === 0, 15);
  } finally {
    origin.closeAllConnections();
    origin.close();
  }
}, 60_000);

test('a backlog of downloads is processed in turns, with limited concurrency', async () => {
  const added: string[] = [];
  const helpers = { addJob: async (name: string) => void added.push(name) } as unknown as JobHelpers;
  let running = 0;
  let most = 0;
  let due = 40;
  const next = async () => {
    if (due === 0) return undefined;
    due -= 1;
    running += 1;
    most = Math.max(most, running);
    await sleep(1);
    running -= 1;
    return {};
  };
  const download = downloads(next, 3);
  await Promise.all(Array.from({ length: 9 }, () => download({}, helpers)));
  expect([due, most, added]).toEqual([0, 3, []]);
  // Its time is over after the first: the rest is left to another task.
  due = 3;
  await downloads(next, 3, 0)({}, helpers);
  expect([due, added]).toEqual([2, ['fetches']]);
  await downloads(next, 1)({}, helpers);
  expect([due, added]).toEqual([0, ['fetches']]);
});

test('a download that arrives while others find nothing is not lost with the task that was sent away', async () => {
  const helpers = { addJob: async () => {} } as unknown as JobHelpers;
  const gate = Promise.withResolvers<void>();
  let due = 0;
  let done = 0;
  const download = downloads(async () => {
    const found = due > 0;
    if (found) due -= 1;
    else await gate.promise;
    if (found) done += 1;
    return found ? {} : undefined;
  }, 1);
  const looking = download({}, helpers);
  due = 1;
  await download({}, helpers);
  gate.resolve();
  await looking;
  expect(done).toBe(1);
});
