import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/db/database.ts';
import { asAppError } from '../../src/domain/database-failure.ts';

test('a missing socket and an unanswered address count as an unavailable database', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-socket-'));
  for (const connectionString of [
    `postgres://u:p@localhost:5/postgres?host=${encodeURIComponent(folder)}`,
    'postgres://u:p@127.0.0.1:5/postgres',
  ]) {
    const database = openDatabase({ connectionString, poolMax: 1, statementTimeoutMs: 0 });
    const failure: unknown = await sql`SELECT 1`.execute(database.db).catch(asAppError);
    expect(failure).toMatchObject({ code: 'database_unavailable' });
    await database.close();
  }
  await rm(folder, { recursive: true });
});
