import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeLease } from '../../../src/db/leases.ts';
import { findRunFilesDue } from '../../../src/db/runs/runs.ts';
import { refreshRun, secondsToNextRunFiles, writeDueRunFiles } from '../../../src/domain/run-folder/refresh-files.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { png } from '../../support/sample-files.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let memory: MemoryStore;
beforeEach(async () => {
  const { kind, made } = memoryKind();
  t = await createTestApp({ STORES: 'one:memory', STORAGE_PRIMARY: 'one' }, {}, { ...DRIVERS, memory: kind });
  const found = made.get('one');
  if (!found) throw new Error('no store');
  memory = found;
});
afterEach(() => t.close());

const post = (url: string, payload: object) => t.app.inject({ method: 'POST', url, headers: asUser('alice'), payload });
const begin = async (more: object = {}): Promise<string> =>
  (await post('/v1/runs', { inputText: 'a fox', ...more })).json<{ runId: string }>().runId;
const text = (runId: string, name: string) => memory.objects.get(`runs/${runId}/${name}`)?.bytes.toString();
const read = (runId: string) => JSON.parse(text(runId, 'metadata.json') ?? '{}') as Record<string, unknown>;
/** Changes the run as another process would, whose files are still to be written. */
const change = (runId: string, set: object = {}) =>
  t.deps.db
    .updateTable('runs')
    .set({ written_revision: 0, ...set })
    .where('id', '=', runId)
    .execute();
const row = (runId: string) =>
  t.deps.db.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirstOrThrow();
const due = () => t.deps.db.updateTable('runs').set({ due_at: '2000-01-01' }).execute();

test('the files of a run are written when it has changed, and not when they are current', async () => {
  const runId = await begin({ transformedText: 'a red fox' });
  expect([text(runId, 'input_text.txt'), text(runId, 'transformed_text.txt')]).toEqual(['a fox', 'a red fox']);
  const types = [...memory.objects].map(([key, { contentType }]) => `${key.split('/').at(-1)} ${contentType}`);
  expect(types.toSorted()).toEqual([
    'input_text.txt text/plain; charset=utf-8',
    'metadata.json application/json',
    'transformed_text.txt text/plain; charset=utf-8',
  ]);
  memory.objects.clear();
  await refreshRun(t.deps, runId);
  expect(memory.objects.size).toBe(0);
  await change(runId);
  await refreshRun(t.deps, runId);
  expect([...memory.objects.keys()]).toEqual([`runs/${runId}/metadata.json`]);
  await refreshRun(t.deps, undefined);
  await refreshRun(t.deps, null);
  await refreshRun(t.deps, 'no-run');
});

test('a large metadata.json is left to a worker while a caller waits, unless the run has ended', async () => {
  const runId = await begin();
  memory.objects.clear();
  await change(runId, { metadata_bytes: 256 * 1024 + 1 });
  await refreshRun(t.deps, runId);
  expect(memory.objects.size).toBe(0);
  await refreshRun(t.deps, runId, 'large');
  expect(read(runId)).toMatchObject({ run_id: runId });
  memory.objects.clear();
  await change(runId, { metadata_bytes: 256 * 1024 });
  await refreshRun(t.deps, runId);
  expect(memory.objects.size).toBe(1);
});

test('a write that fails is retried by a worker: all files, later each time', async () => {
  const runId = await begin();
  memory.down = true;
  await change(runId);
  await refreshRun(t.deps, runId);
  expect(await row(runId)).toMatchObject({ attempts: 1, texts_due: true, last_error: expect.any(String) });
  expect(await secondsToNextRunFiles(t.deps)).toBeGreaterThan(3);
  expect(await secondsToNextRunFiles(t.deps)).toBeLessThanOrEqual(5);
  expect(await writeDueRunFiles(t.deps)).toEqual({ written: 0, failed: 0 });
  await due();
  expect(await writeDueRunFiles(t.deps)).toEqual({ written: 0, failed: 1 });
  expect(await secondsToNextRunFiles(t.deps)).toBeGreaterThan(8);
  expect(await secondsToNextRunFiles(t.deps)).toBeLessThanOrEqual(10);
  memory.down = false;
  memory.objects.clear();
  await expect
    .poll(async () => {
      await due();
      return await writeDueRunFiles(t.deps);
    })
    .toEqual({ written: 1, failed: 0 });
  expect([...memory.objects.keys()].map((key) => key.split('/').at(-1) ?? '').toSorted()).toEqual([
    'input_text.txt',
    'metadata.json',
  ]);
  expect(await row(runId)).toMatchObject({ attempts: 0, texts_due: false, last_error: null });
});

