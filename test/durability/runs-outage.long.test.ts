import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePendingCopies } from '../../src/domain/copies/pending-copies.ts';
import { refreshRun, writeDueRunFiles } from '../../src/domain/run-folder/refresh-files.ts';
import { sweepIntents } from '../../src/domain/staging/sweep.ts';
import { transferItems } from '../../src/domain/copies/transfer.ts';
import { DRIVERS } from '../../src/storage/stores/registry.ts';
import { type MemoryStore, memoryKind } from '../support/storage/memory-driver.ts';
import { bigPng, png } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let main: MemoryStore;
let mirror: MemoryStore;

beforeEach(async () => {
  const { kind, made } = memoryKind();
  const env = {
    STORES: 'main:memory,copy:memory',
    STORAGE_PRIMARY: 'main',
    STORAGE_FALLBACKS: 'database',
    STORAGE_MIRRORS: 'copy',
    DATABASE_POOL_MAX: '10',
  };
  t = await createTestApp(env, {}, { ...DRIVERS, memory: kind });
  main = made.get('main') as MemoryStore;
  mirror = made.get('copy') as MemoryStore;
});
afterEach(() => t.close());

const post = (url: string, payload: object) => t.app.inject({ method: 'POST', url, headers: asUser('a'), payload });
const begin = async () => (await post('/v1/runs', { inputText: 'a red fox' })).json().runId as string;
const add = (runId: string, salt: number) =>
  post(`/v1/runs/${runId}/media`, { source: { type: 'base64', data: png(1, 1, salt).toString('base64') } });
const metadata = (runId: string) =>
  JSON.parse(main.objects.get(`runs/${runId}/metadata.json`)?.bytes.toString() ?? '{}');
const filenames = (runId: string) =>
  metadata(runId).outputs?.map(({ filename, store }: { filename: string; store?: string }) =>
    store === undefined ? filename : `${store}:${filename}`,
  );
const due = () => sql`UPDATE runs SET due_at = now() WHERE due_at IS NOT NULL`.execute(t.deps.db);
const waiting = async () =>
  (await sql<{ id: string }>`SELECT id FROM runs WHERE due_at IS NOT NULL`.execute(t.deps.db)).rows.length;
/** Simulates that a quarter of an hour has passed. */
const later = () =>
  sql`UPDATE runs SET uncertain_at = uncertain_at - interval '1 hour', due_at = now() WHERE due_at IS NOT NULL`.execute(
    t.deps.db,
  );

test('a run begun while its store is down gets its folder when the store is back, and its outputs fail back', async () => {
  main.down = true;
  const runId = await begin();
  const [first, second] = [await add(runId, 1), await add(runId, 2)];
  expect([first.statusCode, first.json().items[0].storageProvider]).toEqual([201, 'database']);
  expect(second.json().items[0].storageKey).toMatch(new RegExp(`^runs/${runId}/output_image(_[0-9])?.png$`));
  expect(await writeDueRunFiles(t.deps)).toEqual({ written: 0, failed: 0 });
  await due();
  expect((await writeDueRunFiles(t.deps)).failed).toBe(1);
  main.down = false;
  await t.deps.stores.primary.healthy();
  await due();
  expect((await writeDueRunFiles(t.deps)).written).toBe(1);
  expect(main.objects.get(`runs/${runId}/input_text.txt`)?.bytes.toString()).toBe('a red fox');
  expect(filenames(runId)).toEqual(['database:output_image.png', 'database:output_image_2.png']);
  await makePendingCopies(t.deps);
  for (const name of filenames(runId)) {
    expect(name).toMatch(/^output_image(_[0-9])?\.png$/);
    expect(main.objects.has(`runs/${runId}/${name}`)).toBe(true);
  }
  expect(filenames(runId)).toHaveLength(2);
  // Writes that the store may carry out late are repeated once more.
  expect(await waiting()).toBe(1);
  await later();
  await writeDueRunFiles(t.deps);
  expect(await waiting()).toBe(0);
});

test('a mirror has the outputs under the same names, and numbering goes on without gaps', async () => {
  const runId = await begin();
  await add(runId, 1);
  await makePendingCopies(t.deps);
  await add(runId, 2);
  await makePendingCopies(t.deps);
  const names = ['output_image.png', 'output_image_2.png'];
  expect(filenames(runId)).toEqual(names);
  expect([...mirror.objects.keys()]).toEqual(names.map((name) => `runs/${runId}/${name}`));
  await sweepIntents(t.deps);
  expect(main.objects.size).toBe(4);
});

