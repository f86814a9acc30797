import { type Kysely, sql } from 'kysely';
import { EVENT_ROWS, EVENT_TABLES } from './baseline/events.ts';
import { createIndexes } from './baseline/indexes.ts';
import { GENERATED_IMAGES, IDEMPOTENCY_KEYS, SCENES, SCENE_HELPERS } from './baseline/items.ts';
import { DROP_UNUSED_INDEX, JOB_TABLES, RENAME_FORMER_COLUMN } from './baseline/jobs.ts';
import { OBJECT_TABLES } from './baseline/objects.ts';
import { advanceSequence, refuseForeignView, widenColumns } from './baseline/older-system.ts';
import { MARKING_TRIGGERS, ROLLUP_ROWS, ROLLUP_TABLES, markingFunctions } from './baseline/rollups.ts';
import { RUN_TABLES } from './baseline/runs.ts';
import { createTable, refuseForeignTable } from './baseline/tables.ts';

type Db = Kysely<unknown>;

const OWN_TABLES = [
  IDEMPOTENCY_KEYS,
  SCENES,
  ...OBJECT_TABLES,
  ...JOB_TABLES,
  ...RUN_TABLES,
  ...EVENT_TABLES,
  ...ROLLUP_TABLES,
];

/**
 * The whole schema. It creates it in an empty database, and completes it where `generated_images` of the older system or
 * the tables of an earlier schema exist; their rows stay as they are.
 *
 * It runs outside a transaction, because CREATE INDEX CONCURRENTLY must. Every step can be repeated after a crash. Steps
 * that lock tables are one transaction, wait at most 10 s for a lock, and change nothing when they fail.
 */
export async function up(db: Db): Promise<void> {
  await sql`SET lock_timeout = '10s'`.execute(db);
  try {
    await db.transaction().execute(createObjects);
  } finally {
    await sql`RESET lock_timeout`.execute(db);
  }
  await advanceSequence(db);
  for (const table of [GENERATED_IMAGES, ...OWN_TABLES]) await createIndexes(db, table);
}

async function createObjects(db: Db): Promise<void> {
  await refuseForeignView(db);
  await sql.raw(RENAME_FORMER_COLUMN).execute(db);
  for (const table of OWN_TABLES) await refuseForeignTable(db, table);
  await widenColumns(db);
  for (const table of [GENERATED_IMAGES, ...OWN_TABLES]) await createTable(db, table);
  // With the default of 100, one sampled row makes a rare value look like one in a hundred, and the planner scans by time.
  await sql`ALTER TABLE generated_images ALTER COLUMN metadata SET STATISTICS 1000`.execute(db);
  const { rows } = await sql<{ schema: string }>`SELECT quote_ident(current_schema()) AS schema`.execute(db);
  const [current] = rows;
  if (!current) throw new Error('PostgreSQL names no current schema');
  for (const statement of [
    ...SCENE_HELPERS,
    DROP_UNUSED_INDEX,
    ...markingFunctions(current.schema),
    ...MARKING_TRIGGERS,
    ...EVENT_ROWS,
    ...ROLLUP_ROWS,
  ])
    await sql.raw(statement).execute(db);
}
