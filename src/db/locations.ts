import type { Db, Trx } from './database.ts';
import { toIsoTime } from './timestamps.ts';

export interface Location {
  store: string;
  key: string;
  bytes: number;
  sha256: string | null;
  /** False: somebody else's object, which is never deleted by this service. */
  owned: boolean;
  state: 'stored' | 'pending' | 'missing' | 'corrupt';
  verifiedAt: string | null;
}

export interface NewLocation {
  mediaId: string;
  store: string;
  key: string;
  bytes: number;
  sha256: string;
  owned: boolean;
}

export async function insertLocation(trx: Trx, { mediaId, ...location }: NewLocation): Promise<void> {
  await trx
    .insertInto('media_locations')
    .values({ ...location, media_id: mediaId })
    .execute();
}

/** Where an item's bytes lie, the one in `primary` first. */
export async function locationsOf(db: Db, mediaId: string, primary: string | null): Promise<Location[]> {
  const rows = await db
    .selectFrom('media_locations')
    .selectAll()
    .where('media_id', '=', mediaId)
    .orderBy('created_at')
    .execute();
  return rows
    .map((row) => ({
      store: row.store,
      key: row.key,
      bytes: Number(row.bytes),
      sha256: row.sha256?.trim() ?? null,
      owned: row.owned,
      state: row.state,
      verifiedAt: toIsoTime(row.verified_at),
    }))
    .toSorted((a, b) => Number(b.store === primary) - Number(a.store === primary));
}
