import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { createTestApp } from '../support/test-app.ts';

test('a start on a schema that was changed by hand names each difference in the log, and goes on', async () => {
  const first = await createTestApp();
  try {
    expect(first.logged()).not.toContain('the schema of the database differs');
    await sql`DROP INDEX runs_due`.execute(first.deps.db);
    await sql`ALTER TABLE runs DROP COLUMN last_error`.execute(first.deps.db);
    const second = await createTestApp({ DATABASE_URL: first.connectionString, LOCAL_ROOT: first.volume });
    try {
      const line = second
        .logged()
        .split('\n')
        .find((each) => each.includes('the schema of the database differs'));
      expect(JSON.parse(line ?? '{}').problems).toEqual([
        'column runs.last_error is missing',
        'index runs_due is missing',
      ]);
    } finally {
      await second.close();
    }
  } finally {
    await first.close();
  }
});
