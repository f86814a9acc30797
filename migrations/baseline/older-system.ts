import { type Kysely, sql } from 'kysely';

type Db = Kysely<unknown>;

/**
 * Refuses a view of another system under our name: replacing it would take that system's data away from it.
 * @throws an Error that says how to go on
 */
export async function refuseForeignView(db: Db): Promise<void> {
  const { rows } = await sql<{ view: string | null }>`
    SELECT pg_get_viewdef(to_regclass('current_scene_images')) AS view`.execute(db);
  const view = rows[0]?.view ?? null;
  if (view !== null && !view.includes('generated_images')) {
    throw new Error(
      'The database has a view current_scene_images of another system; rename it (ALTER VIEW current_scene_images RENAME TO ...) with its function get_scene_image_url, or give mediakeep a separate schema or database',
    );
  }
}

/**
 * Widens columns of the older system's `generated_images`: VARCHAR(32) cannot hold a UUID of 36 characters, INTEGER not
 * the size of a file above 2 GiB. Widening `bytes` rewrites the table.
 * @throws an Error that names the views to drop first
 */
export async function widenColumns(db: Db): Promise<void> {
  const narrow = await sql<{ column_name: string; wanted: string }>`
    SELECT column_name, CASE column_name WHEN 'user_id' THEN 'TEXT' ELSE 'BIGINT' END AS wanted
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = 'generated_images'
      AND ((column_name = 'user_id' AND data_type <> 'text') OR (column_name = 'bytes' AND data_type = 'integer'))`.execute(
    db,
  );
  if (narrow.rows.length === 0) return;
  const views = await sql<{ name: string }>`
    SELECT DISTINCT view.relname AS name
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class view ON view.oid = r.ev_class
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = to_regclass('generated_images')
      AND a.attname IN (${sql.join(narrow.rows.map((row) => row.column_name))})`.execute(db);
  if (views.rows.length > 0) {
    const names = views.rows.map((row) => row.name).join(', ');
    throw new Error(
      `These views use columns of generated_images that must be widened: ${names}. Drop them, migrate, and create them again`,
    );
  }
  const changes = narrow.rows.map((row) => sql`ALTER COLUMN ${sql.ref(row.column_name)} TYPE ${sql.raw(row.wanted)}`);
  await sql`ALTER TABLE generated_images ${sql.join(changes)}`.execute(db);
}

/** Moves the sequence of ids past rows that were inserted with their ids. */
export async function advanceSequence(db: Db): Promise<void> {
  await sql`SELECT setval(s, greatest((SELECT max(id) FROM generated_images), 1), (SELECT max(id) IS NOT NULL FROM generated_images))
    FROM pg_get_serial_sequence('generated_images', 'id') AS s
    WHERE (SELECT max(id) FROM generated_images) > (SELECT coalesce(last_value, 0) FROM pg_sequences WHERE (quote_ident(schemaname) || '.' || quote_ident(sequencename))::regclass = s::regclass)`.execute(
    db,
  );
}
