import { type Insertable, sql } from 'kysely';
import type { JsonObject } from '../../json/json.ts';
import type { Db, Trx } from '../database.ts';
import { IntentLost, SceneTaken } from '../failure.ts';
import { type IntentKey, insertOfIntents, keysOf } from '../objects/intents.ts';
import type { WantedCopy } from '../objects/locations.ts';
import {
  type ColumnName,
  type FieldWith,
  type GeneratedImagesTable,
  INSERTED_FIELDS,
  type MediaItem,
  columnOf,
  sqlTypeOf,
} from '../item-columns.ts';
import { prepared } from '../prepared.ts';
import { ITEM_COLUMNS, type ItemRow, toItem } from './item-row.ts';

type JsonColumn = ColumnName<FieldWith<{ kind: 'object' }>>;
/** The columns of a new item that its writer knows; objects unserialised. */
export type NewRow = Omit<Insertable<GeneratedImagesTable>, 'id' | 'storage_url' | JsonColumn> & {
  [C in JsonColumn]?: JsonObject | undefined;
};

export interface NewItem {
  row: NewRow;
  /** Returns the permanent URL of an item with this id. */
  storageUrl: (id: string) => string;
  /** Where its bytes lie. */
  location?: { store: string; key: string; owned: boolean } | undefined;
  /** Its bytes were written under an intent, which the insert ends. */
  endsIntent?: boolean | undefined;
  /** Copies that a worker must make. */
  copies?: readonly WantedCopy[] | undefined;
  /** Becomes the next version of the scene that its row names, and its current one. */
  takesVersion?: boolean | undefined;
  /** The event to record. */
  event?: 'item.stored' | 'item.failed' | undefined;
  /** The id that it had before its row was lost; it gets another one if that is in use. */
  formerId?: string | undefined;
}

const COLUMNS = INSERTED_FIELDS.map(([field, column]) => ({
  name: columnOf(field) as Exclude<ColumnName, 'id' | 'storage_url'>,
  type: sqlTypeOf(column),
  default: column.default,
}));
const NAMES = COLUMNS.map(({ name }) => name);
/** What the database makes of a new item, or writes in its own way; all else is as it was given. */
const MADE = ['id', 'storage_url', 'version', 'generated_at', 'expires_at', 'created_at', 'updated_at'] as const;
type MadeRow = Pick<ItemRow, (typeof MADE)[number]> & { place: number; ended: boolean };

/*
 * The only statement that inserts items, in any number:
 *
 *   given ── end its intent ── assign an id ── count the scene's version ── item ── locations, copies, event
 *
 * An item whose intent the sweeper has marked, or whose scene is another user's, is left out with all its rows. Intents that
 * begin in the same commit are inserted as well.
 */
