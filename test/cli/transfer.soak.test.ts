import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sweepIntents } from '../../src/domain/staging/sweep.ts';
import { filesBelow } from '../support/storage/local-volume.ts';
import { bigPng } from '../support/sample-files.ts';
import { slowRows } from '../support/database/slow-rows.ts';
import { type Outcome, runCommand, settingsOf } from '../support/run-command.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let archive: string;
const env = () => ({ ...settingsOf(t), STORES: 'archive:local', ARCHIVE_ROOT: archive });

beforeEach(async () => {
  archive = await mkdtemp(path.join(tmpdir(), 'mediakeep-archive-'));
  t = await createTestApp({ STORAGE_PRIMARY: 'database', STORES: 'archive:local', ARCHIVE_ROOT: archive });
});
afterEach(async () => {
  await t.close();
  await rm(archive, { recursive: true, force: true });
});

const mediakeep = (...args: string[]): Promise<Outcome> => runCommand(args, env());
const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await mediakeep(...args, '--json');
  return { code, stderr, ...(JSON.parse(stdout || '{}') as Record<string, unknown>) };
};

async function store(count: number, { user = 'a', bytes = 30_000, query = '' } = {}): Promise<Map<string, string>> {
  const stored = new Map<string, string>();
  for (let index = 0; index < count; index += 1) {
    const payload = bigPng(bytes + index, index);
    const headers = { ...asUser(user), 'content-type': 'image/png' };
    const response = await t.app.inject({ method: 'POST', url: `/v1/media?filename=a.png${query}`, headers, payload });
    expect(response.statusCode).toBe(201);
    stored.set(response.json().id, createHash('sha256').update(payload).digest('hex'));
  }
  return stored;
}
const item = async (id: string) => (await t.app.inject({ url: `/v1/media/${id}`, headers: asAdmin() })).json();
const served = async (id: string) =>
  createHash('sha256')
    .update((await t.app.inject({ url: `/v1/media/${id}/content?proxy=1`, headers: asAdmin() })).rawPayload)
    .digest('hex');
const blobs = async () =>
  (await sql<{ count: number }>`SELECT count(*)::integer AS count FROM stored_blobs`.execute(t.deps.db)).rows[0]?.count;
const intents = () => t.deps.db.selectFrom('storage_intents').selectAll().execute();

