import type { ColumnType, Generated, JSONColumnType } from 'kysely';
import type { JsonObject } from '../json/json.ts';

// The one declaration of an item's fields. The types of rows and items, the insert, the selects, the schema check, the search
// filters, metadata.json of a run and the wire schemas all derive from it. The column's name is the field's in snake case.

/**
 * How a value is stored and read. `id` is a BIGINT as text, `size` a BIGINT that fits a number, `joined` fields come from other
 * tables.
 */
type Kind = 'text' | 'uuid' | 'id' | 'integer' | 'size' | 'sha256' | 'time' | 'object' | 'tags' | 'words' | 'boolean';

interface ItemColumn {
  kind: Kind;
  /** Length of a `character varying`. */
  varchar?: number;
  /** NOT NULL. */
  required?: true;
  /** What the insert writes for an absent value. The column's own default is the same, but for `toolName`. */
  default?: string | number;
  /** An empty text stands for an absent value, and is shown as null: the column is NOT NULL. */
  emptyIsNull?: true;
  /** Where the value comes from: a caller, the service (from the bytes), the database, or a joined table. */
  by: 'caller' | 'service' | 'database' | 'joined';
  /** Maximum bytes of a caller's text; indexed texts stay below the limit of an index entry (2,704 bytes). */
  maxBytes?: number;
  /** The only values that a caller may give. */
  values?: readonly string[];
  /** Filtered by value. `few`: one value matches few items, so the search starts from its index. */
  filter?: 'few' | 'many';
  /** The filter ignores case; an index for it is on `lower(column)`. */
  anyCase?: true;
  /** Its name in metadata.json of a run if it differs; false: not part of it. */
  run?: string | false;
  /** Never shown. */
  hidden?: true;
}

const SHORT = 2000;

export const ITEM = {
  id: { kind: 'id', required: true, by: 'database', run: 'item_id' },
  userId: { kind: 'text', required: true, by: 'caller', maxBytes: 255, filter: 'many', run: false },
  username: { kind: 'text', by: 'caller', maxBytes: SHORT },
  toolName: {
    kind: 'text',
    required: true,
    // The column's default, `generateUserImage`, is for writers of the older system, which leave the column out.
    default: '',
    emptyIsNull: true,
    by: 'caller',
    maxBytes: 255,
    filter: 'many',
    anyCase: true,
  },
  prompt: { kind: 'text', required: true, by: 'caller', maxBytes: 256 * 1024 },
  model: { kind: 'text', by: 'caller', maxBytes: SHORT, filter: 'many', anyCase: true },
  provider: { kind: 'text', by: 'caller', maxBytes: 255, filter: 'many', anyCase: true },
  size: { kind: 'text', varchar: 20, by: 'caller', maxBytes: 20 },
  quality: { kind: 'text', varchar: 20, by: 'caller', maxBytes: 20 },
  style: { kind: 'text', varchar: 20, by: 'caller', maxBytes: 20 },
  n: { kind: 'integer', default: 1, by: 'caller' },
  mediaType: { kind: 'text', required: true, default: 'image', by: 'service', filter: 'many', run: 'type' },
  mimeType: { kind: 'text', varchar: 50, by: 'service', filter: 'many' },
  bytes: { kind: 'size', by: 'service', run: 'file_size_bytes' },
  sha256: { kind: 'sha256', by: 'service', filter: 'few' },
  width: { kind: 'integer', by: 'service' },
  height: { kind: 'integer', by: 'service' },
  durationMs: { kind: 'size', by: 'service' },
  thumbhash: { kind: 'text', by: 'database' },
  filename: { kind: 'text', by: 'caller', maxBytes: 1000, run: 'original_filename' },
  visibility: {
    kind: 'text',
    required: true,
    default: 'private',
    by: 'caller',
    values: ['private', 'public'],
    filter: 'many',
  },
  storageUrl: { kind: 'text', required: true, emptyIsNull: true, by: 'database', run: false },
  storageProvider: { kind: 'text', varchar: 50, by: 'service', filter: 'many', run: false },
  storageKey: { kind: 'text', by: 'joined', run: false },
  tags: { kind: 'tags', by: 'caller' },
  status: { kind: 'text', varchar: 20, required: true, default: 'success', by: 'caller', filter: 'many' },
  error: { kind: 'text', by: 'caller', maxBytes: 64 * 1024 },
  metadata: { kind: 'object', by: 'caller' },
  generation: { kind: 'object', by: 'caller' },
  providerResponse: { kind: 'object', by: 'service', hidden: true, run: false },
  /** Of the version before, which still writes it; nothing reads it. */
  searchText: { kind: 'text', by: 'database', hidden: true, run: false },
  /** The words that a search by text finds, and the version of the way in which they were split. */
  searchWords: { kind: 'words', by: 'service', hidden: true, run: false },
  searchVersion: { kind: 'integer', by: 'service', hidden: true, run: false },
  /** Raised by edits alone; the tag of the record. */
  revision: { kind: 'integer', required: true, default: 0, by: 'database', hidden: true, run: false },
  messageId: { kind: 'text', by: 'caller', maxBytes: SHORT, filter: 'few' },
  requestId: { kind: 'text', by: 'caller', maxBytes: SHORT, filter: 'few' },
  jobId: { kind: 'text', by: 'caller', maxBytes: SHORT, filter: 'few' },
  runId: { kind: 'text', by: 'caller', maxBytes: 200, filter: 'few', run: false },
  projectId: { kind: 'uuid', by: 'caller', filter: 'few' },
  sceneId: { kind: 'text', by: 'caller', maxBytes: 255, filter: 'many' },
  version: { kind: 'integer', by: 'service', run: false },
  isCurrent: { kind: 'boolean', by: 'joined', run: false },
  parentId: { kind: 'id', by: 'caller', run: false },
  externalId: { kind: 'text', by: 'caller', maxBytes: SHORT, filter: 'few' },
  originalUrl: { kind: 'text', by: 'caller', maxBytes: SHORT },
  generatedAt: { kind: 'time', by: 'caller' },
  createdAt: { kind: 'time', required: true, by: 'database' },
  updatedAt: { kind: 'time', by: 'database' },
  expiresAt: { kind: 'time', by: 'caller' },
  deletedAt: { kind: 'time', by: 'database' },
} as const satisfies Record<string, ItemColumn>;

