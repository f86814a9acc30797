import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { openDatabase } from '../../../src/db/database.ts';
import { migrate, migrationNames, migrationState } from '../../../src/db/schema/migrator.ts';
import { verifySchema } from '../../../src/db/schema/verify.ts';
import { readCatalogue } from '../../support/database/catalogue.ts';
import { createTestDatabase } from '../../support/database/test-database.ts';
import { png } from '../../support/sample-files.ts';
import { asUser, createTestApp } from '../../support/test-app.ts';
import { loadDump } from './dump.ts';

const ALL = await migrationNames();

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function emptyDatabase(): Promise<{ client: pg.Client; connectionString: string }> {
  const database = await createTestDatabase('empty');
  const client = new pg.Client({ connectionString: database.connectionString });
  await client.connect();
  closers.push(async () => {
    await client.end();
    await database.drop();
  });
  return { client, connectionString: database.connectionString };
}

/** The rows of every table but Kysely's, as `{table: rows}`; each row has the named columns, or all. */
async function rowsOf(client: pg.Client, only?: Rows): Promise<Rows> {
  const tables = await client.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'kysely%' ORDER BY 1`,
  );
  const found: Rows = {};
  for (const { name } of tables.rows) {
    const [example] = only?.[name] ?? [];
    if (only && !example) continue;
    const { rows } = await client.query<{ row: Record<string, unknown> }>(
      `SELECT to_jsonb(t) AS row FROM ${name} AS t ORDER BY to_jsonb(t)::text`,
    );
    found[name] = rows.map(({ row }) =>
      example ? Object.fromEntries(Object.keys(example).map((column) => [column, row[column]])) : row,
    );
  }
  return found;
}

type Rows = Record<string, Record<string, unknown>[]>;

/** The rows of an earlier schema under the names that columns have now. */
function renamed({ fetches, ...rows }: Rows): Rows {
  const now = fetches?.map(({ dies_at, ...row }) => ({
    ...row,
    ...(dies_at !== undefined && { expires_at: dies_at }),
  }));
  return { ...rows, ...(now && { fetches: now }) };
}

test.each(['seed', 'four', 'eleven'] as const)(
  'the database of dumps/%s.sql gets the schema of a new one and keeps its rows, and the service stores and reads items in it',
  async (dump) => {
    const { client, connectionString } = await emptyDatabase();
    await loadDump(connectionString, dump);
    const before = await rowsOf(client);
    expect((await migrate(connectionString)).applied).toEqual(ALL);

    const fresh = await emptyDatabase();
    await migrate(fresh.connectionString);
    expect(await readCatalogue(client)).toEqual(await readCatalogue(fresh.client));
    const open = openDatabase({ connectionString, poolMax: 1, statementTimeoutMs: 10_000 });
    closers.push(() => open.close());
    expect(await verifySchema(open.db)).toEqual([]);
    const kept = renamed(before);
    expect(await rowsOf(client, kept)).toEqual(kept);
    const { rows } = await client.query('SELECT name FROM kysely_migration ORDER BY 1');
    expect(rows).toEqual(ALL.map((name) => ({ name })));
    expect(await migrate(connectionString)).toEqual({ applied: [], waited: false });

    const t = await createTestApp({ DATABASE_URL: connectionString });
    closers.push(() => t.close());
    const [item] = before['generated_images'] ?? [];
    const owner = asUser(String(item?.['user_id']));
    const old = await t.app.inject({ url: `/v1/media/${String(item?.['id'])}`, headers: owner });
    expect(old.json()).toMatchObject({ prompt: item?.['prompt'] });
    const file = png(1, 1, 7);
    const stored = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { 'content-type': 'application/json', ...owner },
      payload: { prompt: 'new', source: { type: 'base64', data: file.toString('base64') } },
    });
    expect([stored.statusCode, stored.body]).toEqual([201, expect.anything()]);
    const content = await t.app.inject({ url: `/v1/media/${stored.json().id}/content`, headers: owner });
    expect([content.statusCode, content.rawPayload]).toEqual([200, file]);
  },
);

test('the catalogue of a new database has objects of every kind, and notices an index, a default and a trigger that differ', async () => {
  const { client, connectionString } = await emptyDatabase();
  await migrate(connectionString);
  const catalogue = await readCatalogue(client);
  const { others, ...sections } = catalogue;
  expect(others).toEqual([]);
  for (const [section, lines] of Object.entries(sections)) expect([section, lines.length > 0]).toEqual([section, true]);
  for (const [section, change] of [
    ['indexes', 'DROP INDEX runs_due; CREATE INDEX runs_due ON runs (due_at)'],
    ['columns', 'ALTER TABLE runs ALTER COLUMN attempts SET DEFAULT 1'],
    ['tables', 'ALTER TABLE media_rollup_marks RESET (autovacuum_vacuum_threshold)'],
    ['triggers', 'ALTER TABLE media_locations DISABLE TRIGGER media_rollup_insert'],
  ] as const) {
    await client.query(`BEGIN; ${change}`);
    expect((await readCatalogue(client))[section]).not.toEqual(catalogue[section]);
    await client.query('ROLLBACK');
  }
});

test('a database of the former migrations lacks all of today, but is neither empty nor of a newer version', async () => {
  const { connectionString } = await emptyDatabase();
  await loadDump(connectionString, 'eleven');
  const open = openDatabase({ connectionString, poolMax: 1, statementTimeoutMs: 10_000 });
  closers.push(() => open.close());
  expect(await migrationState(open.db)).toEqual({
    applied: expect.arrayContaining(['0001_core', '0011_run_files']),
    missing: ALL,
    unknown: [],
  });
});

test('a takeover of the eleven migrations does not wait for readers when it has no column to add', async () => {
  const { client, connectionString } = await emptyDatabase();
  await loadDump(connectionString, 'eleven');
  await client.query('CREATE TEMPORARY TABLE former AS SELECT * FROM kysely_migration');
  // Columns of later versions are added first; then the database records the eleven migrations again.
  await migrate(connectionString);
  await client.query('DELETE FROM kysely_migration; INSERT INTO kysely_migration SELECT * FROM former');
  const { rows } = await client.query<{ tables: string }>(
    `SELECT string_agg(tablename, ', ') AS tables FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'kysely%'`,
  );
  await client.query(`BEGIN; LOCK TABLE ${rows[0]?.tables} IN ACCESS SHARE MODE`);
  expect((await migrate(connectionString)).applied).toEqual(ALL);
  await client.query('ROLLBACK');
});

test('a takeover that was interrupted keeps the former names and is repeated', async () => {
  const { client, connectionString } = await emptyDatabase();
  await loadDump(connectionString, 'four');
  // An index that cannot be built: two items have one version of a scene.
  await client.query(`DROP INDEX generated_images_scene_version;
    UPDATE generated_images SET (project_id, scene_id, version) = ('6f1c7f0e-0000-4000-8000-000000000001', 'scene_1', 1)`);
  await expect(migrate(connectionString)).rejects.toMatchObject({ code: '23505' });
  const names = async () =>
    (await client.query<{ name: string }>('SELECT name FROM kysely_migration ORDER BY 1')).rows.map((row) => row.name);
  expect(await names()).toEqual(['0001_core', '0002_stores', '0003_uploads', '0004_intake']);
  await client.query('UPDATE generated_images SET version = id');
  await migrate(connectionString);
  expect(await names()).toEqual(ALL);
  const fresh = await emptyDatabase();
  await migrate(fresh.connectionString);
  expect(await readCatalogue(client)).toEqual(await readCatalogue(fresh.client));
});

test.each([
  ['table runs', 'CREATE TABLE runs (id INTEGER)'],
  ['table scenes', 'CREATE TABLE scenes (project_id UUID, scene_id TEXT)'],
  [
    'view current_scene_images',
    'CREATE TABLE scene_images (storage_url TEXT); CREATE VIEW current_scene_images AS SELECT storage_url FROM scene_images',
  ],
])('a %s of another system is refused by its name, and nothing is created', async (name, statements) => {
  const { client, connectionString } = await emptyDatabase();
  await client.query(statements);
  await expect(migrate(connectionString)).rejects.toThrow(`The database has a ${name} of another system`);
  const { rows } = await client.query(`SELECT to_regclass('generated_images') AS found`);
  expect(rows).toEqual([{ found: null }]);
});

test('a database of the baseline gets the later migrations and loses the indexes that they replace', async () => {
  const { client, connectionString } = await emptyDatabase();
  await loadDump(connectionString, 'eleven');
  await migrate(connectionString);
  const catalogue = await readCatalogue(client);
  const [baseline, ...later] = ALL;
  // As the baseline left it at first: with the index of an exact comparison, and without that of a later one.
  await client.query(`DELETE FROM kysely_migration WHERE name <> '${baseline}'; DROP INDEX generated_images_any_case_tool;
    CREATE INDEX generated_images_of_tool ON generated_images (tool_name, created_at, id) WHERE deleted_at IS NULL`);
  expect((await migrate(connectionString)).applied).toEqual(later);
  expect(await readCatalogue(client)).toEqual(catalogue);
});
