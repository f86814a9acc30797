import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../support/sample-files.ts';
import { slowRows } from '../support/database/slow-rows.ts';
import { type Outcome, runCommand, settingsOf } from '../support/run-command.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let folder: string;
beforeAll(async () => {
  t = await createTestApp();
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-import-'));
});
afterAll(async () => {
  await t.close();
  await rm(folder, { recursive: true, force: true });
});

const mediakeep = (...args: string[]): Promise<Outcome> => runCommand(args, settingsOf(t));

async function write(name: string, bytes: Buffer): Promise<void> {
  await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
  await writeFile(path.join(folder, name), bytes);
}

async function itemsOf(
  user: string,
): Promise<{ sha256: string; filename: string; generatedAt: string; storageKey: string }[]> {
  return (await t.app.inject({ url: '/v1/media?limit=200', headers: asUser(user) })).json().items;
}

test('a volume laid out as outputs/{userId}/ is stored under its users; a second run duplicates nothing', async () => {
  for (let n = 0; n < 6; n += 1)
    await write(`volume/outputs/user-${n % 2}/${n > 3 ? 'sub/' : ''}pic ${n}.png`, png(1, 1, n));
  await write('volume/outputs/user-0/notes.txt', Buffer.from('only words here'));
  await write('volume/outputs/user-0/.hidden.png', png(1, 1, 50));
  const first = await mediakeep('import', path.join(folder, 'volume'), '--json');
  expect(first.stderr).toBe('');
  expect(JSON.parse(first.stdout)).toMatchObject({
    files: 7,
    stored: 6,
    present: 0,
    failed: [],
    skipped: [{ path: 'outputs/user-0/notes.txt' }],
  });
  for (const root of ['volume', 'volume/outputs']) {
    expect(JSON.parse((await mediakeep('import', path.join(folder, root), '--json')).stdout)).toMatchObject({
      stored: 0,
      present: 6,
    });
  }
  const items = await itemsOf('user-1');
  expect(items.some((item) => /^outputs\/user-1\/sub\/pic-5-[0-9a-f]{16}\.png$/.test(item.storageKey))).toBe(true);
  expect(items.map((item) => item.sha256)).toContain(
    createHash('sha256')
      .update(png(1, 1, 5))
      .digest('hex'),
  );
});

test('a dry run counts what would be stored and what is no media, and stores nothing', async () => {
  for (let n = 0; n < 3; n += 1) await write(`dry/${n}.png`, png(1, 1, 300 + n));
  await write('dry/notes.txt', Buffer.from('only words here'));
  await write('dry/empty.png', Buffer.alloc(0));
  const args = ['import', path.join(folder, 'dry'), '--user', 'dry'];
  const bytes = png(1, 1, 300).length + png(1, 1, 301).length + png(1, 1, 302).length;
  const dry = await mediakeep(...args, '--dry-run', '--json');
  expect(dry.code).toBe(0);
  const summary = { files: 5, stored: 3, bytes, present: 0, failed: [] };
  expect(JSON.parse(dry.stdout)).toMatchObject({ ...summary, dryRun: true });
  expect(await itemsOf('dry')).toEqual([]);
  const asText = await mediakeep(...args, '--dry-run');
  expect(asText.stdout).toContain('5 files: 3 to store');
  expect(asText.stderr).toContain('skipped notes.txt: ');
  expect(JSON.parse((await mediakeep(...args, '--json')).stdout)).toMatchObject(summary);
  expect(JSON.parse((await mediakeep(...args, '--dry-run', '--json')).stdout)).toMatchObject({ stored: 0, present: 3 });
});

test('a file that has changed is stored as a new item', async () => {
  await write('changing/a.png', png(1, 1, 60));
  await mediakeep('import', path.join(folder, 'changing'), '--user', 'changer');
  await write('changing/a.png', png(1, 1, 61));
  const second = await mediakeep('import', path.join(folder, 'changing'), '--user', 'changer');
  expect(second.stdout).toContain('1 files: 1 stored');
  expect(await itemsOf('changer')).toHaveLength(2);
});

test('an import that is interrupted anywhere is completed by the next run, without duplicates', async () => {
  for (let n = 0; n < 150; n += 1) await write(`long/${n}.png`, png(1, 1, 1000 + n));
  const args = [
    'src/cli/bin.js',
    'import',
    path.join(folder, 'long'),
    '--user',
    'patient',
    '--concurrency',
    '1',
    '--json',
  ];
  const atOnce = await slowRows(t.deps.db, { table: 'generated_images', on: 'INSERT', seconds: 0.03 });
  const first = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], ...settingsOf(t) },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | null>((resolve) => first.on('close', resolve));
  let output = '';
  first.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  while ((await itemsOf('patient')).length === 0) await sleep(10);
  first.kill('SIGINT');
  expect(await ended).toBe(130);
  const { stored, interrupted } = JSON.parse(output) as { stored: number; interrupted: boolean };
  expect(interrupted).toBe(true);
  expect(stored).toBeLessThan(150);
  await atOnce();
  const second = JSON.parse(
    (await mediakeep('import', path.join(folder, 'long'), '--user', 'patient', '--json')).stdout,
  );
  expect(second).toMatchObject({ stored: 150 - stored, present: stored, failed: [] });
  expect(await itemsOf('patient')).toHaveLength(150);
});

test('a folder without users requires --user, and a path that is no folder is named in the error', async () => {
  await write('flat/a.png', png());
  expect((await mediakeep('import', path.join(folder, 'flat'))).stderr).toContain('--user ID');
  expect(await mediakeep('import', path.join(folder, 'none'), '--user', 'x')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is not a folder'),
  });
});

test("the store's own volume is not imported into itself", async () => {
  expect((await mediakeep('import', t.volume, '--user', 'x')).stderr).toContain("store's own volume");
});

test('verify reports a complete schema, and what is missing with exit code 1', async () => {
  expect(await mediakeep('verify')).toMatchObject({ code: 0, stdout: 'the schema is complete\n' });
  const { sql } = await import('kysely');
  await sql`DROP INDEX idx_generated_images_tags_gin`.execute(t.deps.db);
  await sql`DROP VIEW current_scene_images CASCADE`.execute(t.deps.db);
  await sql`ALTER TABLE generated_images DROP COLUMN thumbhash, ALTER COLUMN size TYPE TEXT`.execute(t.deps.db);
  const broken = await mediakeep('verify', '--json');
  expect(broken.code).toBe(1);
  expect(JSON.parse(broken.stdout).problems).toEqual([
    'column generated_images.size has type text, not character varying(20)',
    'column generated_images.thumbhash is missing',
    'index idx_generated_images_tags_gin is missing',
    'view current_scene_images is missing',
  ]);
});

test('migrate brings the database up to date, and a wrong option is a usage error', async () => {
  expect((await mediakeep('migrate')).stdout).toBe('the database is up to date\n');
  expect((await mediakeep('migrate', '--nonsense')).code).toBe(2);
});
