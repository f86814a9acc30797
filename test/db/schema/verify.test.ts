import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import { verifySchema } from '../../../src/db/schema/verify.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';

let database: TestDatabase;
let open: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  open = openDatabase({ connectionString: database.connectionString, poolMax: 2, statementTimeoutMs: 30_000 });
});
afterAll(async () => {
  await open.close();
  await database.drop();
});

/** What is found after a change by hand, which is undone. */
async function foundAfter(change: string): Promise<string[]> {
  const undo = new Error('undo');
  let problems: string[] = [];
  const changing = open.db.transaction().execute(async (trx) => {
    await sql.raw(change).execute(trx);
    problems = await verifySchema(trx);
    throw undo;
  });
  await expect(changing).rejects.toBe(undo);
  return problems;
}

test.each([
  ['DROP TABLE leases', ['table leases is missing', 'index leases_pkey is missing']],
  ['ALTER TABLE runs DROP COLUMN last_error', ['column runs.last_error is missing']],
  ['ALTER TABLE runs ALTER COLUMN last_error TYPE varchar(7)', [/column runs.last_error has type .*\(7\), not text/]],
  ['DROP INDEX runs_due', ['index runs_due is missing']],
  [
    "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'runs_due'::regclass",
    ['index runs_due is not valid: its creation was interrupted'],
  ],
  [
    'DROP TRIGGER media_rollup_update ON media_locations',
    ['trigger media_rollup_update of media_locations is missing'],
  ],
  [
    'ALTER TABLE generated_images DISABLE TRIGGER media_rollup_delete',
    [/^trigger media_rollup_delete of generated_images is disabled; .*--rebuild/],
  ],
  ['DROP VIEW current_scene_images', ['view current_scene_images is missing']],
  ['DROP FUNCTION get_scene_image_url(uuid, text)', ['function get_scene_image_url(uuid, text) is missing']],
])('%s: the difference is named, and nothing else', async (change, expected) => {
  expect(await verifySchema(open.db)).toEqual([]);
  const problems = await foundAfter(change);
  expect(problems).toEqual(expected.map((each) => (each instanceof RegExp ? expect.stringMatching(each) : each)));
});
