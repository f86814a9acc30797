import fc from 'fast-check';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import { migrate } from '../../../src/db/schema/migrator.ts';
import { catchUpRollups, countBehind, resetRollups, rollupsAreBehind } from '../../../src/db/search/rollups.ts';
import { readStats, readTagCounts } from '../../../src/db/search/stats.ts';
import { verifySchema } from '../../../src/db/schema/verify.ts';
import { plainStats, plainTags } from '../../support/database/plain-totals.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';
import { until } from '../../support/until.ts';

let database: TestDatabase;
let open: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  open = openDatabase({ connectionString: database.connectionString, poolMax: 10, statementTimeoutMs: 30_000 });
});
afterAll(async () => {
  await open.close();
  await database.drop();
});
afterEach(async () => {
  await sql`TRUNCATE generated_images CASCADE`.execute(open.db);
  await catchUp();
});

const USERS = ['ann', 'bob', `u${'ö'.repeat(900)}`];
const LONG = 'x'.repeat(5000);
const STORES = ['local', 'archive', 'database', 'blobs'];

async function catchUp(limit = 1000): Promise<void> {
  while (await rollupsAreBehind(open.db)) await catchUpRollups(open.db, limit);
}

/** Compares the kept totals with a query over all rows, for everyone, each user, and each set of database stores. */
async function checkTotals(): Promise<void> {
  for (const user of [undefined, ...USERS, 'nobody']) {
    for (const databases of [[], ['database'], ['database', 'blobs'], ['blobs', 'local']])
      expect(await readStats(open.db, user, databases)).toEqual(await plainStats(open.db, user, databases));
    for (const prefix of ['', 'a', 'é'])
      expect(await readTagCounts(open.db, user, prefix, 5)).toEqual(await plainTags(open.db, user, prefix, 5));
  }
  const { rows } = await sql`SELECT scope FROM media_rollup_counts
    WHERE items <= 0 OR scope NOT IN (SELECT id FROM media_rollup_scopes) OR (kind = 'status' AND (sized < 0 OR sized > items))`.execute(
    open.db,
  );
  expect(rows).toEqual([]);
}

/** One statement, with the id of an item that may not exist. */
type Step = readonly [sql: string, values: unknown[]];

