// Case numbers in titles are those of the table in docs/threat-model.md.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { sql } from 'kysely';
import { openDatabase } from '../../../src/db/database.ts';
import { migrate, migrationNames } from '../../../src/db/schema/migrator.ts';
import { readCatalogue } from '../../support/database/catalogue.ts';
import { splitAgain } from '../../../src/domain/search/split-again.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';
import { runBlockedMigration } from './blocked-migration.ts';
import { type Dump, loadDump } from './dump.ts';

const USER_32 = 'u'.repeat(32);

// Started first and awaited last: it waits for 10 s.
let blocked: Promise<void>;
beforeAll(() => {
  blocked = runBlockedMigration();
  blocked.catch(() => {});
});

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function database(dump?: Dump): Promise<TestDatabase & { client: pg.Client }> {
  const made = await createTestDatabase('empty');
  const client = new pg.Client({ connectionString: made.connectionString });
  await client.connect();
  closers.push(async () => {
    await client.end();
    await made.drop();
  });
  if (dump) await loadDump(made.connectionString, dump);
  return { ...made, client };
}

test('the older table without rows gets the schema of a new database too', async () => {
  const fresh = await database();
  const older = await database('seed');
  await older.client.query('TRUNCATE generated_images RESTART IDENTITY');
  for (const { connectionString } of [fresh, older]) await migrate(connectionString);
  expect(await readCatalogue(older.client)).toEqual(await readCatalogue(fresh.client));
});

test('every column, default and index of the older table keeps its name, and types only get wider', async () => {
  const { client, connectionString } = await database('seed');
  const columnsOf = async () =>
    (
      await client.query<{ column_name: string; column_default: string; is_nullable: string; type: string }>(
        `SELECT column_name, column_default, is_nullable, data_type || coalesce(character_maximum_length::text, '') AS type
         FROM information_schema.columns WHERE table_name = 'generated_images'`,
      )
    ).rows;
  const columns = await columnsOf();
  const { indexes, constraints } = await readCatalogue(client);
  await migrate(connectionString);
  const wider: Record<string, string> = { user_id: 'text', bytes: 'bigint' };
  const columnsNow = await columnsOf();
  for (const column of columns)
    expect(columnsNow).toContainEqual({ ...column, type: wider[column.column_name] ?? column.type });
  const now = await readCatalogue(client);
  expect(now.indexes).toEqual(expect.arrayContaining(indexes));
  expect(now.constraints).toEqual(expect.arrayContaining(constraints));
});

test('migrating again changes nothing, even when the records of migrations are lost', async () => {
  const { client, connectionString } = await database('seed');
  const rows = async () =>
    (
      await client.query(
        `SELECT md5(string_agg((id, user_id, prompt, bytes, sha256, tags, metadata, created_at)::text, '|' ORDER BY id)) FROM generated_images`,
      )
    ).rows;
  const before = await rows();
  expect(await migrate(connectionString)).toEqual({ applied: await migrationNames(), waited: false });
  const schema = await readCatalogue(client);
  expect(await migrate(connectionString)).toEqual({ applied: [], waited: false });
  await client.query('DELETE FROM kysely_migration');
  expect((await migrate(connectionString)).applied).toEqual(await migrationNames());
  expect(await readCatalogue(client)).toEqual(schema);
  expect(await rows()).toEqual(before);
});

