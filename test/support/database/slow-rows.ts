import { sql } from 'kysely';
import type { Db } from '../../../src/db/database.ts';

/**
 * Makes each row take this long, so that a test meets running work however fast or busy the machine is. Returns a function that
 * ends that.
 */
export async function slowRows(
  db: Db,
  { table, on, seconds }: { table: string; on: 'INSERT' | 'UPDATE' | 'DELETE'; seconds: number },
): Promise<() => Promise<void>> {
  await sql`
    CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS ${sql.lit(`
    BEGIN
      PERFORM pg_sleep(${seconds});
      RETURN COALESCE(NEW, OLD);
    END`)}`.execute(db);
  await sql`
    CREATE TRIGGER take_long BEFORE ${sql.raw(on)} ON ${sql.table(table)}
      FOR EACH ROW EXECUTE FUNCTION take_long()`.execute(db);
  return async () => {
    await sql`DROP FUNCTION take_long CASCADE`.execute(db);
  };
}