test('the pause after many failures has a bound', async () => {
  const runId = await begin();
  await change(runId, { attempts: 20 });
  memory.down = true;
  await refreshRun(t.deps, runId);
  const seconds = await secondsToNextRunFiles(t.deps);
  expect(seconds).toBeGreaterThan(290);
  expect(seconds).toBeLessThanOrEqual(300);
});

test('a worker writes all runs that are due, and starts none after its end or an abort', async () => {
  const ids = [];
  for (let count = 0; count < 12; count += 1) ids.push(await begin());
  await due();
  memory.objects.clear();
  expect(await writeDueRunFiles(t.deps, AbortSignal.abort())).toEqual({ written: 0, failed: 0 });
  expect(await writeDueRunFiles(t.deps, undefined, Date.now() - 1)).toEqual({ written: 0, failed: 0 });
  expect(await writeDueRunFiles(t.deps)).toEqual({ written: 12, failed: 0 });
  for (const runId of ids) expect(read(runId)).toMatchObject({ run_id: runId, input_text: 'a fox' });
  // Even those that are current: the store may have lost a late write.
  expect(memory.objects.size).toBe(24);
  expect(await secondsToNextRunFiles(t.deps)).toBeUndefined();
});

test('while another writer is active, nobody else writes', async () => {
  const runId = await begin();
  const lease = await takeLease(t.deps.db, `run ${runId}`, 60);
  await change(runId);
  memory.objects.clear();
  await refreshRun(t.deps, runId);
  expect(memory.objects.size).toBe(0);
  await lease?.release();
  await refreshRun(t.deps, runId);
  expect(memory.objects.size).toBe(1);
  expect(await findRunFilesDue(t.deps.db, runId)).toMatchObject({ written: true });
});

test('a run whose store is no longer configured moves to the primary one, with all of its files', async () => {
  const runId = await begin();
  await change(runId, { store: 'gone' });
  memory.objects.clear();
  await refreshRun(t.deps, runId);
  expect(await row(runId)).toMatchObject({ store: 'one' });
  expect(text(runId, 'input_text.txt')).toBe('a fox');
  expect(read(runId)).toMatchObject({ run_id: runId });
});

test('outputs come first; failures and what was deleted are among the records', async () => {
  const runId = await begin();
  const source = (salt: number) => ({ type: 'base64', data: png(3, 3, salt).toString('base64') });
  const add = async (payload: object) =>
    (await post(`/v1/runs/${runId}/media`, payload)).json<{ items: { id: string }[] }>().items[0]?.id;
  const kept = await add({ source: source(1) });
  expect(read(runId)).not.toHaveProperty('records');
  const failed = (await post('/v1/media', { runId, status: 'failed', error: 'no' })).json<{ id: string }>().id;
  const deleted = await add({ source: source(2) });
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${deleted}`, headers: asUser('alice') });
  const ids = (name: string) => (read(runId)[name] as { item_id: string }[]).map(({ item_id }) => item_id);
  expect(ids('outputs')).toEqual([kept]);
  expect(new Set(ids('records'))).toEqual(new Set([failed, deleted]));
});

test('metadata.json names the file of an output, the URL of an item elsewhere, and neither of a failure', async () => {
  const runId = await begin();
  const add = (payload: object) => post(`/v1/runs/${runId}/media`, payload);
  await add({ source: { type: 'base64', data: png(3, 3, 1).toString('base64') } });
  await add({ status: 'failed', error: 'no' });
  const storageUrl = 'https://cdn.example.com/a.png';
  await post('/v1/media', { runId, source: { type: 'external', storageUrl, storageProvider: 'cdn' } });
  const { outputs, records } = read(runId) as Record<string, Record<string, unknown>[]>;
  const places = (entries: Record<string, unknown>[] = []) =>
    entries.map((entry) =>
      ['filename', 'store', 'object', 'storage_url', 'storage_provider'].flatMap((name) =>
        name in entry ? [`${name} ${String(entry[name])}`] : [],
      ),
    );
  expect(places(outputs)).toEqual([['filename output_image.png']]);
  for (const entry of [...(outputs ?? []), ...(records ?? [])]) expect(entry).not.toHaveProperty('tool_name');
  expect(places(records)).toEqual([[], [`storage_url ${storageUrl}`, 'storage_provider cdn']]);
});
