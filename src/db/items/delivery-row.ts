import type { MediaItem } from '../item-columns.ts';
import { sql } from 'kysely';
import { coalesced } from '../coalesce.ts';
import type { Db } from '../database.ts';
import { type Location, primaryFirst, toLocation } from '../objects/locations.ts';
import { canonicalId } from './items.ts';
import { prepared } from '../prepared.ts';
import { recordedAt, toIsoTime } from '../timestamps.ts';

/** The fields of an item that delivery needs: its owner, and how its bytes are served. */
export type DeliveredItem = Pick<
  MediaItem,
  | 'id'
  | 'userId'
  | 'visibility'
  | 'deletedAt'
  | 'status'
  | 'mimeType'
  | 'filename'
  | 'sha256'
  | 'storageUrl'
  | 'storageProvider'
  | 'storageKey'
  | 'originalUrl'
  | 'createdAt'
>;

export interface DeliveredItemWithLocations extends DeliveredItem {
  /** The primary one first, then the oldest. */
  locations: Location[];
}

const deliveredItems = prepared('delivered_items', (db, { ids }: { ids: string[] }) =>
  db
    .selectFrom('generated_images as item')
    .leftJoin('media_locations as location', 'location.media_id', 'item.id')
    .select([
      'item.id',
      'item.user_id',
      'item.visibility',
      'item.deleted_at',
      'item.status',
      'item.mime_type',
      'item.filename',
      'item.sha256',
      'item.storage_url',
      'item.storage_provider',
      'item.original_url',
      'item.created_at',
      'location.store',
      'location.key',
      'location.bytes',
      'location.sha256 as location_sha256',
      'location.owned',
      'location.state',
      'location.verified_at',
    ])
    .where('item.id', '=', sql<string>`ANY(${ids}::bigint[])`)
    .orderBy('location.created_at'),
);

type Row = Awaited<ReturnType<typeof deliveredItems>>[number];

/** Several at once, by id; only those of `owner`, if given. */
export async function findDeliveredItems(
  db: Db,
  ids: readonly string[],
  owner: string | undefined,
): Promise<Map<string, DeliveredItemWithLocations>> {
  const possible = [...new Set(ids.flatMap((id) => canonicalId(id) ?? []))];
  if (possible.length === 0) return new Map();
  const rows = await deliveredItems(db, { ids: possible });
  const items = [...Map.groupBy(rows, (row) => row.id).values()].flatMap((same) => toDelivered(same) ?? []);
  return new Map(items.filter((item) => owner === undefined || item.userId === owner).map((item) => [item.id, item]));
}

const deliveredItem = coalesced<string, DeliveredItemWithLocations | undefined>(
  async (db, ids) => {
    const rows = await deliveredItems(db, { ids: [...new Set(ids)] });
    const found = Map.groupBy(rows, (row) => row.id);
    return ids.map((id) => toDelivered(found.get(id) ?? []));
  },
  { running: 2, most: 100 },
);

function toDelivered(rows: readonly Row[]): DeliveredItemWithLocations | undefined {
  const [row] = rows;
  if (!row) return undefined;
  const locations = rows.flatMap(({ store, key, bytes, location_sha256: sha256, owned, state, verified_at }) =>
    store === null || key === null || bytes === null || owned === null || state === null
      ? []
      : [toLocation({ store, key, bytes, sha256, owned, state, verified_at })],
  );
  return {
    id: row.id,
    userId: row.user_id,
    visibility: row.visibility,
    deletedAt: toIsoTime(row.deleted_at),
    status: row.status,
    mimeType: row.mime_type,
    filename: row.filename,
    sha256: row.sha256?.trim() || null,
    storageUrl: row.storage_url || null,
    storageProvider: row.storage_url === '' ? null : row.storage_provider,
    storageKey: locations.find(({ store }) => store === row.storage_provider)?.key ?? null,
    originalUrl: row.original_url,
    createdAt: recordedAt(row.created_at),
    locations: primaryFirst(locations, row.storage_provider),
  };
}

/** An item's delivery fields, even if it is deleted; concurrent look-ups share a statement. Not for transactions. */
export async function findDeliveredItem(db: Db, id: string): Promise<DeliveredItemWithLocations | undefined> {
  const canonical = canonicalId(id);
  return canonical === undefined ? undefined : deliveredItem(db, canonical);
}

/** Whether the record of an item says that a model made it: it names a model, a provider or a tool, or its file does. */
export async function saysGenerated(db: Db, id: string): Promise<boolean> {
  const { rows } = await sql<{ generated: boolean }>`
    SELECT coalesce(model, '') <> '' OR coalesce(provider, '') <> '' OR coalesce(tool_name, '') <> ''
      OR coalesce(generation ->> 'source', 'unknown') <> 'unknown' AS generated
    FROM generated_images WHERE id = ${id}::bigint`.execute(db);
  return rows[0]?.generated === true;
}
