import { sql } from 'kysely';
import type { Db } from '../database.ts';
import { type IntentKey, insertOfIntents, intentLost, keysOf } from '../objects/intents.ts';
import { ITEM_COLUMNS, type ItemRow, type MediaItem, toItem } from './item-row.ts';
import type { NewItem } from './items.ts';
import { prepared } from '../prepared.ts';

/** Columns that an upload gives, as `jsonb_to_recordset` reads them. */
const COLUMNS = {
  user_id: 'text',
  username: 'text',
  tool_name: 'text',
  prompt: 'text',
  model: 'text',
  provider: 'text',
  size: 'text',
  quality: 'text',
  style: 'text',
  n: 'int',
  storage_provider: 'text',
  mime_type: 'text',
  media_type: 'text',
  bytes: 'bigint',
  sha256: 'text',
  width: 'int',
  height: 'int',
  duration_ms: 'bigint',
  filename: 'text',
  visibility: 'text',
  tags: 'text[]',
  status: 'text',
  error: 'text',
  metadata: 'jsonb',
  generation: 'jsonb',
  provider_response: 'jsonb',
  search_text: 'text',
  message_id: 'text',
  request_id: 'text',
  job_id: 'text',
  run_id: 'text',
  project_id: 'uuid',
  scene_id: 'text',
  version: 'int',
  parent_id: 'bigint',
  external_id: 'text',
  original_url: 'text',
  generated_at: 'timestamptz',
  expires_at: 'timestamptz',
} as const satisfies Partial<Record<keyof NewItem, string>>;

const NAMES = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];
/** What the columns themselves would give. */
const DEFAULTS: Partial<NewItem> = {
  tool_name: 'generateUserImage',
  media_type: 'image',
  visibility: 'private',
  status: 'success',
  n: 1,
};

const insertAll = prepared(
  'stored_items',
  (_db, { items, stores, keys }: ReturnType<typeof keysOf> & { items: string }) => {
    const names = sql.join(NAMES.map((name) => sql.ref(name)));
    const shapes = sql.join(NAMES.map((name) => sql`${sql.ref(name)} ${sql.raw(COLUMNS[name])}`));
    const answered = sql.join(ITEM_COLUMNS.map((name) => sql.ref(`item.${name}`)));
    return sql<ItemRow & { place: number }>`
    WITH given AS (
      SELECT * FROM jsonb_to_recordset(${items}::jsonb)
        AS given (place int, store text, key text, before text, after text, ${shapes})
    ), ended AS (
      DELETE FROM storage_intents USING given
      WHERE storage_intents.store = given.store AND storage_intents.key = given.key AND marked_at IS NULL
      RETURNING given.place
    ), numbered AS (
      SELECT given.*, nextval(pg_get_serial_sequence('generated_images', 'id')) AS id FROM given JOIN ended USING (place)
    ), item AS (
      INSERT INTO generated_images (id, storage_url, ${names})
      SELECT id, before || coalesce(id::text || after, ''), ${names} FROM numbered
      RETURNING *
    ), location AS (
      INSERT INTO media_locations (media_id, store, key, bytes, sha256)
      SELECT id, store, key, bytes, sha256 FROM numbered
    ), begun AS (${insertOfIntents({ stores, keys })}
    ), event AS (
      INSERT INTO media_event_outbox (kind, user_id, media_id, provider, job_id, run_id, status)
      SELECT 'item.stored', user_id, id, provider, job_id, run_id, status FROM item
    )
    SELECT numbered.place, ${answered}, NULL AS storage_key, NULL AS is_current FROM item JOIN numbered USING (id)`;
  },
);

export interface StoredItem extends IntentKey {
  row: Omit<NewItem, 'id' | 'storage_url'>;
  /** The permanent address of an item with such an id. */
  storageUrl: (id: string) => string;
}

/**
 * All that plain uploads commit, in one statement: the intent of each ends, its item, its location and its event appear; or, when the
 * intent is gone, nothing of it. Begins the intents of others with it. Answers the items in order, without their locations; an error
 * for those whose intent the sweeper has marked: the object may be gone already.
 */
export async function insertStoredItems(
  db: Db,
  items: readonly ItemRecord[],
  intents: readonly IntentKey[],
): Promise<(MediaItem | Error)[]> {
  const records = items.map((item, place) => `{"place":${place},${item.slice(1)}`);
  const rows = await insertAll(db, { items: `[${records.join(',')}]`, ...keysOf(intents) });
  const inserted = new Map(rows.map((row) => [row.place, row]));
  return items.map((_item, place) => {
    const row = inserted.get(place);
    return row ? toItem(row) : intentLost();
  });
}

/** A stored item as JSON, written before it meets others: a value that cannot be written fails nobody else. */
export type ItemRecord = string & { readonly [RECORD]: true };
declare const RECORD: unique symbol;

export function itemRecord(item: StoredItem): ItemRecord {
  return JSON.stringify(asRecord(item)) as ItemRecord;
}

/** Stands for the id while an address is made: no address holds it otherwise. */
const ID = '\0';
const JSON_COLUMNS = ['metadata', 'generation', 'provider_response'] as const;

function asRecord({ row, storageUrl, store, key }: StoredItem): Record<string, unknown> {
  const [before, after] = storageUrl(ID).split(ID);
  const record: Record<string, unknown> = { store, key, before, after };
  for (const name of NAMES) record[name] = row[name] ?? DEFAULTS[name];
  // Their rows have them as text already.
  for (const name of JSON_COLUMNS) if (typeof row[name] === 'string') record[name] = JSON.parse(row[name]);
  return record;
}
