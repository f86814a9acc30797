import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand, settingsOf } from '../support/run-command.ts';
import { type TestApp, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let folder: string;
beforeAll(async () => {
  t = await createTestApp();
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-doctor-'));
});
afterAll(async () => {
  await t.close();
  await rm(folder, { recursive: true, force: true });
});

interface Report {
  ok: boolean;
  settings: Record<string, string>;
  checks: { check: string; state: string; message: string }[];
}

async function doctor(settings: Record<string, string>) {
  const { code, stdout, stderr } = await runCommand(['doctor', '--json'], settings);
  expect(stderr).toBe('');
  const report = JSON.parse(stdout) as Report;
  expect(code).toBe(report.ok ? 0 : 1);
  const found = (state: string) => report.checks.filter((check) => check.state === state);
  return { ...report, wrong: found('wrong'), warnings: found('warning'), output: stdout };
}

test('a service in order: versions, settings, database, clock, schema, store, workers; nothing is wrong', async () => {
  const { code, stdout } = await runCommand(['doctor'], settingsOf(t));
  expect(code).toBe(0);
  expect(stdout).toMatch(/^mediakeep \d+\.\d+\.\d+\n {2}node +v\d+/);
  for (const check of ['configuration', 'data folder', 'database', 'clock', 'schema', 'store local', 'workers'])
    // A disk with little room is a warning.
    expect(stdout).toMatch(new RegExp(`^ {2}(ok|warning) +${check} `, 'm'));
  expect(stdout).toMatch(/PostgreSQL \d+\.\d+ .*answers after \d+ ms/);
  expect(stdout).toMatch(/new files get their name by a (hard link|rename).*can be written/);
  expect(stdout).toMatch(/can be written.*\d+\.\d of \d+\.\d GiB free/);
  expect(stdout).toContain('Nothing is wrong.');
});

test('no secret is shown: of settings, of URLs, of named stores', async () => {
  const secret = 'correct-horse-battery-staple-correct';
  const { output, settings } = await doctor({
    ...settingsOf(t),
    DATABASE_URL: `postgres://me:${secret}@127.0.0.1:1/x?password=${secret}`,
    JWT_SECRET: secret,
    URL_SIGNING_KEYS: `k1:${secret}`,
    FAL_WEBHOOK_SECRET: secret,
    COMFYUI_URL: `http://me:${secret}@comfy.test/`,
    STORES: 'archive:s3',
    ARCHIVE_ACCESS_KEY_ID: 'key',
    ARCHIVE_SECRET_ACCESS_KEY: secret,
    ARCHIVE_BUCKET: 'archive',
    ARCHIVE_ENDPOINT: `http://me:${secret}@127.0.0.1:1`,
    UNRELATED: secret,
  });
  expect(output).not.toContain(secret);
  expect(settings).toMatchObject({
    DATABASE_URL: 'postgres://(hidden)@127.0.0.1:1/x',
    JWT_SECRET: '(set)',
    ARCHIVE_SECRET_ACCESS_KEY: '(set)',
    ARCHIVE_BUCKET: 'archive',
  });
  expect(settings).not.toHaveProperty('UNRELATED');
});

test('a database that is gone: its address and the cause', async () => {
  const { wrong, warnings } = await doctor({ ...settingsOf(t), DATABASE_URL: 'postgres://u:p@127.0.0.1:9/x' });
  expect(wrong).toEqual([{ check: 'database', state: 'wrong', message: expect.stringContaining('127.0.0.1:9') }]);
  expect(wrong[0]?.message).toContain('ECONNREFUSED');
  expect(warnings.map(({ check }) => check)).toEqual(['stores']);
});

test('a store that is gone: its address, the setting and the cause', async () => {
  const settings = {
    ...settingsOf(t),
    STORES: 'archive:s3',
    ARCHIVE_BUCKET: 'b',
    ARCHIVE_ENDPOINT: 'http://127.0.0.1:9',
  };
  const { wrong } = await doctor({
    ...settings,
    ARCHIVE_ACCESS_KEY_ID: 'a',
    ARCHIVE_SECRET_ACCESS_KEY: 'b'.repeat(32),
  });
  expect(wrong.map(({ check }) => check)).toEqual(['store archive']);
  expect(wrong[0]?.message).toMatch(/ARCHIVE_ENDPOINT.*http:\/\/127\.0\.0\.1:9.*ECONNREFUSED/);
});

test('wrong settings are named, and what can be tried without them is tried', async () => {
  const { wrong, checks } = await doctor({ ...settingsOf(t), PORT: 'eighty', STORAGE_PRIMARY: 'tape' });
  expect(wrong.map(({ check }) => check)).toEqual(['configuration', 'configuration']);
  expect(wrong.map(({ message }) => message).join()).toMatch(/PORT.*eighty[\s\S]*tape/);
  expect(checks.find(({ check }) => check === 'database')?.state).toBe('ok');
});

test('tasks that nobody takes, and a schema that differs', async () => {
  const other = await createTestApp();
  const { db } = other.deps;
  await sql`INSERT INTO graphile_worker._private_tasks (identifier) VALUES ('test') ON CONFLICT DO NOTHING`.execute(db);
  await sql`SELECT graphile_worker.add_job('test', run_at := now() - interval '1 hour', job_key := 'test')`.execute(db);
  await sql`ALTER TABLE media_locations DROP COLUMN owned`.execute(db);
  const { wrong } = await doctor({ ...settingsOf(other) });
  expect(wrong.map(({ check }) => check).toSorted()).toEqual(['schema', 'workers']);
  expect(wrong.find(({ check }) => check === 'schema')?.message).toContain('owned');
  expect(wrong.find(({ check }) => check === 'workers')?.message).toMatch(/^1 tasks? /);
  await other.close();
});

test('before the first start nothing is made', async () => {
  const { ok, checks } = await doctor({ DATA_DIR: path.join(folder, 'data') });
  expect(ok).toBe(true);
  expect(checks.find(({ check }) => check === 'database')?.message).toContain('first start');
  expect(await readdir(folder)).toEqual([]);
});

test.skipIf(process.getuid?.() === 0)('a data folder that this user may not write', async () => {
  await chmod(folder, 0o500);
  const { wrong } = await doctor({ DATA_DIR: path.join(folder, 'data') });
  await chmod(folder, 0o700);
  expect(wrong).toMatchObject([{ check: 'data folder', message: expect.stringContaining(folder) }]);
});
