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
  /** None of these. */
  notTags?: readonly string[] | undefined;
  /** None of these, in any case. */
  notModels?: readonly string[] | undefined;
  notTools?: readonly string[] | undefined;
  /** Deleted items alone, or with the others; left out: none. */
  deleted?: 'only' | 'include' | undefined;
  metadata?: JsonObject | undefined;
  /** What the words of an item must match: a `tsquery`; an empty one matches nothing. */
  words?: string | undefined;
  createdAfter?: string | undefined;
  createdBefore?: string | undefined;
  /** Status neither success nor pending. */
  failed?: boolean | undefined;
}

/** What items can be sorted by. */
export type SortField = 'createdAt' | 'generatedAt' | 'bytes';

/** The expressions must equal those of the indexes. Where a value is missing, another one stands for it. */
const SORTED: Readonly<Record<SortField, { value: RawBuilder<unknown>; type: string }>> = {
  createdAt: { value: sql`generated_images.created_at`, type: 'timestamptz' },
  generatedAt: {
    value: sql`coalesce(generated_images.generated_at, generated_images.created_at)`,
    type: 'timestamptz',
  },
  bytes: { value: sql`coalesce(generated_images.bytes, 0::bigint)`, type: 'bigint' },
};

/** The value by which an item is sorted. */
export const sortValue = (by: SortField): RawBuilder<unknown> => SORTED[by].value;

/** The place in the order after which a page begins: the sorted value as PostgreSQL writes it (times with microseconds), and id. */
export interface Position {
  value: string;
  id: string;
}

/** Rows after a place in an order. */
export const beyond = (
  order: 'asc' | 'desc',
  { value, id }: Position,
  by: SortField = 'createdAt',
): RawBuilder<boolean> =>
  sql<boolean>`(${SORTED[by].value}, generated_images.id) ${sql.raw(order === 'desc' ? '<' : '>')} (${value}::${sql.raw(SORTED[by].type)}, ${id}::bigint)`;

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
  notTags: ['tags'],
  notModels: ['model'],
  notTools: ['tool_name'],
  deleted: [],
  metadata: ['metadata'],
  words: ['search_words'],
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

// The expressions must equal those of the indexes, which hold the first 200 characters of a value; a shorter value is matched whole.
const hasSeed = (value: string) => sql<boolean>`left(generated_images.generation ->> 'seed', 201) = ${value}`;
const hasSampler = (value: string) =>
  sql<boolean>`left(lower(generated_images.generation ->> 'sampler'), 201) = lower(${value})`;

/** Items that match a filter; deleted ones only where it asks for them. */
export function filtered<O>(
  query: SelectQueryBuilder<Tables, 'generated_images', O>,
  filter: ItemFilter,
): SelectQueryBuilder<Tables, 'generated_images', O> {
  if (filter.deleted === 'include') return matching(query, filter);
  return matching(
    query.where('generated_images.deleted_at', filter.deleted === 'only' ? 'is not' : 'is', null),
    filter,
  );
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
  if (filter.notTags !== undefined && filter.notTags.length > 0)
    narrowed = narrowed.where(sql<boolean>`(generated_images.tags && ${[...filter.notTags]}::text[]) IS NOT TRUE`);
  for (const [names, column] of [
    [filter.notModels, 'model'],
    [filter.notTools, 'tool_name'],
  ] as const)
    if (names !== undefined && names.length > 0)
      narrowed = narrowed.where(
        sql<boolean>`coalesce(lower(${sql.ref(`generated_images.${column}`)}), '') <> ALL (SELECT lower(name) FROM unnest(${[...names]}::text[]) AS name)`,
      );
  if (filter.metadata !== undefined)
    narrowed = narrowed.where(sql<boolean>`generated_images.metadata @> ${JSON.stringify(filter.metadata)}::jsonb`);
  if (filter.words !== undefined)
    narrowed = narrowed.where(sql<boolean>`generated_images.search_words @@ ${filter.words}::tsquery`);
  if (filter.createdAfter !== undefined)
    narrowed = narrowed.where('generated_images.created_at', '>', filter.createdAfter);
  if (filter.createdBefore !== undefined)
    narrowed = narrowed.where('generated_images.created_at', '<', filter.createdBefore);
  if (filter.failed === true) narrowed = narrowed.where(FAILED);
  return narrowed;
}
