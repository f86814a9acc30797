import { sql } from 'kysely';
import type { Db } from '../database.ts';

// Names that users assign: ids of older systems, and labels of runs. Any user may assign any of them repeatedly, to items of any
// size, so these look-ups read single narrow rows.

/** Columns that hold such names. */
type NameColumn = 'external_id' | 'run_id';

/** At most two of the users whose undeleted items have a name: enough to know whether there is a sole owner. */
export async function ownersOfName(db: Db, column: NameColumn, name: string): Promise<string[]> {
  const one = sql`SELECT user_id FROM generated_images WHERE ${sql.ref(column)} = ${name} AND deleted_at IS NULL`;
  const { rows } = await sql<{ first: string | null; second: string | null }>`
    SELECT first.user_id AS first, (${one} AND user_id > first.user_id ORDER BY user_id LIMIT 1) AS second
    FROM (${one} ORDER BY user_id LIMIT 1) AS first`.execute(db);
  return rows.flatMap(({ first, second }) => [first, second]).filter((owner) => owner !== null);
}

/** Whether a user has an undeleted item with a name. */
export async function bearsName(db: Db, column: NameColumn, name: string, userId: string): Promise<boolean> {
  const row = await db
    .selectFrom('generated_images')
    .select('id')
    .where(column, '=', name)
    .where('user_id', '=', userId)
    .where('deleted_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** The newest of a user's undeleted items with an id of an older system. */
export async function newestByExternalId(
  db: Db,
  externalId: string,
  { userId, publicOnly }: { userId: string; publicOnly: boolean },
): Promise<string | undefined> {
  const row = await db
    .selectFrom('generated_images')
    .select('id')
    .where('external_id', '=', externalId)
    .where('user_id', '=', userId)
    .where('deleted_at', 'is', null)
    .$if(publicOnly, (query) => query.where('visibility', '=', 'public'))
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.id;
}

export interface RunMedia {
  runId: string;
  userId: string;
  mediaType: string;
  /** 1 is the oldest. */
  n: number;
  publicOnly: boolean;
}

/** The n-th item of a type, stored or pending, among a user's items with a run's id. */
export async function nthOfRun(
  db: Db,
  { runId, userId, mediaType, n, publicOnly }: RunMedia,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('generated_images')
    .select('id')
    .where('run_id', '=', runId)
    .where('user_id', '=', userId)
    .where('deleted_at', 'is', null)
    .where('status', 'in', ['success', 'pending'])
    .where('media_type', '=', mediaType)
    .$if(publicOnly, (query) => query.where('visibility', '=', 'public'))
    .orderBy('created_at')
    .orderBy('id')
    .offset(n - 1)
    .limit(1)
    .executeTakeFirst();
  return row?.id;
}

/** Facts that identify a file among those with the same external id. */
export interface KnownFile {
  id: string;
  bytes: number | null;
  sha256: string | null;
  storageKey: string | null;
  storageUrl: string;
  originalUrl: string | null;
}

const PAGE = 200;

/** A user's items with an id of an older system, oldest first; also deleted ones, so that another import does not undo a deletion. */
export async function* filesByExternalId(db: Db, userId: string, externalId: string): AsyncGenerator<KnownFile> {
  for (let after = '0'; ;) {
    const rows = await db
      .selectFrom('generated_images')
      .select(['id', 'bytes', 'sha256', 'storage_url', 'original_url'])
      .select((eb) =>
        eb
          .selectFrom('media_locations')
          .select('media_locations.key')
          .whereRef('media_locations.media_id', '=', 'generated_images.id')
          .whereRef('media_locations.store', '=', 'generated_images.storage_provider')
          .as('storage_key'),
      )
      .where('external_id', '=', externalId)
      .where('user_id', '=', userId)
      .where('id', '>', after)
      .orderBy('id')
      .limit(PAGE)
      .execute();
    for (const row of rows)
      yield {
        id: row.id,
        bytes: row.bytes === null ? null : Number(row.bytes),
        sha256: row.sha256?.trim() || null,
        storageKey: row.storage_key,
        storageUrl: row.storage_url,
        originalUrl: row.original_url,
      };
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = last.id;
  }
}

/** Whether a user has an item, even a deleted one, with an id of an older system and these bytes. */
export async function hasFile(
  db: Db,
  { userId, externalId, sha256, bytes }: { userId: string; externalId: string; sha256?: string; bytes?: number },
): Promise<boolean> {
  const row = await db
    .selectFrom('generated_images')
    .select('id')
    .where('external_id', '=', externalId)
    .where('user_id', '=', userId)
    .$if(sha256 !== undefined, (query) => query.where('sha256', '=', sha256 ?? ''))
    .$if(bytes !== undefined, (query) => query.where('bytes', '=', String(bytes)))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
