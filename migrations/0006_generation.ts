import { type Kysely, sql } from 'kysely';

type Db = Kysely<unknown>;

/** Cut, because an index entry has a limit and a caller's own value may be any text. */
const INDEXES: readonly (readonly [name: string, definition: string])[] = [
  [
    'generated_images_of_seed',
    "(left(generation ->> 'seed', 201), created_at, id) WHERE deleted_at IS NULL AND (generation ->> 'seed') IS NOT NULL",
  ],
  [
    'generated_images_of_sampler',
    "(left(generation ->> 'sampler', 201), created_at, id) WHERE deleted_at IS NULL AND (generation ->> 'sampler') IS NOT NULL",
  ],
];

/** Searches by what was read out of files: seed and sampler. */
export async function up(db: Db): Promise<void> {
  const rows = await sql<{ filled: boolean }>`SELECT EXISTS (SELECT FROM generated_images) AS filled`.execute(db);
  const how = rows.rows[0]?.filled === true ? sql`CONCURRENTLY` : sql``;
  for (const [name, definition] of INDEXES) {
    const found = await sql<{ indisvalid: boolean }>`
      SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(${name}))`.execute(
      db,
    );
    if (found.rows[0]?.indisvalid === true) continue;
    // A CONCURRENTLY build that was cut off leaves an invalid index, which IF NOT EXISTS would take for a good one.
    if (found.rows[0]) await sql`DROP INDEX ${how} ${sql.ref(name)}`.execute(db);
    await sql`CREATE INDEX ${how} ${sql.ref(name)} ON generated_images ${sql.raw(definition)}`.execute(db);
  }
}