const insertAll = prepared(
  'insert_items',
  (_db, { items, stores, keys }: ReturnType<typeof keysOf> & { items: string }) => {
    const shapes = sql.join(COLUMNS.map(({ name, type }) => sql`${sql.ref(name)} ${sql.raw(type)}`));
    const inserted = sql.join(NAMES.map((name) => sql.ref(name)));
    const values = sql.join(
      NAMES.map((name) => (name === 'version' ? sql`coalesce(scene.last_version, version)` : sql.ref(name))),
    );
    const made = sql.join(MADE.map((name) => sql.ref(`item.${name}`)));
    return sql<MadeRow>`
    WITH given AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${items}::jsonb) AS given (place int, former bigint, before text, after text, ends boolean,
        store text, key text, locations jsonb, versioned boolean, event text, ${shapes})
    ), ended AS (
      DELETE FROM storage_intents USING given
      WHERE given.ends AND storage_intents.store = given.store AND storage_intents.key = given.key AND marked_at IS NULL
      RETURNING given.place
    ), numbered AS MATERIALIZED (
      SELECT given.*, CASE WHEN former IS NULL OR EXISTS (SELECT FROM generated_images WHERE id = former)
        THEN nextval(pg_get_serial_sequence('generated_images', 'id')) ELSE former END AS id
      FROM given WHERE ends IS NULL OR place IN (SELECT place FROM ended)
    ), scene AS (
      INSERT INTO scenes (project_id, scene_id, owner, last_version, current_item_id)
      SELECT project_id, scene_id, user_id, 1, id FROM numbered WHERE versioned
      ON CONFLICT (project_id, scene_id) DO UPDATE
        SET last_version = scenes.last_version + 1, current_item_id = excluded.current_item_id WHERE scenes.owner = excluded.owner
      RETURNING current_item_id, last_version
    ), item AS (
      INSERT INTO generated_images (id, storage_url, ${inserted})
      SELECT id, before || coalesce(id::text || after, ''), ${values}
      FROM numbered LEFT JOIN scene ON current_item_id = id WHERE versioned IS NULL OR last_version IS NOT NULL
      RETURNING *
    ), marked AS MATERIALIZED (
      -- The items' own marks cover their locations, see the triggers of the totals.
      SELECT set_config('mediakeep.inserted', ',' || string_agg(id::text, ',') || ',', TRUE) FROM numbered
    ), location AS (
      INSERT INTO media_locations (media_id, store, key, bytes, sha256, owned, state, purpose, next_attempt_at)
      SELECT item.id, at.store, at.key, item.bytes, item.sha256, at.owned, at.state, at.purpose, CASE at.state WHEN 'pending' THEN now() END
      FROM marked, item JOIN numbered USING (id), jsonb_to_recordset(numbered.locations)
        AS at (store text, key text, owned boolean, state text, purpose text)
    ), begun AS (${insertOfIntents({ stores, keys })}
    ), event AS (
      INSERT INTO media_event_outbox (kind, user_id, media_id, provider, job_id, run_id, status)
      SELECT numbered.event, item.user_id, item.id, item.provider, item.job_id, item.run_id, item.status
      FROM item JOIN numbered USING (id) WHERE numbered.event IS NOT NULL
    )
    SELECT given.place, given.place IN (SELECT place FROM ended) AS ended, ${made}
    FROM given LEFT JOIN numbered USING (place) LEFT JOIN item ON item.id = numbered.id`;
  },
);

/**
 * Inserts items with all their rows, and begins intents. Returns the items in order, with an error for each that is left out. One
 * call may hold at most one item of a scene.
 */
export async function insertItems(
  db: Db,
  items: readonly ItemRecord[],
  intents: readonly IntentKey[] = [],
): Promise<(MediaItem | Error)[]> {
  const records = items.map((item, place) => `{"place":${place},${item.json.slice(1)}`);
  const rows = await insertAll(db, { items: `[${records.join(',')}]`, ...keysOf(intents) });
  const byPlace = new Map(rows.map((row) => [row.place, row]));
  return items.map((item, place) => {
    const made = byPlace.get(place);
    if (made?.id) return toItem({ ...item.row, ...made });
    return made?.ended === true || !item.ends ? new SceneTaken() : new IntentLost();
  });
}

/**
 * Inserts one item in a transaction.
 * @throws IntentLost, SceneTaken
 */
export async function insertItem(trx: Trx, item: NewItem): Promise<MediaItem> {
  const [inserted] = await insertItems(trx, [itemRecord(item)]);
  if (inserted instanceof Error) throw inserted;
  if (!inserted) throw new Error('An item was inserted without an answer');
  return inserted;
}

/** A new item, serialised separately, so that a value that cannot be serialised fails only its own item. */
export interface ItemRecord {
  json: string;
  /** Its intent must exist. */
  ends: boolean;
  /** The row as it will be, without the columns that the database fills. */
  row: ItemRow;
}

/** Placeholder for the id while a URL is built; no URL contains it otherwise. */
const ID = '\0';

export function itemRecord(item: NewItem): ItemRecord {
  const { row, storageUrl, location, copies = [], endsIntent: ends = false, takesVersion, event, formerId } = item;
  const [before, after] = storageUrl(ID).split(ID);
  const values: Record<string, unknown> = {};
  for (const { name, default: initial } of COLUMNS) values[name] = row[name] ?? initial ?? null;
  const json = JSON.stringify({
    before,
    after,
    event,
    former: formerId,
    ...(ends && { ends: true }),
    ...(takesVersion === true && { versioned: true }),
    ...(location && {
      store: location.store,
      key: location.key,
      locations: [
        { ...location, state: 'stored' },
        ...copies.map((copy) => ({ ...copy, owned: true, state: 'pending' })),
      ],
    }),
    ...values,
  });
  const shown = { ...ABSENT, ...values, storage_key: location?.key ?? null, is_current: takesVersion === true || null };
  return { json, ends, row: shown as ItemRow };
}

/** The columns that no insert writes. */
const ABSENT = Object.fromEntries(ITEM_COLUMNS.map((name) => [name, null]));
