import { sql } from 'kysely';
import type { Db } from '../database.ts';
import { COLUMNS } from './expected-columns.ts';
import { INDEXES, TRIGGERS } from './expected-indexes.ts';

/** Compares the database with the schema that this version needs. Returns one line for each difference. */
export async function verifySchema(db: Db): Promise<string[]> {
  const columns = await sql<{ table: string; column: string; type: string }>`
    SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped`.execute(db);
  const indexes = await sql<{ name: string; valid: boolean }>`
    SELECT c.relname AS name, i.indisvalid AS valid
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema()`.execute(db);
  const others = await sql<{ view: boolean; func: boolean }>`
    SELECT to_regclass('current_scene_images') IS NOT NULL AS view, to_regprocedure('get_scene_image_url(uuid,text)') IS NOT NULL AS func`.execute(
    db,
  );
  const triggers = await sql<{ table: string; name: string; enabled: boolean }>`
    SELECT c.relname AS table, t.tgname AS name, t.tgenabled IN ('O', 'A') AS enabled
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND NOT t.tgisinternal`.execute(db);
  const problems: string[] = [];
  const found = new Map(columns.rows.map((row) => [`${row.table}.${row.column}`, row.type]));
  const tables = new Set(columns.rows.map((row) => row.table));
  for (const [table, wanted] of Object.entries(COLUMNS)) {
    if (!tables.has(table)) problems.push(`table ${table} is missing`);
    else {
      for (const [column, type] of Object.entries(wanted)) {
        const actual = found.get(`${table}.${column}`);
        if (actual === undefined) problems.push(`column ${table}.${column} is missing`);
        else if (actual !== type) problems.push(`column ${table}.${column} has type ${actual}, not ${type}`);
      }
    }
  }
  const valid = new Map(indexes.rows.map((row) => [row.name, row.valid]));
  for (const name of INDEXES) {
    if (!valid.has(name)) problems.push(`index ${name} is missing`);
    else if (valid.get(name) === false) problems.push(`index ${name} is not valid: its creation was interrupted`);
  }
  for (const { table, name } of TRIGGERS) {
    const found = triggers.rows.find((row) => row.table === table && row.name === name);
    if (!found) problems.push(`trigger ${name} of ${table} is missing`);
    else if (!found.enabled)
      problems.push(`trigger ${name} of ${table} is disabled; enable it and run 'mediakeep rollups --rebuild'`);
  }
  if (others.rows[0]?.view !== true) problems.push('view current_scene_images is missing');
  if (others.rows[0]?.func !== true) problems.push('function get_scene_image_url(uuid, text) is missing');
  return problems;
}