const id = fc.integer({ min: 1, max: 8 });
const user = fc.constantFrom(...USERS);
const status = fc.constantFrom('success', 'success', 'pending', 'failed', 'error');
const store = fc.constantFrom(...STORES);
const state = fc.constantFrom('stored', 'stored', 'pending', 'missing', 'corrupt');
const tags = fc.option(fc.array(fc.constantFrom('a', 'ab', 'é', 'b', null, 'a'), { maxLength: 4 }));
const name = fc.option(fc.constantFrom('m1', 'm2', '', LONG, `${LONG}y`));
const bytes = fc.option(fc.constantFrom(0, 1, 1000, 2 ** 42));
const created = fc.constantFrom('2020-01-01', 'now', 'infinity', '-infinity');

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(id, user, status, tags, name, bytes, created, fc.option(fc.constant('https://x.test')))
      .map(([item, ...values]): Step => [
        `INSERT INTO generated_images (id, prompt, storage_url, user_id, status, tags, provider, bytes, created_at, original_url)
          VALUES ($1, '', '', $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
        [item, ...values],
      ]),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(id, store, state).map(([item, ...values]): Step => [
      `INSERT INTO media_locations (media_id, store, state, key, bytes)
          SELECT $1::bigint, $2::text, $3, $1 || $2, 1 WHERE EXISTS (SELECT FROM generated_images WHERE id = $1)
          ON CONFLICT (media_id, store) DO UPDATE SET state = excluded.state`,
      [item, ...values],
    ]),
  },
  fc.tuple(id, tags).map((values): Step => ['UPDATE generated_images SET tags = $2 WHERE id = $1', values]),
  fc.tuple(id, status).map((values): Step => ['UPDATE generated_images SET status = $2 WHERE id = $1', values]),
  fc.tuple(id, bytes).map((values): Step => ['UPDATE generated_images SET bytes = $2 WHERE id = $1', values]),
  fc
    .tuple(id, name)
    .map((values): Step => ['UPDATE generated_images SET provider = $2, model = $2 WHERE id = $1', values]),
  fc.tuple(id, user).map((values): Step => ['UPDATE generated_images SET user_id = $2 WHERE id = $1', values]),
  fc
    .tuple(id, fc.option(fc.constant('u')))
    .map((values): Step => ['UPDATE generated_images SET original_url = $2 WHERE id = $1', values]),
  fc.tuple(id).map((values): Step => ['UPDATE generated_images SET deleted_at = now() WHERE id = $1', values]),
  fc.tuple(id).map((values): Step => ['UPDATE generated_images SET deleted_at = NULL WHERE id = $1', values]),
  fc.tuple(id).map((values): Step => ['DELETE FROM generated_images WHERE id = $1', values]),
  fc.tuple(id, store).map((values): Step => ['DELETE FROM media_locations WHERE media_id = $1 AND store = $2', values]),
  fc.tuple(id, store).map((values): Step => [
    `UPDATE media_locations SET store = $2, key = media_id || $2 WHERE media_id = $1
      AND NOT EXISTS (SELECT FROM media_locations AS other WHERE other.media_id = $1 AND other.store = $2)
      AND store = (SELECT min(store) FROM media_locations WHERE media_id = $1)`,
    values,
  ]),
  fc.tuple(id, state).map((values): Step => ['UPDATE media_locations SET state = $2 WHERE media_id = $1', values]),
  fc.tuple(status, user).map((values): Step => ['UPDATE generated_images SET status = $1 WHERE user_id = $2', values]),
  fc.constant<Step>([
    "UPDATE generated_images SET tool_name = (ARRAY['tool-1', 'tool-2', ''])[1 + id % 3], created_at = created_at - interval '1 day'",
    [],
  ]),
  fc.constant<Step>(['UPDATE generated_images SET id = id + 100 WHERE id = 1', []]),
  fc.constant<Step>(['SAVEPOINT s', []]),
  fc.constant<Step>(['ROLLBACK TO s', []]),
  fc.constant<Step>(['DELETE FROM generated_images WHERE id > 100', []]),
);
const transaction = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  commits: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
});
const writers = fc.array(fc.array(transaction, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });

async function write(transactions: readonly { steps: readonly Step[]; commits: boolean }[]): Promise<void> {
  const client = await open.pool.connect();
  try {
    await client.query("SET deadlock_timeout = '5ms'");
    for (const { steps, commits } of transactions) {
      await client.query('BEGIN');
      try {
        for (const [text, values] of steps) await client.query(text, values);
        await client.query(commits ? 'COMMIT' : 'ROLLBACK');
      } catch (error) {
        // Writers that collide are rolled back, including their marks.
        expect((error as { code?: string }).code).toMatch(/^(40P01|40001|23505|23503|3B001)$/);
        await client.query('ROLLBACK');
      }
    }
  } finally {
    client.release();
  }
}

test(
  'kept totals equal those of the rows, with several concurrent writers and two counters',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc
        .asyncProperty(writers, fc.integer({ min: 1, max: 5 }), async (all, limit) => {
          let writing = true;
          const count = async () => {
            while (writing) await catchUpRollups(open.db, limit);
          };
          const counting = [count(), count()];
          await Promise.all(all.map(write)).finally(() => (writing = false));
          await Promise.all(counting);
          await catchUp(limit);
          await checkTotals();
        })
        .afterEach(async () => {
          await sql`TRUNCATE generated_images CASCADE`.execute(open.db);
          await catchUp();
        }),
      { numRuns: 20 },
    );
  },
);

const insert = (values: string) =>
  sql`INSERT INTO generated_images (prompt, storage_url, user_id, tags) VALUES ${sql.raw(values)}`.execute(open.db);

test('an aborted catch-up has counted nothing, and the next one counts everything', async () => {
  await insert("('', '', 'ann', '{a}'), ('', '', 'bob', '{a,b}')");
  const other = new pg.Client({ connectionString: database.connectionString });
  await other.connect();
  try {
    await other.query('BEGIN; LOCK TABLE media_rollup_counts IN EXCLUSIVE MODE');
    const cut = catchUpRollups(open.db).catch((error: unknown) => error);
    // Outside of the transaction, which would see the activity of its first query for ever.
    const pid = await until(async () => {
      const { rows } = await open.pool.query(
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%DELETE FROM media_rollup_marks%' AND pid <> pg_backend_pid()",
      );
      return rows[0]?.pid as number | undefined;
    });
    // Another catch-up returns at once.
    expect(await catchUpRollups(open.db)).toBeUndefined();
    await other.query('SELECT pg_terminate_backend($1)', [pid]);
    expect(String(await cut)).toMatch(/terminat/);
  } finally {
    await other.end();
  }
  expect(await countBehind(open.db)).toBe(2);
  expect(await readStats(open.db, undefined, [])).toMatchObject({ total: 0, behind: 2 });
  expect(await catchUpRollups(open.db)).toEqual({ counted: 2, more: false });
  await checkTotals();
  expect(await readStats(open.db, undefined, [])).toMatchObject({ total: 2, uniqueUsers: 2, behind: 0 });
});

test('no totals remain for a user without items, and they start again with a new item', async () => {
  await insert("('', '', 'ann', '{a}')");
  await catchUp();
  await sql`DELETE FROM generated_images`.execute(open.db);
  await catchUp();
  const { rows } = await sql`SELECT user_id FROM media_rollup_scopes`.execute(open.db);
  expect(rows).toEqual([{ user_id: null }]);
  expect((await sql`SELECT FROM media_rollup_counts`.execute(open.db)).rows).toEqual([]);
  await insert("('', '', 'ann', '{a}')");
  await catchUp();
  await checkTotals();
});

test('a change that affects no total leaves no mark', async () => {
  await insert("('', '', 'ann', '{a}')");
  await sql`INSERT INTO media_locations (media_id, store, key, bytes) SELECT id, 'local', 'k', 1 FROM generated_images`.execute(
    open.db,
  );
  await catchUp();
  await sql`UPDATE generated_images SET prompt = 'new', updated_at = now(), metadata = '{"a":1}', storage_url = 'x', tags = '{a}'`.execute(
    open.db,
  );
  await sql`INSERT INTO media_locations (media_id, store, key, bytes, state) SELECT id, 's3', 'k', 1, 'pending' FROM generated_images`.execute(
    open.db,
  );
  await sql`UPDATE media_locations SET attempts = 2, verified_at = now()`.execute(open.db);
  expect(await countBehind(open.db)).toBe(0);
  await sql`UPDATE media_locations SET state = 'stored' WHERE store = 's3'`.execute(open.db);
  expect(await countBehind(open.db)).toBe(1);
});

test('totals can be rebuilt from the rows during writes', async () => {
  await insert("('', '', 'ann', '{a}'), ('', '', 'bob', '{b}'), ('', '', 'bob', '{b,a}')");
  await catchUp();
  await sql`UPDATE media_rollup_counts SET items = 77`.execute(open.db);
  await expect(checkTotals()).rejects.toThrow();
  await resetRollups(open.db);
  expect(await countBehind(open.db)).toBe(3);
  await catchUpRollups(open.db, 1);
  await sql`UPDATE generated_images SET tags = '{c}'`.execute(open.db);
  await insert("('', '', 'ann', '{a}')");
  await catchUp(2);
  await checkTotals();
});

test('a database with rows is counted after its migration, including concurrent changes', async () => {
  const older = await createTestDatabase();
  const db = openDatabase({ connectionString: older.connectionString, poolMax: 2, statementTimeoutMs: 0 });
  try {
    // As the previous version left it.
    await sql`DROP TABLE media_rollup_marks, media_rollup_items, media_rollup_scopes, media_rollup_counts, media_rollup_walk`.execute(
      db.db,
    );
    await sql`DROP FUNCTION mark_media_item, mark_media_location, mark_all_media CASCADE`.execute(db.db);
    await sql`DELETE FROM kysely_migration`.execute(db.db);
    expect(await verifySchema(db.db)).toContain('trigger media_rollup_update of generated_images is missing');
    await sql`INSERT INTO generated_images (prompt, storage_url, user_id, tags, status)
      SELECT '', '', 'user-' || n % 7, ARRAY['t' || n % 3], CASE WHEN n % 9 = 0 THEN 'failed' ELSE 'success' END FROM generate_series(1, 500) AS n`.execute(
      db.db,
    );
    await migrate(older.connectionString);
    expect(await verifySchema(db.db)).toEqual([]);
    expect(await readStats(db.db, undefined, [])).toMatchObject({ total: 0, behind: 500 });
    await catchUpRollups(db.db, 200);
    await sql`UPDATE generated_images SET status = 'failed' WHERE id IN (10, 300)`.execute(db.db);
    await sql`DELETE FROM generated_images WHERE id IN (11, 301)`.execute(db.db);
    await sql`INSERT INTO generated_images (prompt, storage_url, user_id) VALUES ('', '', 'user-new')`.execute(db.db);
    while (await rollupsAreBehind(db.db)) await catchUpRollups(db.db, 200);
    for (const user of [undefined, 'user-3', 'user-new'])
      expect(await readStats(db.db, user, [])).toEqual(await plainStats(db.db, user, []));
    expect(await readTagCounts(db.db, undefined, 't', 9)).toEqual(await plainTags(db.db, undefined, 't', 9));
  } finally {
    await db.close();
    await older.drop();
  }
});

test('a role that may only change items leaves marks, whatever its search path', async () => {
  const role = `writer_${process.pid}`;
  await sql`CREATE ROLE ${sql.ref(role)}`.execute(open.db);
  const client = await open.pool.connect();
  try {
    await client.query(
      `GRANT INSERT ON generated_images TO ${role}; GRANT USAGE ON SEQUENCE generated_images_id_seq TO ${role}`,
    );
    await client.query(`SET ROLE ${role}; SET search_path = pg_catalog`);
    await client.query("INSERT INTO public.generated_images (prompt, storage_url, user_id) VALUES ('', '', 'ann')");
  } finally {
    await client.query(`RESET ROLE; RESET search_path; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    client.release();
  }
  expect(await countBehind(open.db)).toBe(1);
});
