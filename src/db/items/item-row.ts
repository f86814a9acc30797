import { type ExpressionBuilder, type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely';
import type { JsonObject } from '../../json/json.ts';
import {
  type ColumnName,
  type FieldWith,
  type GeneratedImagesTable,
  ITEM_FIELDS,
  type MediaItem,
  STORED_FIELDS,
  type StoredField,
  columnOf,
} from '../item-columns.ts';
import type { Tables } from '../tables.ts';
import { recordedAt, toIsoTime } from '../timestamps.ts';

type HiddenColumn = ColumnName<FieldWith<{ hidden: true }>>;
type ShownColumn = Exclude<ColumnName, HiddenColumn>;

/** The visible columns of an item. */
export const ITEM_COLUMNS = STORED_FIELDS.filter(([, { hidden }]) => hidden !== true).map(([field]) =>
  columnOf(field),
) as ShownColumn[];

/** The columns of an item for `select` and `returning`: all but the provider's raw answer and the search text. */
export function itemColumns(eb: ExpressionBuilder<Tables, 'generated_images'>) {
  return [
    ...ITEM_COLUMNS.map((column) => `generated_images.${column}` as const),
    eb
      .selectFrom('media_locations')
      .select('media_locations.key')
      .whereRef('media_locations.media_id', '=', 'generated_images.id')
      .whereRef('media_locations.store', '=', 'generated_images.storage_provider')
      .as('storage_key'),
    isCurrent(eb).as('is_current'),
  ] as const;
}

/**
 * A text that changes with everything that `itemColumns` selects. The writing transaction's id would not do: after a failover to
 * a standby or the restore of a backup, ids may repeat.
 */
export function rowVersion(eb: ExpressionBuilder<Tables, 'generated_images'>): RawBuilder<string> {
  const location = eb
    .selectFrom('media_locations')
    .select(sql`media_locations.xmin`.as('written_by'))
    .whereRef('media_locations.media_id', '=', 'generated_images.id')
    .whereRef('media_locations.store', '=', 'generated_images.storage_provider');
  return sql<string>`concat_ws(' ', generated_images.xmin, generated_images.updated_at, ${location}, ${isCurrent(eb)})`;
}

/** A scalar look-up by the scene's primary key; EXISTS would let the planner hash the whole table. */
function isCurrent(eb: ExpressionBuilder<Tables, 'generated_images'>): RawBuilder<SqlBool | null> {
  const current = eb
    .selectFrom('scenes')
    .select((scene) => scene('scenes.current_item_id', '=', scene.ref('generated_images.id')).as('current'))
    .whereRef('scenes.project_id', '=', 'generated_images.project_id')
    .whereRef('scenes.scene_id', '=', 'generated_images.scene_id');
  return sql<SqlBool | null>`CASE WHEN generated_images.version IS NOT NULL THEN coalesce(${current}, FALSE) END`;
}

/** What `itemColumns` selects. */
export type ItemRow = Omit<Selectable<GeneratedImagesTable>, HiddenColumn> & {
  storage_key: string | null;
  is_current: SqlBool | null;
};

/**
 * How a value is read from its row. Rows of an older system may hold anything that their columns allow: nulls in arrays, JSON
 * that is no object.
 */
const READ: Partial<Record<string, (value: never) => unknown>> = {
  size: (text: string | null) => (text === null ? null : Number(text)),
  sha256: (text: string | null) => text?.trim() || null,
  time: toIsoTime,
  object: toObject,
  tags: (tags: (string | null)[] | null) => (tags ?? []).filter((tag) => tag !== null),
  boolean: (value: SqlBool | null) => (value === null ? null : Boolean(value)),
};

const orNull = (text: unknown) => (text === '' ? null : text);

const SHOWN = ITEM_FIELDS.filter(([, { hidden }]) => hidden !== true).map(([field, { kind, emptyIsNull }]) => ({
  field,
  column: columnOf(field as StoredField) as keyof ItemRow,
  read: emptyIsNull ? orNull : (READ[kind] as ((value: unknown) => unknown) | undefined),
}));

/** A row as an item. */
export function toItem(row: ItemRow): MediaItem {
  const item: Record<string, unknown> = {};
  for (const { field, column, read } of SHOWN) item[field] = read ? read(row[column]) : row[column];
  const createdAt = recordedAt(row.created_at);
  item['createdAt'] = createdAt;
  item['updatedAt'] ??= createdAt;
  // Rows of an older system may name a store although nothing is stored: it is the column's default.
  if (item['storageUrl'] === null) item['storageProvider'] = null;
  return item as MediaItem;
}

function toObject(value: unknown): JsonObject {
  if (value === null || value === undefined) return {};
  return typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject) : { value: value as JsonObject };
}
