import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { repeatWith } from '../../src/background/repeat.ts';
import { keepFetches } from '../../src/domain/pending/fetch-lease.ts';
import { keepLease } from '../../src/domain/staging/intent-lease.ts';
import { watchStores } from '../../src/storage/stores/health-monitor.ts';
import { type Worker, startWorker } from '../../src/workers/worker.ts';
import { png } from '../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let worker: Worker | undefined;
beforeEach(async () => {
  t = await createTestApp({
    STORAGE_MIRRORS: 'database',
    COMFYUI_URL: 'http://127.0.0.1:9',
    DATABASE_POOL_MAX: '15',
  });
});
afterEach(async () => {
  vi.useRealTimers();
  await worker?.stop();
  worker = undefined;
  await t.close();
});

const start = () => (worker = startWorker(t.deps, { connectionString: t.connectionString, concurrency: 2 }));
const rename = (from: string, to: string) =>
  sql`ALTER TABLE ${sql.table(from)} RENAME TO ${sql.id(to)}`.execute(t.deps.db);
const hide = (tables: readonly string[]) =>
  Promise.all(tables.map((table) => rename(table, `${table.split('.').at(-1)}_hidden`)));
const bringBack = (tables: readonly string[]) =>
  Promise.all(
    tables.map((table) => {
      const [name, schema] = table.split('.').toReversed();
      return rename(`${schema === undefined ? '' : `${schema}.`}${name}_hidden`, name ?? '');
    }),
  );

interface Check {
  name: string;
  ok: boolean;
  degraded?: boolean;
  reason?: string;
}
async function failing(): Promise<string[]> {
  const answer = await t.app.inject({ url: '/health/ready' });
  expect(answer.statusCode).toBe(200);
  const checks = (answer.json().checks as Check[]).filter((check) => !check.ok);
  for (const check of checks) {
    expect(check.degraded).toBe(true);
    // For operators, without names of tables or hosts.
    expect(check.reason).toMatch(/^failing since \d{4}-[\d-]+T[\d:.]+Z: (The log has the reason\.|The database .*)$/);
  }
  return checks.map(({ name }) => name).toSorted();
}
async function metric(name: string, part: string): Promise<number> {
  const text = (await t.app.inject({ url: '/metrics' })).body;
  return Number(new RegExp(`^${name}\\{part="${part}"\\} (\\S+)$`, 'm').exec(text)?.[1]);
}
const upload = async () => {
  const headers = { ...asUser('a'), 'content-type': 'image/png' };
  const answer = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: png() });
  expect(answer.statusCode).toBe(201);
  return answer.json().id as string;
};
const logged = (message: string, part: string) =>
  t
    .logged()
    .split('\n')
    .filter((line) => line.includes(message) && line.includes(`"part":"${part}"`)).length;

/** The part that fails without each table. */
const NEEDS = {
  events: 'media_event_outbox',
  totals: 'media_rollup_marks',
  sweeps: 'storage_intents',
  downloads: 'fetches',
  comfyui: 'generation_jobs',
  'run-files': 'runs',
  'old-webhooks': 'webhook_deliveries',
  copies: 'media_locations',
} as const;
/** Metrics that read one of those tables. */
const COUNTS = ['metrics-copies', 'metrics-fetches', 'metrics-totals'];

test('every part that loses its table fails visibly, and recovers when the table is back', async () => {
  const tables = Object.values(NEEDS);
  const parts = [...Object.keys(NEEDS), ...COUNTS].toSorted();
  const checks = parts.map((name) => `background:${name}`);
  await hide(tables);
  start();
  await expect
    .poll(async () => ((await metric('mediakeep_background_part_up', 'events')) === 0 ? failing() : []))
    .toEqual(checks);
  for (const part of parts) expect([part, await metric('mediakeep_background_part_up', part)]).toEqual([part, 0]);
  expect(await t.app.inject({ url: '/metrics' })).toMatchObject({ statusCode: 200 });
  await bringBack(tables);
  await expect.poll(failing, { timeout: 75_000 }).toEqual([]);
  for (const part of parts) {
    expect([part, await metric('mediakeep_background_part_up', part)]).toEqual([part, 1]);
    // Not one line per attempt.
    expect([part, logged('background part failed', part)]).toEqual([part, 1]);
    expect([part, logged('background part recovered', part)]).toEqual([part, 1]);
  }
  for (const part of ['events', 'totals', 'sweeps'])
    expect(await metric('mediakeep_background_restarts_total', part)).toBeGreaterThan(0);
  // Everything works again: copies are made, totals counted, events numbered.
  const id = await upload();
  const item = async () => (await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('a') })).json();
  await expect
    .poll(async () => (await item()).locations.map((each: { state: string }) => each.state), { timeout: 30_000 })
    .toEqual(['stored', 'stored']);
  await expect.poll(async () => (await t.app.inject({ url: '/v1/stats', headers: asAdmin() })).json().total).toBe(1);
  await expect.poll(async () => (await sql`SELECT 1 FROM media_events`.execute(t.deps.db)).rows.length).toBe(1);
}, 120_000);

