// Case numbers in titles are those of the table in docs/threat-model.md.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { sql } from 'kysely';
import { openDatabase } from '../../../src/db/database.ts';
import { verifySchema } from '../../../src/db/schema/verify.ts';
import { migrate, migrationNames } from '../../../src/db/schema/migrator.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';
import { runBlockedMigration } from './blocked-migration.ts';

/** The table and the indexes of the older system, word for word. */
const OLDER_SCHEMA = `
CREATE TABLE "generated_images" (
  id              BIGSERIAL PRIMARY KEY,
  request_id      TEXT,
  user_id         VARCHAR(32) NOT NULL,
  username        TEXT,
  tool_name       TEXT NOT NULL DEFAULT 'generateUserImage',
  prompt          TEXT NOT NULL,
  model           TEXT,
  size            VARCHAR(20),
  quality         VARCHAR(20),
  style           VARCHAR(20),
  n               INTEGER DEFAULT 1,
  storage_url     TEXT NOT NULL,
  storage_provider VARCHAR(50) DEFAULT 'omega',
  mime_type       VARCHAR(50),
  bytes           INTEGER,
  sha256          CHAR(64),
  tags            TEXT[],
  status          VARCHAR(20) NOT NULL DEFAULT 'success',
  error           TEXT,
  metadata        JSONB,
  message_id      TEXT,
  created_at      TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX idx_generated_images_user_id_created_at
  ON generated_images(user_id, created_at DESC);
CREATE INDEX idx_generated_images_request_id
  ON generated_images(request_id);
CREATE INDEX idx_generated_images_status
  ON generated_images(status)
  WHERE status <> 'success';
CREATE INDEX idx_generated_images_storage_url
  ON generated_images(storage_url);
CREATE INDEX idx_generated_images_metadata_gin
  ON generated_images USING GIN (metadata);
CREATE INDEX idx_generated_images_tags_gin
  ON generated_images USING GIN (tags);
`;

const USER_32 = 'u'.repeat(32);
const OLDER_ROWS = `
INSERT INTO generated_images (request_id, user_id, username, prompt, storage_url, storage_provider, mime_type, bytes, sha256, tags, metadata, created_at) VALUES
  ('req-1', '${USER_32}', 'jo', 'a beautiful sunset over mountains', 'https://raw.githubusercontent.com/o/r/main/file-library/a.png', 'github', 'image/png', 524288, repeat('a', 64), ARRAY['portrait', NULL, 'Ünï'], '{"filename":"a.png"}', '2025-12-11T01:00:00.123456Z'),
  (NULL, '${USER_32}', NULL, 'no tags, no metadata', 'https://omegaai.dev/uploads/b.png', 'local', NULL, NULL, NULL, NULL, NULL, '2025-12-11T02:00:00Z'),
  (NULL, '${USER_32}', NULL, 'metadata that is a list', 'https://omegaai.dev/uploads/c.png', DEFAULT, 'image/png', 1, 'short', '{}', '[1,{"k":2}]', '2025-12-11T03:00:00Z'),
  (NULL, '1', NULL, '', '', NULL, NULL, 0, NULL, ARRAY['x'], 'null', '2025-12-11T04:00:00Z');
INSERT INTO generated_images (user_id, prompt, storage_url, status, error) VALUES ('${USER_32}', 'that failed', '', 'error', 'quota');
`;

// Begun first and looked at last, because it waits.
let blocked: Promise<void>;
beforeAll(() => {
  blocked = runBlockedMigration();
  blocked.catch(() => {});
});

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function database(sql = ''): Promise<TestDatabase & { client: pg.Client }> {
  const made = await createTestDatabase('empty');
  const client = new pg.Client({ connectionString: made.connectionString });
  await client.connect();
  closers.push(async () => {
    await client.end();
    await made.drop();
  });
  await client.query(sql);
  return { ...made, client };
}

async function schemaOf(client: pg.Client): Promise<Record<string, unknown[]>> {
  const query = async (sql: string) => (await client.query({ text: sql, rowMode: 'array' })).rows;
  const mine = `table_schema = 'public' AND table_name NOT LIKE 'kysely_%'`;
  return {
    columns: await query(
      `SELECT table_name, ordinal_position, column_name, data_type, udt_name, character_maximum_length, is_nullable, column_default
       FROM information_schema.columns WHERE ${mine} ORDER BY 1, 2`,
    ),
    indexes: await query(
      `SELECT tablename, indexname, indexdef, indisvalid FROM pg_indexes
       JOIN pg_index ON indexrelid = to_regclass(quote_ident(indexname))
       WHERE schemaname = 'public' AND tablename NOT LIKE 'kysely_%' ORDER BY 1, 2`,
    ),
    constraints: await query(
      `SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'kysely_%' ORDER BY 1, 2`,
    ),
    views: await query(`SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1`),
    functions: await query(
      `SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1`,
    ),
    sequences: await query(`SELECT sequencename, data_type FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1`),
  };
}

test('an empty database and one of the older system with rows end in the same schema, all indexes valid', async () => {
  const empty = await database();
  const older = await database(OLDER_SCHEMA + OLDER_ROWS);
  const olderButEmpty = await database(OLDER_SCHEMA);
  for (const { connectionString } of [empty, older, olderButEmpty]) await migrate(connectionString);
  const schema = await schemaOf(empty.client);
  expect(await schemaOf(older.client)).toEqual(schema);
  expect(await schemaOf(olderButEmpty.client)).toEqual(schema);
  expect(schema['indexes']?.every((row) => (row as unknown[])[3] === true)).toBe(true);
  for (const part of Object.values(schema)) expect(part.length).toBeGreaterThan(0);
});

