import { type Kysely, sql } from 'kysely';
import { createIndexes } from './baseline/indexes.ts';
import { type Index, type Table, createTable } from './baseline/tables.ts';

type Db = Kysely<unknown>;

const ALIVE = 'deleted_at IS NULL';

const ITEM_COLUMNS = ['search_words TSVECTOR', 'search_version INTEGER', 'revision INTEGER NOT NULL DEFAULT 0'];

export const ITEM_INDEXES: readonly Index[] = [
  { name: 'generated_images_words', on: 'USING GIN (search_words)' },
  // The rows that are still to be split: of older versions, and of writers that use SQL.
  { name: 'generated_images_unsplit', on: '(id) WHERE search_version IS DISTINCT FROM 1' },
  { name: 'generated_images_by_bytes', on: `(coalesce(bytes, 0::bigint), id) WHERE ${ALIVE}` },
  { name: 'generated_images_by_generation', on: `(coalesce(generated_at, created_at), id) WHERE ${ALIVE}` },
  { name: 'generated_images_bin', on: '(created_at, id) WHERE deleted_at IS NOT NULL' },
  // Eight bytes an entry, where a tree would hold the digest.
  { name: 'generated_images_of_digest', on: 'USING hash (sha256)' },
];

/** Work on many items that goes on after its request was answered. */
const TASKS: Table = {
  name: 'tasks',
  columns: [
    'id UUID PRIMARY KEY',
    'user_id TEXT NOT NULL',
    'admin BOOLEAN NOT NULL',
    'action TEXT NOT NULL',
    'request JSONB NOT NULL',
    'matched INTEGER NOT NULL',
    'done INTEGER NOT NULL DEFAULT 0',
    'failed_count INTEGER NOT NULL DEFAULT 0',
    "failed JSONB NOT NULL DEFAULT '[]'",
    'after BIGINT NOT NULL DEFAULT 0',
    'up_to BIGINT NOT NULL',
    'leased_until TIMESTAMPTZ NOT NULL DEFAULT now()',
    'revision INTEGER NOT NULL DEFAULT 0',
    'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
    'finished_at TIMESTAMPTZ',
  ],
  indexes: [{ name: 'tasks_due', on: '(leased_until) WHERE finished_at IS NULL' }],
};

/**
 * Words for searches by text, split by the service and no more by PostgreSQL; the revision of a record; further orders. The columns
 * are added without a rewrite of the table. A worker splits the rows that are there; until then a search by text does not find them.
 */
export async function up(db: Db): Promise<void> {
  await createTable(db, { name: 'generated_images', columns: [], addedColumns: ITEM_COLUMNS });
  await createIndexes(db, {
    name: 'generated_images',
    columns: [],
    indexes: ITEM_INDEXES,
  });
  await createTable(db, TASKS);
  await createIndexes(db, TASKS);
  // Replicas of the version before find the same without it, but slower.
  await sql`DROP INDEX CONCURRENTLY IF EXISTS generated_images_text`.execute(db);
}