test('the job runner and the wake-up of workers survive the loss of the queue’s table', async () => {
  const jobs = ['graphile_worker._private_jobs'];
  start();
  const jobsTable = async () =>
    (await sql`SELECT to_regclass('graphile_worker._private_jobs') AS found`.execute(t.deps.db)).rows;
  await expect.poll(jobsTable).toEqual([{ found: 'graphile_worker._private_jobs' }]);
  await hide(jobs);
  // A copy is due, but the worker cannot be woken.
  const id = await upload();
  await expect.poll(failing).toEqual(['background:copies-wake-up', 'background:tasks']);
  expect(await metric('mediakeep_background_part_up', 'tasks')).toBe(0);
  await bringBack(jobs);
  await expect.poll(failing).toEqual([]);
  const item = async () => (await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('a') })).json();
  await expect
    .poll(async () => (await item()).locations.map((each: { state: string }) => each.state), { timeout: 30_000 })
    .toEqual(['stored', 'stored']);
});

test('the job runner starts as soon as the database accepts its connections', async () => {
  // Simulates an outage: no new connection is accepted.
  const [{ name } = { name: '' }] = (await sql<{ name: string }>`SELECT current_database() AS name`.execute(t.deps.db))
    .rows;
  const other = await createTestApp();
  const allow = (yes: boolean) =>
    sql`ALTER DATABASE ${sql.id(name)} ALLOW_CONNECTIONS ${sql.raw(String(yes))}`.execute(other.deps.db);
  try {
    await upload();
    await allow(false);
    start();
    await expect.poll(failing).toContain('background:tasks');
    await allow(true);
    await expect.poll(failing).toEqual([]);
  } finally {
    await allow(true);
    await other.close();
  }
});

test('leases of uploads and downloads are renewed again after an outage', async () => {
  const realTimeout = globalThis.setTimeout;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let broken = true;
  let renewed = 0;
  const renew = () => (broken ? Promise.reject(new Error('away')) : Promise.resolve((renewed += 1)));
  const fetches = keepFetches(t.deps, { itemId: '1' }, renew);
  const intent = { store: 'local', key: 'outputs/a/b.png' };
  const lease = keepLease(t.deps, intent, {
    onRenew: async () => {
      await renew();
    },
  });
  await sql`INSERT INTO storage_intents (store, key, leased_until) VALUES ('local', 'outputs/a/b.png', now() + interval '1 hour')`.execute(
    t.deps.db,
  );
  const leases = ['background:fetch-leases', 'background:upload-leases'];
  const settle = async (wanted: string[]) => {
    for (let turn = 0; turn < 500; turn += 1) {
      await vi.advanceTimersByTimeAsync(1000);
      // The database needs real time to answer.
      await new Promise((resolve) => realTimeout(resolve, 3));
      const failed = t.deps.background.states().filter(({ state }) => state === 'failing');
      if (JSON.stringify(failed.map(({ name }) => `background:${name}`).toSorted()) === JSON.stringify(wanted))
        return true;
    }
    return false;
  };
  expect(await settle(leases)).toBe(true);
  broken = false;
  expect(await settle([])).toBe(true);
  expect(renewed).toBeGreaterThan(1);
  expect(lease.signal.aborted).toBe(false);
  await fetches.stop();
  lease.stop();
});

test('the health monitor keeps checking stores after a failure of its own', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let broken = true;
  let asked = 0;
  const [store] = t.deps.stores.all;
  if (!store) throw new Error('no store');
  const watched = {
    ...store,
    available: () => {
      asked += 1;
      if (broken) throw new Error('broken');
      return true;
    },
  };
  const monitor = watchStores({ ...t.deps.stores, all: [watched] }, t.deps.log, repeatWith(t.deps.background));
  const state = () => t.deps.background.states().find(({ name }) => name === 'store-monitor')?.state;
  await vi.advanceTimersByTimeAsync(20_000);
  expect([state(), asked > 2]).toEqual(['failing', true]);
  broken = false;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(state()).toBe('running');
  monitor.stop();
});