test('every column, default and index of the older table stays by name, and types are only widened', async () => {
  const before = await database(OLDER_SCHEMA);
  const old = await schemaOf(before.client);
  await migrate(before.connectionString);
  const now = await schemaOf(before.client);
  const widened = (row: unknown[]) =>
    row[2] === 'user_id'
      ? row.with(3, 'text').with(4, 'text').with(5, null)
      : row[2] === 'bytes'
        ? row.with(3, 'bigint').with(4, 'int8')
        : row;
  for (const row of old['columns'] ?? []) expect(now['columns']).toContainEqual(widened(row as unknown[]));
  for (const row of old['indexes'] ?? []) expect(now['indexes']).toContainEqual(row);
  for (const row of old['constraints'] ?? []) expect(now['constraints']).toContainEqual(row);
});

test('migrations can be repeated, also when the note that they ran is lost, and rows stay as they are', async () => {
  const { client, connectionString } = await database(OLDER_SCHEMA + OLDER_ROWS);
  const rows = async () =>
    (
      await client.query(
        `SELECT md5(string_agg((id, user_id, prompt, bytes, sha256, tags, metadata, created_at)::text, '|' ORDER BY id)) FROM generated_images`,
      )
    ).rows;
  const before = await rows();
  expect(await migrate(connectionString)).toEqual({ applied: await migrationNames(), waited: false });
  const schema = await schemaOf(client);
  expect(await migrate(connectionString)).toEqual({ applied: [], waited: false });
  await client.query('DELETE FROM kysely_migration');
  expect((await migrate(connectionString)).applied).toEqual(await migrationNames());
  expect(await schemaOf(client)).toEqual(schema);
  expect(await rows()).toEqual(before);
});

test('rows of the older system are read, searched and tagged through the API', async () => {
  const t: TestApp = await createTestApp();
  closers.push(() => t.close());
  const client = new pg.Client({ connectionString: t.connectionString });
  await client.connect();
  // A database of the older system, in the place of the one that the service has opened.
  await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await client.query(OLDER_SCHEMA + OLDER_ROWS);
  await client.end();
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
  expect(await ids('/v1/media')).toEqual(['5', '3', '2', '1']);
  expect(await ids('/v1/media', asAdmin())).toHaveLength(5);
  expect(await ids(`/v1/media?userId=${USER_32}&limit=200`, asAdmin())).toHaveLength(4);
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

/** Migrates in a process of its own, as a replica does. */
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
  const { client, connectionString } = await database(OLDER_SCHEMA + OLDER_ROWS);
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
  expect(await schemaOf(client)).toEqual(await schemaOf(fresh.client));
});

test('an index whose CONCURRENTLY was interrupted is invalid, and the next migration makes it anew', async () => {
  const { client, connectionString } = await database(OLDER_SCHEMA + OLDER_ROWS);
  await migrate(connectionString);
  const schema = await schemaOf(client);
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
  expect(await schemaOf(client)).toEqual(schema);
});

test('a database of the first schema, with items and their locations in use, gets the later ones without a change to its rows', async () => {
  const { client, connectionString } = await database();
  await migrate(connectionString);
  await client.query(`
    DROP TABLE leases, stored_blobs, stored_blob_chunks, stored_blob_writes, uploads;
    DROP INDEX media_locations_pending, media_locations_of_store;
    ALTER TABLE media_locations DROP COLUMN purpose, DROP COLUMN attempts, DROP COLUMN next_attempt_at, DROP COLUMN last_error;
    DELETE FROM kysely_migration WHERE name <> '0001_core';
    INSERT INTO generated_images (id, user_id, prompt, storage_url) SELECT n, 'u', '', '' FROM generate_series(1, 500) AS n;
    INSERT INTO media_locations (media_id, store, key, bytes) SELECT id, 'local', 'outputs/' || id, 1 FROM generated_images`);
  const { applied } = await migrate(connectionString);
  expect(applied).toEqual((await migrationNames()).slice(1));
  const open = openDatabase({ connectionString, poolMax: 1, statementTimeoutMs: 10_000 });
  expect(await verifySchema(open.db)).toEqual([]);
  await open.close();
  const { rows } = await client.query('SELECT count(*)::int AS count FROM media_locations WHERE attempts = 0');
  expect(rows).toEqual([{ count: 500 }]);
  const invalid = await client.query('SELECT FROM pg_index WHERE NOT indisvalid');
  expect(invalid.rows).toEqual([]);
});

// oxlint-disable-next-line vitest/expect-expect -- blocked-migration.ts asserts
test('a migration that cannot get a table’s lock gives up before it blocks everybody, changes nothing, and works later', () =>
  blocked);

test('a database that a newer version has migrated is refused with a sentence', async () => {
  const newer = await createTestDatabase();
  const { db, close } = openDatabase({ connectionString: newer.connectionString, poolMax: 2, statementTimeoutMs: 0 });
  await sql`INSERT INTO kysely_migration (name, timestamp) VALUES ('9999_future', '2030-01-01')`.execute(db);
  await expect(migrate(newer.connectionString)).rejects.toThrow(/newer version \(9999_future\)/);
  await close();
  await newer.drop();
});
