import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorker } from '../../src/workers/worker.ts';
import { countBehind } from '../../src/db/search/rollups.ts';
import { png } from '../support/sample-files.ts';
import { runCommand, settingsOf } from '../support/run-command.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';
import { until } from '../support/until.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const mediakeep = async (...args: string[]): Promise<string> => (await runCommand(args, settingsOf(t))).stdout;

async function store(user: string, tag: string): Promise<void> {
  const headers = { ...asUser(user), 'content-type': 'image/png' };
  const response = await t.app.inject({ method: 'POST', url: `/v1/media?tags=${tag}`, headers, payload: png() });
  expect(response.statusCode, response.body).toBe(201);
}
const get = async (url: string, headers = asAdmin()) => (await t.app.inject({ url, headers })).json();

test("without workers an upload is counted when totals are read, and users do not see each other's totals", async () => {
  await store('ann', 'sea');
  await store('bob', 'hill');
  expect(await countBehind(t.deps.db)).toBe(2);
  expect(await get('/v1/stats', asUser('ann'))).toMatchObject({ total: 1, uniqueUsers: 1, behind: 0 });
  expect(await get('/v1/tags', asUser('ann'))).toEqual({ tags: [{ tag: 'sea', count: 1 }], behind: 0 });
  expect(await get('/v1/stats')).toMatchObject({ total: 2, uniqueUsers: 2, outsideDatabaseRatio: 1 });
  expect((await get('/v1/stats?userId=ann', asUser('bob'))).code).toBe('user_mismatch');
});

test('the gauge shows how many changes are uncounted, and background work counts them', async () => {
  await sql`INSERT INTO generated_images (prompt, storage_url, user_id) SELECT '', '', 'many' FROM generate_series(1, 3000)`.execute(
    t.deps.db,
  );
  const gauge = async () =>
    /^mediakeep_uncounted_changes (\d+)$/m.exec((await t.app.inject({ url: '/metrics' })).body)?.[1];
  expect(await gauge()).toBe('3000');
  // A reader does not wait for so many, and is told how many are missing.
  expect(await get('/v1/stats?userId=many')).toMatchObject({ total: 200, behind: 2800 });
  const worker = startWorker(t.deps, { connectionString: t.connectionString, concurrency: 1 });
  try {
    await until(async () => (await gauge()) === '0');
  } finally {
    await worker.stop();
  }
  expect(await get('/v1/stats?userId=many')).toMatchObject({ total: 3000, behind: 0 });
});

test('mediakeep rollups counts what is missing, or everything again', async () => {
  await sql`INSERT INTO generated_images (prompt, storage_url, user_id) VALUES ('', '', 'cleo')`.execute(t.deps.db);
  expect(JSON.parse(await mediakeep('rollups', '--json'))).toEqual({ counted: 1, interrupted: false });
  await sql`UPDATE media_rollup_counts SET items = items + 5`.execute(t.deps.db);
  expect((await get('/v1/stats?userId=cleo')).total).toBe(6);
  expect(await mediakeep('rollups', '--rebuild')).toBe('3003 changes counted\n');
  expect((await get('/v1/stats?userId=cleo')).total).toBe(1);
});
