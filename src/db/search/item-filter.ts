import type { JsonObject } from '../../json/json.ts';
import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import type { JobName } from '../jobs/job-outputs.ts';
import { type ColumnName, type FilterField, STORED_FIELDS, columnOf } from '../item-columns.ts';
import type { Tables } from '../tables.ts';

/** Conditions of a search; all must hold. */
export interface ItemFilter extends Partial<Record<FilterField, string | undefined>> {
  /** The outputs of a job: items with its id, unless a job of another provider lists them, and the items that it lists. */
  ofJob?: JobName | undefined;
  seed?: string | undefined;
  sampler?: string | undefined;
  tags?: readonly string[] | undefined;
  tagMode?: 'all' | 'any' | undefined;
  metadata?: JsonObject | undefined;
  /** Words, "phrases", or, -not: the syntax of web search engines. */
  q?: string | undefined;
  createdAfter?: string | undefined;
  createdBefore?: string | undefined;
  /** Status neither success nor pending. */
  failed?: boolean | undefined;
}

/** The place in the order after which a page begins: creation time with microseconds, and id. */
export interface Position {
  createdAt: string;
  id: string;
}

/** Rows after a place in an order. */
export const beyond = (order: 'asc' | 'desc', { createdAt, id }: Position): RawBuilder<boolean> =>
  sql<boolean>`(generated_images.created_at, generated_images.id) ${sql.raw(order === 'desc' ? '<' : '>')} (${createdAt}::timestamptz, ${id}::bigint)`;

/** Fields that are filtered by their whole value. */
export const EXACT_FIELDS = STORED_FIELDS.filter(([, { filter }]) => filter !== undefined) as [
  FilterField,
  (typeof STORED_FIELDS)[number][1],
][];
const EXACT = EXACT_FIELDS.map(([field, { anyCase }]) => ({ field, column: columnOf(field), anyCase }));

/** The columns that the other conditions test, besides id, creation and deletion. A walk of a search reads these alone. */
const TESTED: Readonly<Record<Exclude<keyof ItemFilter, FilterField>, readonly ColumnName[]>> = {
  ofJob: [],
  seed: ['generation'],
  sampler: ['generation'],
  tags: ['tags'],
  tagMode: [],
  metadata: ['metadata'],
  q: ['search_text', 'prompt'],
  createdAfter: [],
  createdBefore: [],
  failed: ['status'],
};

/** The columns that a filter tests, besides id, creation and deletion. */
export function columnsOf(filter: ItemFilter): ColumnName[] {
  const exact = EXACT.filter(({ field }) => filter[field] !== undefined).map(({ column }) => column);
  const others = Object.entries(TESTED).filter(([name]) => (filter[name as keyof typeof TESTED] ?? false) !== false);
  return [...new Set([...exact, ...others.flatMap(([, columns]) => columns)])];
}

/** Must match the partial index's predicate, or the index is not used. */
const FAILED = sql<boolean>`generated_images.status <> 'success' AND generated_images.status <> 'pending'`;
/** Must equal the expression of the text index. */
const SEARCHED = sql`to_tsvector('simple', left(coalesce(generated_images.search_text, generated_images.prompt), 16000))`;

// The expressions must equal those of the indexes, which hold the first 200 characters of a value; a shorter value is matched whole.
const hasSeed = (value: string) => sql<boolean>`left(generated_images.generation ->> 'seed', 201) = ${value}`;
const hasSampler = (value: string) =>
  sql<boolean>`left(lower(generated_images.generation ->> 'sampler'), 201) = lower(${value})`;

/** Undeleted items that match a filter. */
export function filtered<O>(
  query: SelectQueryBuilder<Tables, 'generated_images', O>,
  filter: ItemFilter,
): SelectQueryBuilder<Tables, 'generated_images', O> {
  return matching(query.where('generated_images.deleted_at', 'is', null), filter);
}

/** Adds the conditions of a filter, without excluding deleted items. */
export function matching<O>(
  query: SelectQueryBuilder<Tables, 'generated_images', O>,
  filter: ItemFilter,
): SelectQueryBuilder<Tables, 'generated_images', O> {
  let narrowed = query;
  for (const { field, column, anyCase } of EXACT) {
    const value = filter[field];
    if (value === undefined) continue;
    const name = `generated_images.${column}` as const;
    narrowed = anyCase
      ? narrowed.where(sql<boolean>`lower(${sql.ref(name)}) = lower(${value})`)
      : narrowed.where(name, '=', value);
  }
  if (filter.seed !== undefined) narrowed = narrowed.where(hasSeed(filter.seed));
  if (filter.sampler !== undefined) narrowed = narrowed.where(hasSampler(filter.sampler));
  if (filter.ofJob !== undefined)
    narrowed = narrowed.where(
      sql<boolean>`generated_images.id IN (SELECT bearing.id FROM generated_images AS bearing WHERE bearing.job_id = ${filter.ofJob.jobId}
        AND NOT EXISTS (SELECT FROM job_outputs AS others WHERE others.media_id = bearing.id
          AND others.job_id = ${filter.ofJob.jobId} AND others.provider <> ${filter.ofJob.provider})
        UNION SELECT media_id FROM job_outputs WHERE provider = ${filter.ofJob.provider} AND job_id = ${filter.ofJob.jobId})`,
    );
  if (filter.tags !== undefined && filter.tags.length > 0) {
    const wanted = sql`${[...filter.tags]}::text[]`;
    narrowed = narrowed.where(
      filter.tagMode === 'any'
        ? sql<boolean>`generated_images.tags && ${wanted}`
        : sql<boolean>`generated_images.tags @> ${wanted}`,
    );
  }
  if (filter.metadata !== undefined)
    narrowed = narrowed.where(sql<boolean>`generated_images.metadata @> ${JSON.stringify(filter.metadata)}::jsonb`);
  if (filter.q !== undefined)
    narrowed = narrowed.where(sql<boolean>`${SEARCHED} @@ websearch_to_tsquery('simple', ${filter.q})`);
  if (filter.createdAfter !== undefined)
    narrowed = narrowed.where('generated_images.created_at', '>', filter.createdAfter);
  if (filter.createdBefore !== undefined)
    narrowed = narrowed.where('generated_images.created_at', '<', filter.createdBefore);
  if (filter.failed === true) narrowed = narrowed.where(FAILED);
  return narrowed;
}
