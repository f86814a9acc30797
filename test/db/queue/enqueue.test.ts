import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DOWNLOAD_PRIORITY, enqueue } from '../../../src/db/queue/enqueue.ts';
import { type TestApp, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

test('downloads run after all other due tasks', async () => {
  await enqueue(t.deps.db, 'fetch', 2);
  await enqueue(t.deps.db, 'fetch-at-hand');
  await enqueue(t.deps.db, 'comfyui', 1, 60);
  const { rows } = await sql<{ task: string; priority: number; soon: boolean }>`
    SELECT task_identifier AS task, priority, run_at < now() + interval '30 seconds' AS soon FROM graphile_worker.jobs ORDER BY 1`.execute(
    t.deps.db,
  );
  expect(rows).toEqual([
    { task: 'comfyui', priority: 0, soon: false },
    { task: 'fetch', priority: DOWNLOAD_PRIORITY, soon: true },
    { task: 'fetch', priority: DOWNLOAD_PRIORITY, soon: true },
    { task: 'fetch-at-hand', priority: 0, soon: true },
  ]);
});
