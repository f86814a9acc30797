import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import { setItemTimes } from '../../../src/db/runs/run-outputs.ts';
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

const [createdAt, updatedAt, deletedAt] = ['2026-01-02', '2026-02-03', '2026-03-04'].map(
  (day) => `${day}T05:06:07.000Z`,
);

test.each([
  ['when it was made alone', { createdAt }],
  ['when it was changed alone', { updatedAt }],
  ['when it was deleted alone', { deletedAt }],
  ['all of them', { createdAt, updatedAt, deletedAt }],
])('of the times of an item %s is set, and none is made up', async (_name, known) => {
  const { rows } = await sql<{ id: string; created_at: Date }>`
    INSERT INTO generated_images (prompt, storage_url, user_id) VALUES ('p', '', 'u') RETURNING id, created_at`.execute(
    open.db,
  );
  const [{ id, created_at: before } = { id: '', created_at: new Date(0) }] = rows;
  const times = { createdAt: undefined, updatedAt: undefined, deletedAt: undefined, ...known };
  await open.db.transaction().execute((trx) => setItemTimes(trx, id, times));
  const found = await sql<Record<string, Date | null>>`
    SELECT created_at, updated_at, deleted_at FROM generated_images WHERE id = ${id}`.execute(open.db);
  const at = (name: string) => (found.rows[0]?.[name] ? new Date(found.rows[0][name]).toISOString() : undefined);
  expect({ createdAt: at('created_at'), updatedAt: at('updated_at'), deletedAt: at('deleted_at') }).toEqual({
    ...times,
    createdAt: times.createdAt ?? new Date(before).toISOString(),
  });
});