test('items move with their bytes verified, keep their URL, and leave nothing behind', async () => {
  const stored = await store(12);
  const plan = await mediakeep('move', '--from', 'database', '--to', 'local', '--dry-run');
  expect(plan).toMatchObject({ code: 0, stdout: '12 items to move from database to local (0.3 MiB)\n' });
  expect(await blobs()).toBe(12);

  const moved = await json('move', '--from', 'database', '--to', 'local');
  expect(moved).toMatchObject({ code: 0, copied: 12, present: 0, failed: [], interrupted: false });
  for (const [id, sha256] of stored) {
    const record = await item(id);
    expect(record.storageProvider).toBe('local');
    expect(record.locations).toMatchObject([{ store: 'local', state: 'stored', sha256 }]);
    expect(Date.parse(record.locations[0].verifiedAt)).toBeGreaterThan(Date.now() - 60_000);
    expect(await served(id)).toBe(sha256);
    const address = new URL(record.storageUrl).pathname;
    expect(address).toMatch(/^\/uploads\/outputs\//);
    expect((await t.app.inject({ url: address, headers: asUser('a') })).statusCode).toBe(200);
  }
  expect([await blobs(), await intents()]).toEqual([0, []]);

  // And back again: the local URLs still lead to the bytes.
  const [first = ''] = stored.keys();
  const address = new URL((await item(first)).storageUrl).pathname;
  await json('move', '--from', 'local', '--to', 'database');
  expect((await item(first)).storageUrl).toBe(`http://media.test/v1/media/${first}/content`);
  expect((await t.app.inject({ url: address, headers: asUser('a') })).headers['x-storage-provider']).toBe('database');
  expect(await filesBelow(t.volume)).toEqual([]);
  expect(await json('move', '--from', 'local', '--to', 'database')).toMatchObject({
    copied: 0,
    present: 0,
    failed: [],
  });
});

test('filters restrict it, --keep leaves the old copies, deleted items are included', async () => {
  const [mine, theirs] = [await store(3), await store(3, { user: 'b' })];
  const tagged = await store(1, { query: '&tags=keep' });
  const [gone = ''] = mine.keys();
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${gone}`, headers: asUser('a') });
  expect(await json('move', '--from', 'database', '--to', 'local', '--user', 'a', '--keep')).toMatchObject({
    copied: 4,
  });
  expect(await blobs()).toBe(7);
  for (const id of theirs.keys()) expect((await item(id)).storageProvider).toBe('database');
  const [kept = ''] = tagged.keys();
  expect((await item(kept)).storageProvider).toBe('local');
  expect((await item(kept)).locations).toHaveLength(2);
  await t.app.inject({ method: 'POST', url: `/v1/media/${gone}/restore`, headers: asUser('a') });
  expect((await item(gone)).storageProvider).toBe('local');
  // An existing copy in the target is read and compared before the old copy is dropped.
  const again = await json('move', '--from', 'database', '--to', 'local', '--tag', 'keep');
  expect(again).toMatchObject({ copied: 0, present: 1 });
  expect((await item(kept)).locations).toMatchObject([{ store: 'local' }]);
  expect(await blobs()).toBe(6);
});

test('a mirror copies only what is missing', async () => {
  const stored = await store(5);
  expect(await mediakeep('mirror', '--to', 'archive', '--dry-run')).toMatchObject({
    stdout: expect.stringMatching(/^5 items to mirror to archive/),
  });
  expect(await json('mirror', '--to', 'archive')).toMatchObject({ code: 0, copied: 5 });
  await store(1);
  expect(await json('mirror', '--to', 'archive')).toMatchObject({ code: 0, copied: 1, present: 0 });
  for (const id of stored.keys()) {
    const { locations, storageProvider } = await item(id);
    expect(storageProvider).toBe('database');
    expect(locations.map((location: { store: string }) => location.store)).toEqual(['database', 'archive']);
  }
  expect(await blobs()).toBe(6);
});

test('an item whose source copy is damaged is not moved; the run names it and ends as partly done', async () => {
  const stored = await store(3);
  const [broken = ''] = stored.keys();
  const { storageKey } = await item(broken);
  await sql`
    UPDATE stored_blob_chunks SET bytes = overlay(stored_blob_chunks.bytes PLACING '\\x00ff00ff'::bytea FROM 100) FROM stored_blobs
    WHERE stored_blobs.blob_id = stored_blob_chunks.blob_id AND key = ${storageKey}`.execute(t.deps.db);
  const { code, stdout, stderr } = await mediakeep('move', '--from', 'database', '--to', 'local');
  expect([code, stdout]).toEqual([3, expect.stringMatching(/^3 items: 2 moved .* 1 failed/)]);
  expect(stderr).toContain(`failed  item ${broken}: The store 'database' gave`);
  expect((await item(broken)).locations).toMatchObject([{ store: 'database', state: 'stored' }]);
  expect(await blobs()).toBe(1);
  expect(await filesBelow(t.volume)).toHaveLength(2);
});

test('killed anywhere and restarted, a transfer loses and duplicates nothing', { timeout: 120_000 }, async () => {
  const stored = await store(60, { bytes: 900_000 });
  const left = async () => (await blobs()) ?? 0;
  let killed = 0;
  const atOnce = await slowRows(t.deps.db, { table: 'stored_blobs', on: 'DELETE', seconds: 0.1 });
  for (const after of [3, 15, 30]) {
    const child: ChildProcess = spawn(
      process.execPath,
      ['src/cli/bin.js', 'move', '--from', 'database', '--to', 'local', '--concurrency', '4'],
      { env: env(), stdio: 'ignore' },
    );
    const ended = new Promise((resolve) => child.on('close', resolve));
    while ((await left()) > 60 - after && child.exitCode === null) await sleep(2);
    if (child.kill('SIGKILL')) killed += 1;
    await ended;
    // Everything stays readable in between.
    const [some = ''] = [...stored.keys()].slice(after);
    expect(await served(some)).toBe(stored.get(some));
    await t.deps.db.updateTable('storage_intents').set({ leased_until: '2000-01-01' }).execute();
  }
  expect(killed).toBe(3);
  await atOnce();
  const last = await json('move', '--from', 'database', '--to', 'local');
  expect(last).toMatchObject({ code: 0, failed: [] });
  for (const [id, sha256] of stored) {
    expect((await item(id)).locations).toMatchObject([{ store: 'local', sha256 }]);
    expect(await served(id)).toBe(sha256);
  }
  // Intents name what the killed runs left unfinished, and sweeps remove it.
  await t.deps.db.updateTable('storage_intents').set({ leased_until: '2000-01-01' }).execute();
  await sweepIntents(t.deps);
  expect(await filesBelow(t.volume)).toHaveLength(60);
  expect([await blobs(), await intents()]).toEqual([0, []]);
});

test('uploads, reads and deletions go on while items move', async () => {
  const stored = await store(40, { bytes: 200_000 });
  const moving = json('move', '--from', 'database', '--to', 'local');
  const [purged = ''] = [...stored.keys()].slice(-1);
  const reading = (async () => {
    for (const [id, sha256] of stored) if (id !== purged) expect(await served(id)).toBe(sha256);
  })();
  await store(5, { bytes: 100_000 });
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${purged}?purge=true`, headers: asUser('a') });
  await reading;
  expect(await moving).toMatchObject({ code: 0, failed: [] });
  for (const [id, sha256] of stored) if (id !== purged) expect(await served(id)).toBe(sha256);
  const { items } = (await t.app.inject({ url: '/v1/media?limit=200', headers: asUser('a') })).json();
  expect(((await blobs()) ?? 0) + (await filesBelow(t.volume)).length).toBe(items.length);
  expect(await intents()).toEqual([]);
});

test('unknown stores, equal stores and invalid times are usage errors that say what to change', async () => {
  expect(await mediakeep('move', '--from', 'database', '--to', 'nowhere')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/no store 'nowhere'; there are: .*database/),
  });
  expect(await mediakeep('move', '--from', 'local', '--to', 'local')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('different ones'),
  });
  expect(await mediakeep('mirror', '--to', 'local', '--created-after', 'soon')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--created-after.*soon.*Give a time like/s),
  });
  expect(await mediakeep('move', '--to', 'local')).toMatchObject({ code: 2 });
});

test('without PUBLIC_BASE_URL the command warns which URLs it writes', async () => {
  await store(1);
  const command = ['src/cli/bin.js', 'mirror', '--to', 'archive'];
  const run = promisify(execFile)(process.execPath, command, { env: { ...env(), PUBLIC_BASE_URL: '' } });
  expect((await run).stderr).toContain('PUBLIC_BASE_URL is not set');
  expect((await mediakeep('mirror', '--to', 'archive')).stderr).not.toContain('PUBLIC_BASE_URL');
});
