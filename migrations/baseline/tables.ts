import { type Kysely, sql } from 'kysely';

type Db = Kysely<unknown>;

/** One table of the schema. Every text is SQL. */
export interface Table {
  name: string;
  columns: readonly string[];
  /** Columns that follow `columns`. A table made by an earlier version may lack some of them; they are then added. */
  addedColumns?: readonly string[];
  constraints?: readonly string[];
  /** Storage parameters, set on a table that exists too. */
  storage?: string;
  /** Changes to the table that are made right after it has been created. */
  onCreate?: readonly string[];
  indexes?: readonly Index[];
}

export interface Index {
  name: string;
  /** What follows `ON table`. */
  on: string;
  unique?: true;
}

/** Tables with many short-lived rows: scans pass over the dead ones, so they are vacuumed every 5,000. */
export const VACUUMED_OFTEN = 'autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000';

/** Creates the table, or completes the one that exists. Rows stay as they are. */
export async function createTable(db: Db, table: Table): Promise<void> {
  const { columns, addedColumns = [], constraints = [], storage, onCreate = [] } = table;
  const existing = await columnsOf(db, table.name);
  const name = sql.table(table.name);
  if (existing.length === 0) {
    const parts = sql.raw([...columns, ...addedColumns, ...constraints].join(', '));
    await sql`CREATE TABLE ${name} (${parts}) ${sql.raw(storage === undefined ? '' : `WITH (${storage})`)}`.execute(db);
    for (const change of onCreate) await sql`ALTER TABLE ${name} ${sql.raw(change)}`.execute(db);
    return;
  }
  // ALTER TABLE waits for every reader, so it runs only when there is something to add.
  const missing = addedColumns.filter((column) => !existing.includes(nameOf(column)));
  if (missing.length > 0) {
    const changes = sql.raw(missing.map((column) => `ADD COLUMN ${column}`).join(', '));
    await sql`ALTER TABLE ${name} ${changes}`.execute(db);
  }
  if (storage !== undefined) await sql`ALTER TABLE ${name} SET (${sql.raw(storage)})`.execute(db);
}

/**
 * Refuses to take over a table that another system made under one of our names: its data would be taken for ours.
 * @throws an Error that names the table and how to go on
 */
export async function refuseForeignTable(db: Db, { name, columns }: Table): Promise<void> {
  const existing = await columnsOf(db, name);
  if (existing.length > 0 && !columns.every((column) => existing.includes(nameOf(column)))) {
    throw new Error(
      `The database has a table ${name} of another system; rename it, or give mediakeep a separate schema or database`,
    );
  }
}

/** Names of a table's columns; none when the current schema has no such table. */
async function columnsOf(db: Db, table: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT attname AS name FROM pg_attribute
    WHERE attrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(${table})) AND attnum > 0 AND NOT attisdropped`.execute(
    db,
  );
  return rows.map((row) => row.name);
}

/** The name that a column's definition begins with. */
function nameOf(column: string): string {
  return column.slice(0, column.indexOf(' '));
}
