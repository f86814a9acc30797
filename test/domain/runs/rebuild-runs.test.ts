import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RebuildOptions, rebuildRuns } from '../../../src/domain/runs/rebuild-runs.ts';
import { commitRun } from '../../../src/domain/runs/rebuild-commit.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { png } from '../../support/sample-files.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let stores: Map<string, MemoryStore>;
beforeEach(async () => {
  const { kind, made } = memoryKind();
  stores = made;
  const env = { STORES: 'one:memory,two:memory', STORAGE_PRIMARY: 'one' };
  t = await createTestApp(env, {}, { ...DRIVERS, memory: kind });
});
afterEach(() => t.close());

const alice = asUser('alice');
const post = (url: string, payload: object) => t.app.inject({ method: 'POST', url, headers: alice, payload });
const picture = (salt: number) => ({ source: { type: 'base64', data: png(3, 3, salt).toString('base64') } });
const get = async (url: string) => (await t.app.inject({ url, headers: asAdmin() })).json();
const put = (store: string, key: string, content: Buffer | object) =>
  stores.get(store)?.objects.set(`runs/${key}`, {
    bytes: Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content)),
    contentType: 'application/octet-stream',
    modifiedAt: new Date(),
  });
const forget = () =>
  sql`TRUNCATE generated_images, media_locations, runs, run_slots, storage_intents, idempotency_keys RESTART IDENTITY CASCADE`.execute(
    t.deps.db,
  );
const rebuild = (more: Partial<RebuildOptions> = {}) =>
  rebuildRuns(t.deps, {
    from: 'one',
    takeUnnamed: false,
    commit: (found) => commitRun(t.deps, found),
    concurrency: 2,
    signal: new AbortController().signal,
    onProgress: () => {},
    ...more,
  });

