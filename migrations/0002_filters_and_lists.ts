import { type Kysely, sql } from 'kysely';
import { createIndexes } from './baseline/indexes.ts';
import type { Table } from './baseline/tables.ts';

type Db = Kysely<unknown>;

const ALIVE = 'deleted_at IS NULL';

const ADDED: readonly Pick<Table, 'name' | 'indexes'>[] = [
  {
    name: 'generated_images',
    indexes: [
      { name: 'generated_images_any_case_tool', on: `(lower(tool_name), created_at, id) WHERE ${ALIVE}` },
      {
        name: 'generated_images_any_case_model',
        on: `(lower(model), created_at, id) WHERE ${ALIVE} AND model IS NOT NULL`,
      },
      {
        name: 'generated_images_any_case_provider',
        on: `(lower(provider), created_at, id) WHERE ${ALIVE} AND provider IS NOT NULL`,
      },
      // Cut, because an index entry has a size limit and a caller's value may be any text.
      {
        name: 'generated_images_any_case_sampler',
        on: `(left(lower(generation ->> 'sampler'), 201), created_at, id) WHERE ${ALIVE} AND (generation ->> 'sampler') IS NOT NULL`,
      },
      // Most items are private, and their inserts skip this index.
      { name: 'generated_images_public', on: `(created_at, id) WHERE visibility = 'public' AND ${ALIVE}` },
    ],
  },
  {
    name: 'runs',
    indexes: [
      { name: 'runs_newest', on: '(created_at, id)' },
      { name: 'runs_of_user', on: '(user_id, created_at, id)' },
      {
        name: 'runs_of_status',
        on: "((CASE WHEN completed_at IS NULL THEN 'open' ELSE 'completed' END), created_at, id)",
      },
    ],
  },
  {
    name: 'generation_jobs',
    indexes: [
      { name: 'generation_jobs_newest', on: '(created_at, provider, job_id)' },
      { name: 'generation_jobs_of_user', on: '(user_id, created_at, provider, job_id)' },
      { name: 'generation_jobs_of_provider', on: '(provider, created_at, job_id)' },
      { name: 'generation_jobs_of_status', on: '(status, created_at, provider, job_id)' },
    ],
  },
];

/** Indexes that only exact comparisons used. A replica of the version before finds the same without them, but slower. */
const REPLACED = ['tool', 'model', 'provider', 'sampler'].map((name) => `generated_images_of_${name}`);

/** Indexes for filters that ignore case, for public items, and for the lists of runs and jobs. Can be interrupted and repeated. */
export async function up(db: Db): Promise<void> {
  for (const table of ADDED) await createIndexes(db, { columns: [], ...table });
  for (const name of REPLACED) await sql`DROP INDEX CONCURRENTLY IF EXISTS ${sql.ref(name)}`.execute(db);
}
