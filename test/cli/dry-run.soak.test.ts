import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { createTestDatabase } from '../support/database/test-database.ts';
import { type Outcome, runCommand } from '../support/run-command.ts';
import { png } from '../support/sample-files.ts';

let folder: string;
let files: string;
let data: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-dry-'));
  files = path.join(folder, 'files');
  data = path.join(folder, 'data');
  await mkdir(files);
  await writeFile(path.join(files, 'fox.png'), png());
  await writeFile(path.join(folder, 'records.jsonl'), '{"userId":"u","status":"failed","error":"x"}\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const unused = () => {
  throw new Error('not called');
};
const DRY = buildProgram({ context: unused, databaseContext: unused, version: '', env: {}, done: unused })
  .commands.filter((command) => command.options.some(({ long }) => long === '--dry-run'))
  .map((command) => command.name());

/** The arguments of each command that has dry runs. */
const ARGUMENTS: Record<string, () => string[]> = {
  import: () => [files, '--user', 'u'],
  'import-blobs': () => ['--table', 'old', '--id-column', 'id', '--bytes-column', 'data', '--user', 'u'],
  'import-records': () => [path.join(folder, 'records.jsonl')],
  fetch: () => [],
  move: () => ['--from', 'local', '--to', 'database'],
  mirror: () => ['--to', 'database'],
  rebuild: () => ['--from', 'local'],
};
const dryRun = (name: string, settings: Record<string, string>): Promise<Outcome> =>
  runCommand([name, ...(ARGUMENTS[name]?.() ?? unused()), '--dry-run', '--json'], { DATA_DIR: data, ...settings });
const answer = ({ stdout }: Outcome) => JSON.parse(stdout) as unknown;
const problem = ({ stderr }: Outcome) => (JSON.parse(stderr) as { error: { message: string } }).error.message;

/** Everything that a dry run could change in the database: what is there, and how often something was written. */
async function traces(connectionString: string): Promise<unknown> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, string>>(`
      SELECT c.relname, (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid) AS columns
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^(pg_|information)' ORDER BY 1, 2`);
    const counts = rows.some(({ relname }) => relname === 'store_identities')
      ? await client.query('SELECT (SELECT count(*) FROM store_identities), (SELECT count(*) FROM generated_images)')
      : { rows: [] };
    return [rows, counts.rows];
  } finally {
    await client.end();
  }
}

test('without a database a dry run makes none: files and records are looked at, anything else says so', async () => {
  for (const name of DRY) {
    const outcome = await dryRun(name, {});
    if (name === 'import') expect(answer(outcome)).toMatchObject({ dryRun: true, stored: 1, present: 0 });
    else if (name === 'import-records') expect(answer(outcome)).toMatchObject({ dryRun: true, records: 1 });
    else {
      expect(outcome.code).toBe(2);
      expect(problem(outcome)).toContain('DATABASE_URL is not set, and there is no embedded database');
    }
    expect(await readdir(folder)).not.toContain('data');
  }
});

test('a dry run leaves an empty database empty, and names the command that migrates where it needs the tables', async () => {
  const { connectionString, drop } = await createTestDatabase('empty');
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(`CREATE TABLE old (id text, data bytea); INSERT INTO old VALUES ('1', 'abc'), ('2', NULL)`);
  await client.end();
  const before = await traces(connectionString);
  for (const name of DRY) {
    const outcome = await dryRun(name, { DATABASE_URL: connectionString });
    if (name === 'import') expect(answer(outcome)).toMatchObject({ dryRun: true, stored: 1, present: 0 });
    else if (name === 'import-records') expect(answer(outcome)).toMatchObject({ dryRun: true, records: 1 });
    else if (name === 'import-blobs') expect(answer(outcome)).toEqual({ dryRun: true, rows: 1 });
    else {
      expect(outcome.code).toBe(1);
      expect(problem(outcome)).toContain('run: mediakeep migrate');
    }
    expect(await traces(connectionString)).toEqual(before);
    expect(await readdir(folder)).not.toContain('data');
  }
  await drop();
});

test('before the first start a dry run gives no volume its identity, and doctor neither', async () => {
  const { connectionString, drop } = await createTestDatabase();
  const before = await traces(connectionString);
  for (const name of DRY.filter((each) => each !== 'import-blobs')) {
    const outcome = await dryRun(name, { DATABASE_URL: connectionString });
    if (name === 'rebuild') expect(problem(outcome)).toContain('has not been used yet');
    else expect(answer(outcome)).toMatchObject({ dryRun: true });
  }
  const doctor = await runCommand(['doctor'], { DATA_DIR: data, DATABASE_URL: connectionString });
  expect(doctor.stdout).toMatch(/warning +store local .*has not been used yet; the first start makes it/);
  expect(doctor.code).toBe(0);
  expect(await traces(connectionString)).toEqual(before);
  expect(await readdir(folder)).not.toContain('data');
  await drop();
});

test('commands for what is stored already make no database', async () => {
  for (const args of [['verify'], ['rollups'], ['fetch'], ['move', '--from', 'local', '--to', 'database']]) {
    const { code, stderr } = await runCommand(args, { DATA_DIR: data });
    expect([code, stderr]).toEqual([2, expect.stringContaining('there is no embedded database')]);
    expect(await readdir(folder)).not.toContain('data');
  }
});

test('a command that finds no tables says what is to be done', async () => {
  const { connectionString, drop } = await createTestDatabase('empty');
  const { code, stderr } = await runCommand(['rollups'], { DATA_DIR: data, DATABASE_URL: connectionString });
  await drop();
  expect([code, stderr]).toEqual([1, expect.stringMatching(/lacks the schema.*run: mediakeep migrate/)]);
});
