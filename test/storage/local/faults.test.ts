// Case numbers in titles are those of the table in docs/threat-model.md.
import { chmod, mkdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { sweepIntents } from '../../../src/domain/staging/sweep.ts';
import { openServices } from '../../../src/process/open-database.ts';
import { filesBelow } from '../../support/storage/local-volume.ts';
import { canMount, remount, smallVolume } from '../../support/storage/mounts.ts';
import { bigPng, png } from '../../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

const MOUNTS = canMount();
const ROOT = process.getuid?.() === 0;
const KIB = 1024;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});
async function start(env: Record<string, string> = {}): Promise<TestApp> {
  const t = await createTestApp(env);
  closers.push(() => t.close());
  return t;
}

const post = (t: TestApp, payload: Buffer) =>
  t.app.inject({ method: 'POST', url: '/v1/media', headers: { 'content-type': 'image/png', ...asUser('a') }, payload });
const content = (t: TestApp, id: string) => t.app.inject({ url: `/v1/media/${id}/content`, headers: asUser('a') });
async function ready(t: TestApp): Promise<{ status: number; failed: string[] }> {
  const response = await t.app.inject({ url: '/health/ready' });
  const checks = response.json().checks as { name: string; ok: boolean }[];
  return { status: response.statusCode, failed: checks.filter((check) => !check.ok).map((check) => check.name) };
}
const intents = (t: TestApp) => t.deps.db.selectFrom('storage_intents').selectAll().execute();
const GREEN = { status: 200, failed: [] };
const RED = { status: 503, failed: ['store:local'] };
const FULL = { status: 200, failed: ['store:local'] };

test('case 100: an unmounted volume answers 503 for writes and reads, nothing is written under it, and it comes back', async () => {
  const t = await start();
  const file = png(1, 1, 1);
  const { id, storageKey } = (await post(t, file)).json();
  expect(await ready(t)).toEqual(GREEN);
  await rename(t.volume, `${t.volume}.away`);
  await mkdir(t.volume);
  const write = await post(t, png(1, 1, 2));
  expect(write.json()).toMatchObject({ status: 503, code: 'store_unavailable' });
  expect(write.headers['retry-after']).toBeDefined();
  expect((await content(t, id)).json()).toMatchObject({ status: 503, code: 'store_unavailable' });
  expect(await ready(t)).toEqual(RED);
  expect(await filesBelow(t.volume)).toEqual([]);
  await rm(t.volume, { recursive: true });
  await rename(`${t.volume}.away`, t.volume);
  expect((await content(t, id)).rawPayload.equals(file)).toBe(true);
  expect((await post(t, png(1, 1, 3))).statusCode).toBe(201);
  expect(await ready(t)).toEqual(GREEN);
  expect(await filesBelow(t.volume)).toContain(storageKey);
});