test('an older metadata.json never replaces a newer one: a second writer leaves its change to the first', async () => {
  const runId = await begin();
  await add(runId, 1);
  const gate = Promise.withResolvers<void>();
  main.gate = gate.promise;
  await sql`UPDATE runs SET revision = revision + 1`.execute(t.deps.db);
  const slow = refreshRun(t.deps, runId);
  const leased = async () =>
    (await sql`SELECT 1 FROM leases WHERE name = ${`run ${runId}`}`.execute(t.deps.db)).rows.length > 0;
  while (!(await leased())) await new Promise((resolve) => setTimeout(resolve, 5));
  await sql`UPDATE runs SET revision = revision + 1, transformed_text = 'newer' WHERE id = ${runId}`.execute(t.deps.db);
  await refreshRun(t.deps, runId);
  expect(metadata(runId).transformed_text).toBeNull();
  main.gate = undefined;
  gate.resolve();
  await slow;
  expect(metadata(runId).transformed_text).toBe('newer');
  expect(await waiting()).toBe(0);
});

test('a writer of metadata.json does not write for others for ever: the rest becomes due', async () => {
  const runId = await begin();
  await add(runId, 1);
  let puts = 0;
  // Another writer changes the run whenever its folder is written.
  const change = async () => {
    puts += 1;
    if (puts > 20) return;
    await sql`UPDATE runs SET revision = revision + 1, metadata = jsonb_build_object('change', ${puts}::int),
      due_at = least(due_at, now() + interval '5 seconds')`.execute(t.deps.db);
  };
  Object.defineProperty(main, 'gate', { get: change, configurable: true });
  await sql`UPDATE runs SET revision = revision + 1`.execute(t.deps.db);
  await refreshRun(t.deps, runId);
  expect(puts).toBe(5);
  expect(metadata(runId).metadata).toEqual({ change: 4 });
  Object.defineProperty(main, 'gate', { value: undefined, writable: true });
  await due();
  expect(await writeDueRunFiles(t.deps)).toEqual({ written: 1, failed: 0 });
  expect(metadata(runId).metadata).toEqual({ change: 5 });
  expect(await waiting()).toBe(0);
});

test('metadata.json never names an output whose bytes do not exist', async () => {
  const runId = await begin();
  const gate = Promise.withResolvers<void>();
  main.gate = gate.promise;
  const adding = add(runId, 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(filenames(runId)).toEqual([]);
  expect((await t.app.inject({ url: `/v1/runs/${runId}`, headers: asUser('a') })).json().items).toEqual([]);
  gate.resolve();
  expect((await adding).statusCode).toBe(201);
  expect(filenames(runId)).toEqual(['output_image.png']);
});

test('a foreign file under the next name stays as it is, and the next attempt takes another name', async () => {
  const runId = await begin();
  const key = `runs/${runId}/output_image.png`;
  main.objects.set(key, { bytes: Buffer.from('theirs'), contentType: 'image/png', modifiedAt: new Date() });
  expect((await add(runId, 1)).json().code).toBe('object_taken');
  expect(main.objects.get(key)?.bytes.toString()).toBe('theirs');
  expect((await add(runId, 1)).json().items[0].storageKey).toBe(`runs/${runId}/output_image_2.png`);
});

test('items that are moved to another store keep their names, and metadata.json names their store', async () => {
  const runId = await begin();
  for (const salt of [1, 2]) await add(runId, salt);
  await makePendingCopies(t.deps);
  const summary = await transferItems(t.deps, {
    from: 'main',
    to: 'local',
    filter: {},
    keep: false,
    concurrency: 2,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  expect(summary).toMatchObject({ copied: 2, failed: [] });
  // The mirror has copies, too; the items' own stores count.
  expect(filenames(runId).map((name: string) => name.split(':')[1])).toEqual([
    'output_image.png',
    'output_image_2.png',
  ]);
  expect((await add(runId, 3)).json().items[0].storageKey).toBe(`runs/${runId}/output_image_3.png`);
  expect(filenames(runId).at(-1)).toBe('output_image_3.png');
});

test('an export ends when its reader disconnects, and leaves nothing open', async () => {
  const runId = await begin();
  const big = bigPng(8_000_000);
  const headers = { ...asUser('a'), 'content-type': 'image/png' };
  await t.app.inject({ method: 'POST', url: `/v1/runs/${runId}/media`, headers, payload: big });
  const address = await t.listen();
  const response = await fetch(`${address}/v1/runs/${runId}/export`, { headers: asUser('a') });
  const reader = response.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  await reader?.cancel();
  const again = await fetch(`${address}/v1/runs/${runId}/export`, { headers: asUser('a') });
  expect((await again.arrayBuffer()).byteLength).toBeGreaterThan(big.length);
});

test('an export fails when a store is unavailable, rather than look complete', async () => {
  const runId = await begin();
  await add(runId, 1);
  const address = await t.listen();
  main.down = true;
  const whole = await fetch(`${address}/v1/runs/${runId}/export`, { headers: asUser('a') })
    .then(async (response) => {
      await response.arrayBuffer();
      return response.status;
    })
    .catch(() => 'broken off');
  // If the store is found to be down before the first byte, the status can still say so.
  expect(['broken off', 503]).toContain(whole);
});