export type ItemField = keyof typeof ITEM;
/** The declaration as entries, to iterate over all fields. */
export const ITEM_FIELDS = Object.entries(ITEM) as [ItemField, ItemColumn][];

type Columns = typeof ITEM;
/** Names of the fields whose declaration has `Part`. */
export type FieldWith<Part> = { [N in ItemField]: Columns[N] extends Part ? N : never }[ItemField];

export type StoredField = FieldWith<{ by: 'caller' | 'service' | 'database' }>;
export type CallerField = FieldWith<{ by: 'caller' }>;
export type FilterField = FieldWith<{ filter: 'few' | 'many' }>;
type ShownField = Exclude<ItemField, FieldWith<{ hidden: true }>>;

type Snake<S extends string> = S extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Tail>}`
  : '';
export type ColumnName<N extends StoredField = StoredField> = Snake<N>;

/** `userId` → `user_id`. */
export function columnOf<N extends ItemField>(field: N): Snake<N> {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) as Snake<N>;
}

interface Values {
  text: string;
  uuid: string;
  id: string;
  integer: number;
  size: number;
  sha256: string;
  time: string;
  object: JsonObject;
  tags: string[];
  words: string;
  boolean: boolean;
}

/** The type of a field's value when present. */
export type FieldValue<N extends ItemField> = Columns[N] extends { values: readonly (infer V)[] }
  ? V
  : Values[Columns[N]['kind']];

/** Never null: a missing object or list is shown as empty. */
type AlwaysShown =
  | Exclude<FieldWith<{ required: true } | { kind: 'object' | 'tags' }>, FieldWith<{ emptyIsNull: true }>>
  | 'updatedAt';

/** A media item as the API shows it; times are RFC 3339 texts, absent values null. */
export type MediaItem = {
  [N in ShownField]: Values[Columns[N]['kind']] | (N extends AlwaysShown ? never : null);
};

/** `timestamptz`: read as PostgreSQL's text (microseconds are kept), written as an ISO text. */
export type Timestamp = ColumnType<string, string | undefined, string>;
export type NullableTimestamp = ColumnType<string | null, string | null | undefined, string | null>;
export type NullableJson = JSONColumnType<JsonObject | null, string | null | undefined, string | null>;

type Nullable<C, V> = C extends { required: true } ? V : V | null;
type ColumnTypeOf<C extends { kind: Kind }> = C['kind'] extends 'size'
  ? ColumnType<string | null, number | null | undefined, number | null>
  : C['kind'] extends 'object'
    ? NullableJson
    : C['kind'] extends 'tags'
      ? (string | null)[] | null
      : C['kind'] extends 'time'
        ? C extends { required: true }
          ? Timestamp
          : NullableTimestamp
        : C extends { default: unknown } | { kind: 'id'; required: true }
          ? Generated<Nullable<C, Values[C['kind']]>>
          : Nullable<C, Values[C['kind']]>;

/** The table `generated_images`. */
export type GeneratedImagesTable = { [N in StoredField as Snake<N>]: ColumnTypeOf<Columns[N]> };

const TYPES = {
  text: 'text',
  uuid: 'uuid',
  id: 'bigint',
  integer: 'integer',
  size: 'bigint',
  sha256: 'character(64)',
  time: 'timestamp with time zone',
  object: 'jsonb',
  tags: 'text[]',
  words: 'tsvector',
  boolean: 'boolean',
} as const satisfies Record<Kind, string>;

/** PostgreSQL's type of a column, as `format_type` writes it. */
export function sqlTypeOf({ kind, varchar }: ItemColumn): string {
  return varchar === undefined ? TYPES[kind] : `character varying(${varchar})`;
}

/** The fields that have a column, in the declaration's order. */
export const STORED_FIELDS = ITEM_FIELDS.filter(([, { by }]) => by !== 'joined') as [StoredField, ItemColumn][];
/** The fields that an insert writes. */
export const INSERTED_FIELDS = STORED_FIELDS.filter(([, { by }]) => by !== 'database');
/** Fields that a caller may set. */
export const CALLER_FIELDS = ITEM_FIELDS.filter(([, { by }]) => by === 'caller') as [CallerField, ItemColumn][];