test('case 100: a purge while the volume is away is finished by a sweep when it is back', async () => {
  const t = await start();
  const { id, storageKey } = (await post(t, png(1, 1, 1))).json();
  await rename(t.volume, `${t.volume}.away`);
  await mkdir(t.volume);
  const purged = await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}?purge=true`, headers: asUser('a') });
  expect(purged.statusCode).toBe(204);
  expect(await intents(t)).toMatchObject([{ key: storageKey }]);
  await t.deps.db.updateTable('storage_intents').set({ leased_until: '2000-01-01' }).execute();
  expect(await sweepIntents(t.deps)).toEqual({ removed: 0, failed: 1 });
  await rm(t.volume, { recursive: true });
  await rename(`${t.volume}.away`, t.volume);
  await t.deps.db.updateTable('storage_intents').set({ leased_until: '2000-01-01' }).execute();
  expect(await sweepIntents(t.deps)).toEqual({ removed: 1, failed: 0 });
  expect(await filesBelow(t.volume)).toEqual([]);
  expect(await intents(t)).toEqual([]);
});

test('case 100: without its sentinel, or with another volume’s, the volume takes nothing; files that are there are served', async () => {
  const t = await start();
  const file = png(1, 1, 1);
  const { id } = (await post(t, file)).json();
  const sentinel = path.join(t.volume, '.mediakeep-volume');
  const identity = await readFile(sentinel, 'utf8');
  await unlink(sentinel);
  expect((await post(t, png(1, 1, 2))).json()).toMatchObject({ status: 503, code: 'store_unavailable' });
  await writeFile(sentinel, '6f1c7f0e-0000-4000-8000-000000000000\n');
  expect((await post(t, png(1, 1, 2))).json()).toMatchObject({ status: 503, code: 'store_unavailable' });
  expect((await content(t, id)).rawPayload.equals(file)).toBe(true);
  await writeFile(sentinel, identity);
  expect((await post(t, png(1, 1, 2))).statusCode).toBe(201);
  expect(await ready(t)).toEqual(GREEN);
});

test('case 100: a start on an empty folder whose volume is known already is refused with what to do', async () => {
  const t = await start();
  await rename(t.volume, `${t.volume}.away`);
  const config = loadConfig({ JWT_SECRET, DATA_DIR: path.dirname(t.volume) });
  const again = openServices(config, t.connectionString, t.deps.log);
  await expect(again).rejects.toThrow(/is not the volume that it was .*mount the volume/);
  expect(await filesBelow(t.volume)).toEqual([]);
});

test.skipIf(ROOT && !MOUNTS)('case 100: a read-only volume answers 503 for writes and goes on serving', async () => {
  const volume = MOUNTS ? await smallVolume('8m') : undefined;
  if (volume) closers.push(() => volume.close());
  const t = await start(volume && { LOCAL_ROOT: volume.folder });
  const folder = volume?.folder ?? t.volume;
  const file = png(1, 1, 1);
  const { id, storageKey } = (await post(t, file)).json();
  const folders = [folder, path.join(folder, path.dirname(storageKey))];
  const turn = async (mode: 'ro' | 'rw') => {
    if (volume) remount(folder, mode);
    else for (const each of folders) await chmod(each, mode === 'ro' ? 0o555 : 0o755);
  };
  await turn('ro');
  const write = await post(t, png(1, 1, 2));
  expect(write.json()).toMatchObject({ status: 503, code: 'store_unavailable' });
  expect(write.body).not.toContain(folder);
  expect((await content(t, id)).rawPayload.equals(file)).toBe(true);
  expect(await ready(t)).toEqual(RED);
  await turn('rw');
  expect((await post(t, png(1, 1, 3))).statusCode).toBe(201);
  expect(await ready(t)).toEqual(GREEN);
  expect(await filesBelow(folder)).toHaveLength(2);
});

test.runIf(MOUNTS)(
  'case 99: a full volume answers 507, keeps nothing of the upload, goes on serving and takes what fits',
  async () => {
    const volume = await smallVolume('2m');
    closers.push(() => volume.close());
    const t = await start({ LOCAL_ROOT: volume.folder });
    const file = bigPng(1200 * KIB, 1);
    const { id, storageKey } = (await post(t, file)).json();
    const full = await post(t, bigPng(1200 * KIB, 2));
    expect(full.json()).toMatchObject({ status: 507, code: 'storage_full' });
    expect(full.headers['retry-after']).toBeDefined();
    expect(await filesBelow(volume.folder)).toEqual([storageKey]);
    expect(await intents(t)).toEqual([]);
    expect((await content(t, id)).rawPayload.equals(file)).toBe(true);
    // No breaker opens because of it, however often.
    for (let attempt = 0; attempt < 6; attempt += 1)
      expect((await post(t, bigPng(1200 * KIB, 3))).statusCode).toBe(507);
    // Reads go on, so the replica stays in service and reports what it lacks.
    expect(await ready(t)).toEqual(FULL);
    expect((await post(t, bigPng(300 * KIB, 4))).statusCode).toBe(201);
    expect(await ready(t)).toEqual(GREEN);
  },
);

test.runIf(MOUNTS)('case 99: through a socket, the sender of a body that no longer fits hears 507', async () => {
  const volume = await smallVolume('1m');
  closers.push(() => volume.close());
  const t = await start({ LOCAL_ROOT: volume.folder });
  const address = await t.listen();
  const send = async (bytes: number) => {
    const headers = { 'content-type': 'image/png', ...asUser('a') };
    return fetch(`${address}/v1/media`, { method: 'POST', headers, body: new Uint8Array(bigPng(bytes, 1)) });
  };
  const response = await send(16 * KIB * KIB);
  expect(response.status).toBe(507);
  expect(await response.json()).toMatchObject({ code: 'storage_full' });
  expect(await filesBelow(volume.folder)).toEqual([]);
  expect((await send(100 * KIB)).status).toBe(201);
});

if (!MOUNTS)
  process.stdout.write(
    `case 99${ROOT ? ' and the read-only volume are' : ' is'} not tested: this process may not mount\n`,
  );

test('two stores in one folder are refused at the start, because one copy would count as two', async () => {
  const env = { STORES: 'archive:local', ARCHIVE_ROOT: '/tmp/mediakeep-never-made' };
  const first = await createTestApp();
  const same = { ...env, ARCHIVE_ROOT: first.volume, LOCAL_ROOT: first.volume };
  await expect(createTestApp(same)).rejects.toThrow(
    /'local' and 'archive' are the same place|'archive' and 'local' are/,
  );
  await first.close();
});
