import pg from 'pg';
import { expect } from 'vitest';
import { migrate, migrationNames } from '../../../src/db/schema/migrator.ts';
import { createTestDatabase } from '../../support/database/test-database.ts';

/** Migrates while a long transaction reads the table. The migration waits 10 s for the lock. */
export async function runBlockedMigration(): Promise<void> {
  const database = await createTestDatabase('empty');
  const client = new pg.Client({ connectionString: database.connectionString });
  await client.connect();
  const columns = async () =>
    (await client.query(`SELECT column_name FROM information_schema.columns WHERE table_name = 'generated_images'`))
      .rowCount;
  try {
    await client.query(`CREATE TABLE generated_images (id BIGSERIAL PRIMARY KEY, user_id VARCHAR(32) NOT NULL, prompt TEXT NOT NULL,
      bytes INTEGER, request_id TEXT, model TEXT, tool_name TEXT, status TEXT, storage_url TEXT, metadata JSONB, tags TEXT[],
      message_id TEXT, created_at TIMESTAMPTZ, sha256 CHAR(64), storage_provider TEXT, mime_type TEXT, n INTEGER)`);
    const before = await columns();
    await client.query('BEGIN; LOCK TABLE generated_images IN ACCESS SHARE MODE');
    await expect(migrate(database.connectionString)).rejects.toMatchObject({ code: '55P03' });
    await client.query('ROLLBACK');
    expect(await columns()).toBe(before);
    expect((await migrate(database.connectionString)).applied).toEqual(await migrationNames());
  } finally {
    await client.end();
    await database.drop();
  }
}
