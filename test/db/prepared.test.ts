import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { findItem } from '../../src/db/items/items.ts';
import { type TestDatabase, createTestDatabase } from '../support/database/test-database.ts';

let database: TestDatabase;
let open: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  open = openDatabase({ connectionString: database.connectionString, poolMax: 3, statementTimeoutMs: 30_000 });
});
afterAll(async () => {
  await open.close();
  await database.drop();
});

const look = () => Promise.all(Array.from({ length: 6 }, () => findItem(open.db, '1')));

test('prepared statements survive a column being widened by a newer version’s migration', async () => {
  await sql`INSERT INTO generated_images (user_id, prompt, storage_url, size) VALUES ('ann', '', '', '1x1')`.execute(
    open.db,
  );
  for (let round = 0; round < 3; round += 1) await look();
  await sql`ALTER TABLE generated_images ALTER COLUMN size TYPE VARCHAR(40), ALTER COLUMN sha256 TYPE TEXT`.execute(
    open.db,
  );
  for (const item of await look()) expect(item).toMatchObject({ id: '1', size: '1x1' });
  await open.db.transaction().execute(async (trx) => {
    expect(await findItem(trx, '1')).toMatchObject({ size: '1x1' });
  });
});