test('items come back with their ids and times: made, changed, deleted', async () => {
  const { runId } = (await post('/v1/runs', { inputText: 'a fox' })).json<{ runId: string }>();
  const ids: string[] = [];
  for (const salt of [1, 2, 3]) ids.push((await post(`/v1/runs/${runId}/media`, picture(salt))).json().items[0].id);
  const [plain = '', changed = '', deleted = ''] = ids;
  await t.app.inject({ method: 'PATCH', url: `/v1/media/${changed}`, headers: alice, payload: { prompt: 'an owl' } });
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${deleted}`, headers: alice });
  const times = async () => {
    const { rows } = await sql<Record<string, string | null>>`
      SELECT id, created_at, coalesce(updated_at, created_at) AS updated_at, deleted_at FROM generated_images ORDER BY id`.execute(
      t.deps.db,
    );
    return rows;
  };
  const before = await times();
  expect(before.map((row) => [row['id'], row['updated_at'] !== row['created_at'], row['deleted_at'] !== null])).toEqual(
    [
      [plain, false, false],
      [changed, true, false],
      [deleted, true, true],
    ],
  );
  const item = await get(`/v1/media/${changed}`);
  await forget();
  const bytes = [1, 2, 3].reduce((sum, salt) => sum + png(3, 3, salt).length, 0);
  expect(await rebuild()).toMatchObject({ runs: 1, items: 3, bytes, failed: [] });
  expect(await times()).toEqual(before);
  expect(await get(`/v1/media/${changed}`)).toMatchObject({ prompt: 'an owl', updatedAt: item.updatedAt });
  // Published URLs contain the ids, so new items get others.
  const { id } = (await post('/v1/media', picture(4))).json<{ id: string }>();
  expect(Number(id)).toBeGreaterThan(Math.max(...ids.map(Number)));
});

test('a file that lies in another store is read there, if that store is configured', async () => {
  const outputs = [
    { filename: 'output_image.png', store: 'two' },
    { filename: 'output_image_2.png', store: 'gone' },
    { filename: 'output_image_3.png' },
    { filename: 'output_image_4.png', store: 'two' },
  ];
  put('one', 'r/metadata.json', { run_id: 'r', user_id: 'alice', outputs });
  put('two', 'r/output_image.png', png(3, 3, 1));
  const { items, failed } = await rebuild();
  expect(items).toBe(1);
  expect(failed).toEqual([
    { path: 'runs/r/output_image_2.png', reason: expect.stringContaining("'gone', which is not configured here") },
    { path: 'runs/r/output_image_3.png', reason: 'The file is missing.' },
    { path: 'runs/r/output_image_4.png', reason: expect.stringContaining("'two' no longer has these bytes") },
  ]);
  const run = await get('/v1/runs/r');
  expect(run.items).toMatchObject([{ storageProvider: 'two', storageKey: 'runs/r/output_image.png' }]);
  const content = await t.app.inject({ url: `/v1/media/${run.items[0].id}/content`, headers: asAdmin() });
  expect(content.rawPayload.equals(png(3, 3, 1))).toBe(true);
});

test('a folder without metadata.json is taken if its owner is said, and that all files are wanted', async () => {
  put('one', 'bare/output_image.png', png(3, 3, 1));
  put('one', 'bare/input_text.txt', Buffer.from('a fox'));
  const refused = [{ path: 'runs/bare', reason: expect.stringContaining('--take-unnamed and --user') }];
  expect(await rebuild()).toMatchObject({ items: 0, failed: refused });
  expect(await rebuild({ user: 'alice' })).toMatchObject({ items: 0, failed: refused });
  expect(await rebuild({ takeUnnamed: true })).toMatchObject({ items: 0, failed: refused });
  expect(await rebuild({ takeUnnamed: true, user: 'alice' })).toMatchObject({ runs: 1, items: 1, failed: [] });
  expect(await get('/v1/runs/bare')).toMatchObject({ userId: 'alice', inputText: 'a fox', items: [{}] });
});

test('a file that is named twice becomes one item', async () => {
  const outputs = [{ filename: 'output_image.png' }, { filename: 'output_image.png', prompt: 'again' }];
  put('one', 'r/metadata.json', { run_id: 'r', user_id: 'alice', outputs });
  put('one', 'r/output_image.png', png(3, 3, 1));
  expect(await rebuild()).toMatchObject({ items: 1, present: 0, failed: [] });
  expect((await get('/v1/runs/r')).items).toHaveLength(1);
});

test('while a file is written or removed it is left out, and said so', async () => {
  put('one', 'r/metadata.json', { run_id: 'r', user_id: 'alice', outputs: [{ filename: 'output_image.png' }] });
  put('one', 'r/output_image.png', png(3, 3, 1));
  const intent = { store: 'one', key: 'runs/r/output_image.png', leased_until: '2100-01-01' };
  await t.deps.db.insertInto('storage_intents').values(intent).execute();
  expect(await rebuild()).toMatchObject({
    items: 0,
    failed: [{ reason: expect.stringContaining('just being written') }],
  });
  await t.deps.db.deleteFrom('storage_intents').execute();
  expect(await rebuild()).toMatchObject({ items: 1, failed: [] });
});

test('an item whose bytes had not come comes back as a failure that says so', async () => {
  const records = [
    { item_id: '7', type: 'image', status: 'pending', prompt: 'a fox' },
    { item_id: '8', type: 'image', status: 'failed', error: 'out of memory' },
  ];
  put('one', 'r/metadata.json', { run_id: 'r', user_id: 'alice', outputs: [], records });
  expect(await rebuild()).toMatchObject({ items: 2, bytes: 0, failed: [] });
  expect((await get('/v1/runs/r')).items).toMatchObject([
    { id: '7', status: 'failed', error: 'Its bytes had not been fetched.', prompt: 'a fox' },
    { id: '8', status: 'failed', error: 'out of memory' },
  ]);
  expect(await rebuild()).toMatchObject({ items: 0, present: 2, failed: [] });
});
