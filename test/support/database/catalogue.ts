import type pg from 'pg';

/** Each answers one line of text for each object of the current schema, whose oid is `$1`. */
const SECTIONS = {
  tables: `
    SELECT relname, relkind, relpersistence, relreplident, relrowsecurity, reloptions, obj_description(oid)
    FROM pg_class WHERE relnamespace = $1 AND relkind IN ('r', 'p', 'v', 'm')`,
  columns: `
    SELECT c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname, format_type(a.atttypid, a.atttypmod),
      pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attcompression,
      a.attcollation::regcollation, nullif(a.attstattarget, -1), a.attoptions
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped`,
  constraints: `
    SELECT conrelid::regclass, conname, contype, convalidated, condeferrable, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = $1`,
  indexes: `
    SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready, i.indisprimary, i.indisunique, c.reloptions
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = $1`,
  triggers: `
    SELECT c.relname, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = $1 AND NOT t.tgisinternal`,
  views: `SELECT relname, pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = $1 AND relkind IN ('v', 'm')`,
  functions: `SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = $1`,
  sequences: `
    SELECT c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
      d.deptype, d.refobjid::regclass, d.refobjsubid > 0
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
      LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjsubid > 0
    WHERE c.relnamespace = $1`,
  // Nothing else is expected; each would be a line here.
  others: `
    SELECT 'type', typname FROM pg_type WHERE typnamespace = $1 AND typrelid = 0 AND typelem = 0
    UNION ALL SELECT 'policy', polname FROM pg_policy JOIN pg_class c ON c.oid = polrelid WHERE c.relnamespace = $1
    UNION ALL SELECT 'statistics', stxname FROM pg_statistic_ext WHERE stxnamespace = $1`,
} as const;

/** Everything that PostgreSQL's catalogue says about the schema `public`: one sorted line for each object, by kind. */
export async function readCatalogue(client: pg.Client): Promise<Record<keyof typeof SECTIONS, string[]>> {
  const { rows } = await client.query<{ oid: number }>(`SELECT oid FROM pg_namespace WHERE nspname = 'public'`);
  const found: [string, string[]][] = [];
  for (const [section, text] of Object.entries(SECTIONS)) {
    const lines = await client.query<{ line: string }>(
      `SELECT line::text FROM (${text.replaceAll('$1', `${rows[0]?.oid}`)}) AS line ORDER BY line::text COLLATE "C"`,
    );
    found.push([section, lines.rows.map((row) => row.line)]);
  }
  return Object.fromEntries(found) as Record<keyof typeof SECTIONS, string[]>;
}
