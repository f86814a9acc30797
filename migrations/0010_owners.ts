import { type Kysely, sql } from 'kysely';

type Db = Kysely<unknown>;

const INDEXES: readonly (readonly [table: string, name: string, definition: string])[] = [
  // What is parked for one job, and the list of all that is parked.
  ['webhook_deliveries', 'webhook_deliveries_parked_of_job', "(provider, job_id, id) WHERE state = 'parked'"],
  ['webhook_deliveries', 'webhook_deliveries_parked_id', "(id) WHERE state = 'parked'"],
  // Whether one user or several bear a name is two look-ups by these, however many items bear it.
  [
    'generated_images',
    'generated_images_external_id_owner',
    '(external_id, user_id, id) WHERE external_id IS NOT NULL AND deleted_at IS NULL',
  ],
  [
    'generated_images',
    'generated_images_run_owner',
    '(run_id, user_id, created_at, id) WHERE run_id IS NOT NULL AND deleted_at IS NULL',
  ],
];

async function createIndexes(db: Db): Promise<void> {
  for (const [table, name, definition] of INDEXES) {
    const rows = await sql<{ filled: boolean }>`SELECT EXISTS (SELECT FROM ${sql.table(table)}) AS filled`.execute(db);
    const how = rows.rows[0]?.filled === true ? sql`CONCURRENTLY` : sql``;
    const found = await sql<{ indisvalid: boolean }>`
      SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(${name}))`.execute(
      db,
    );
    if (found.rows[0]?.indisvalid === true) continue;
    // An interrupted CONCURRENTLY build leaves an invalid index, which IF NOT EXISTS would keep.
    if (found.rows[0]) await sql`DROP INDEX ${how} ${sql.ref(name)}`.execute(db);
    await sql`CREATE INDEX ${how} ${sql.ref(name)} ON ${sql.table(table)} ${sql.raw(definition)}`.execute(db);
  }
}

/**
 * Parked webhooks remember why they wait, whom they name and how large they are, so that they can be listed and filtered without their
 * bodies. All are NULL for webhooks that an older version has parked: it parked only those that name nobody.
 */
export async function up(db: Db): Promise<void> {
  await sql`SET lock_timeout = '10s'`.execute(db);
  try {
    await sql`ALTER TABLE webhook_deliveries
      ADD COLUMN IF NOT EXISTS reason TEXT CHECK (reason IN ('no_owner', 'other_owner')),
      ADD COLUMN IF NOT EXISTS named_user_id TEXT, ADD COLUMN IF NOT EXISTS bytes BIGINT`.execute(db);
    // A job is found by its provider and its id, never by the id alone.
    await sql`DROP INDEX IF EXISTS generation_jobs_job_id`.execute(db);
  } finally {
    await sql`RESET lock_timeout`.execute(db);
  }
  await createIndexes(db);
}
