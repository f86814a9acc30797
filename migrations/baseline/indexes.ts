import { type Kysely, sql } from 'kysely';
import type { Index, Table } from './tables.ts';

type Db = Kysely<unknown>;

/**
 * Creates the indexes that the table lacks, CONCURRENTLY when it holds rows, so that writes go on.
 * Must run outside a transaction. It can be interrupted and repeated.
 */
export async function createIndexes(db: Db, { name: table, indexes = [] }: Table): Promise<void> {
  const { rows } = await sql<{ filled: boolean }>`SELECT EXISTS (SELECT FROM ${sql.table(table)}) AS filled`.execute(
    db,
  );
  const how = rows[0]?.filled === true ? sql`CONCURRENTLY` : sql``;
  for (const index of indexes) await createIndex(db, table, index, how);
}

async function createIndex(
  db: Db,
  table: string,
  { name, on, unique }: Index,
  how: ReturnType<typeof sql>,
): Promise<void> {
  const { rows } = await sql<{ indisvalid: boolean }>`
    SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(${name}))`.execute(
    db,
  );
  if (rows[0]?.indisvalid === true) return;
  // An interrupted CONCURRENTLY build leaves an invalid index, which IF NOT EXISTS would keep.
  if (rows[0]) await sql`DROP INDEX ${how} ${sql.ref(name)}`.execute(db);
  const kind = unique ? sql`UNIQUE INDEX` : sql`INDEX`;
  await sql`CREATE ${kind} ${how} ${sql.ref(name)} ON ${sql.table(table)} ${sql.raw(on)}`.execute(db);
}