test('rows of the older system are read, searched and tagged through the API', async () => {
  const t: TestApp = await createTestApp();
  closers.push(() => t.close());
  const client = new pg.Client({ connectionString: t.connectionString });
  await client.connect();
  // The service has opened this database already; the older system's takes its place.
  await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await client.end();
  await loadDump(t.connectionString, 'seed');
  await migrate(t.connectionString);
  const get = async (url: string, headers = asUser(USER_32)) => {
    const response = await t.app.inject({ url, headers });
    expect([url, response.statusCode, response.statusCode === 200 ? '' : response.body]).toEqual([url, 200, '']);
    return response.json();
  };
  const ids = async (url: string, headers = asUser(USER_32)) =>
    (await get(url, headers)).items.map((item: { id: string }) => item.id);
  expect(await get('/v1/media/1')).toMatchObject({
    userId: USER_32,
    tags: ['portrait', 'Ünï'],
    metadata: { filename: 'a.png' },
    bytes: 524288,
    createdAt: '2025-12-11T01:00:00.123456Z',
    storageUrl: 'https://raw.githubusercontent.com/o/r/main/file-library/a.png',
    locations: [],
    mediaType: 'image',
  });
  expect(await get('/v1/media/2')).toMatchObject({ tags: [], metadata: {}, bytes: null, mimeType: null });
  expect(await get('/v1/media/3')).toMatchObject({ metadata: { value: [1, { k: 2 }] }, storageProvider: 'omega' });
  expect(await get('/v1/media/4', asUser('1'))).toMatchObject({ metadata: {}, prompt: '', storageProvider: null });
  expect(await get('/v1/media/5')).toMatchObject({ status: 'error', storageUrl: null, storageProvider: null });
  expect(await ids('/v1/media')).toEqual(['5', '3', '2', '1']);
  expect(await ids('/v1/media', asAdmin())).toHaveLength(5);
  expect(await ids(`/v1/media?userId=${USER_32}&limit=200`, asAdmin())).toHaveLength(4);
  await splitAgain(t.deps);
  expect(await ids('/v1/media?q=sunset')).toEqual(['1']);
  expect(await ids('/v1/media?q=mountains%20beautiful')).toEqual(['1']);
  expect(await ids('/v1/media?tag=portrait')).toEqual(['1']);
  expect(await ids('/v1/media?requestId=req-1')).toEqual(['1']);
  expect(await ids('/v1/media?storageProvider=omega')).toEqual(['5', '3']);
  expect(await ids('/v1/failures')).toEqual(['5']);
  const tags = await get('/v1/tags');
  expect(JSON.stringify(tags)).toContain('portrait');
  expect(JSON.stringify(tags)).not.toContain('null');
  await get('/v1/stats', asAdmin());
  const paged: string[] = [];
  let cursor = '';
  for (;;) {
    const page = await get(`/v1/media?limit=1${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    paged.push(...page.items.map((item: { id: string }) => item.id));
    if (page.nextCursor === null || page.nextCursor === undefined) break;
    cursor = page.nextCursor;
  }
  expect(paged).toEqual(['5', '3', '2', '1']);
  const patched = await t.app.inject({
    method: 'PATCH',
    url: '/v1/media/2',
    headers: { 'content-type': 'application/json', ...asUser(USER_32) },
    payload: { tags: ['new'] },
  });
  expect(patched.json()).toMatchObject({ tags: ['new'], prompt: 'no tags, no metadata' });
  expect(await ids('/v1/media?tag=new')).toEqual(['2']);
});

/** Migrates in another process, as a replica does. */
function migrateInProcess(connectionString: string): Promise<{ applied: string[]; waited: boolean }> {
  const module = fileURLToPath(new URL('../../../src/db/schema/migrator.ts', import.meta.url));
  const script = `import { migrate } from ${JSON.stringify(module)}; console.log(JSON.stringify(await migrate(${JSON.stringify(connectionString)})));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(output)) : reject(new Error(output))));
  });
}

test('case 103: two processes that migrate a database with rows at once: one does it, one waits, neither deadlocks', async () => {
  const { client, connectionString } = await database('seed');
  await client.query(`INSERT INTO generated_images (user_id, prompt, storage_url)
    SELECT 'u' || i % 100, 'prompt number ' || i || repeat(' word' || i, 20), 'https://x.example/' || i FROM generate_series(1, 20000) i`);
  const reports = await Promise.all([migrateInProcess(connectionString), migrateInProcess(connectionString)]);
  expect(reports.map((report) => report.applied.length).toSorted((a, b) => a - b)).toEqual([
    0,
    (await migrationNames()).length,
  ]);
  expect(reports.find((report) => report.applied.length === 0)?.waited).toBe(true);
  const invalid = await client.query('SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid');
  expect(invalid.rows).toEqual([]);
  const fresh = await database();
  await migrate(fresh.connectionString);
  expect(await readCatalogue(client)).toEqual(await readCatalogue(fresh.client));
});

test('the next migration rebuilds an index whose CREATE INDEX CONCURRENTLY was interrupted', async () => {
  const { client, connectionString } = await database('seed');
  await migrate(connectionString);
  const schema = await readCatalogue(client);
  const name = 'generated_images_scene_version';
  await client.query(`DROP INDEX ${name}; DELETE FROM kysely_migration`);
  const scene = `'6f1c7f0e-0000-4000-8000-000000000001', 's', 1`;
  await client.query(`UPDATE generated_images SET (project_id, scene_id, version) = (${scene}) WHERE id IN (1, 2)`);
  const broken = client.query(
    `CREATE UNIQUE INDEX CONCURRENTLY ${name} ON generated_images (project_id, scene_id, version) WHERE project_id IS NOT NULL`,
  );
  await expect(broken).rejects.toMatchObject({ code: '23505' });
  await client.query('UPDATE generated_images SET version = id');
  const valid = async () =>
    (await client.query(`SELECT indisvalid FROM pg_index WHERE indexrelid = '${name}'::regclass`)).rows[0]?.indisvalid;
  expect(await valid()).toBe(false);
  await migrate(connectionString);
  expect(await valid()).toBe(true);
  expect(await readCatalogue(client)).toEqual(schema);
});

// oxlint-disable-next-line vitest/expect-expect -- blocked-migration.ts asserts
test('a migration that cannot lock a table gives up after 10 s, changes nothing, and works later', () => blocked);

test('a database that a newer version has migrated is refused by the name of its migration', async () => {
  const newer = await createTestDatabase();
  const { db, close } = openDatabase({ connectionString: newer.connectionString, poolMax: 2, statementTimeoutMs: 0 });
  await sql`INSERT INTO kysely_migration (name, timestamp) VALUES ('9999_future', '2030-01-01')`.execute(db);
  await expect(migrate(newer.connectionString)).rejects.toThrow(/newer version \(9999_future\)/);
  await close();
  await newer.drop();
});
