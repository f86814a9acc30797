import type { JsonObject } from '../../json/json.ts';
import { sql } from 'kysely';
import { type IntentKey, insertIntentUntil } from './intents.ts';
import type { Db, Trx } from '../database.ts';
import { toIsoTime } from '../timestamps.ts';

/** A direct upload: the client sends the bytes to `key`. */
export interface Upload {
  id: string;
  userId: string;
  store: string;
  key: string;
  /** The intended store, which was down when the upload began. */
  home: string | undefined;
  contentType: string;
  bytes: number;
  /** The item's fields. */
  fields: JsonObject;
  /** Set when it has been completed. */
  itemId: string | undefined;
  expiresAt: string;
}

/** Time after its expiry in which an upload may still arrive and be completed. */
const GRACE_SECONDS = 3600;
/** Time in which completing a completed upload again returns the same item. */
const KEPT_SECONDS = 24 * 3600;

/** Begins an upload, under an intent that outlives it: bytes that are never completed are swept. */
export async function insertUpload(
  db: Db,
  upload: Omit<Upload, 'itemId' | 'expiresAt'>,
  seconds: number,
): Promise<{ expiresAt: string }> {
  return db.transaction().execute(async (trx) => {
    await insertIntentUntil(trx, upload, seconds + GRACE_SECONDS);
    const row = await trx
      .insertInto('uploads')
      .values({
        id: upload.id,
        user_id: upload.userId,
        store: upload.store,
        key: upload.key,
        home: upload.home ?? null,
        content_type: upload.contentType,
        bytes: upload.bytes,
        fields: JSON.stringify(upload.fields),
        expires_at: sql<string>`now() + make_interval(secs => ${seconds})`,
      })
      .returning('expires_at')
      .executeTakeFirstOrThrow();
    return { expiresAt: toIsoTime(row.expires_at) ?? '' };
  });
}

export async function findUpload(db: Db, id: string): Promise<Upload | undefined> {
  const row = await db.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst();
  return (
    row && {
      id: row.id,
      userId: row.user_id,
      store: row.store,
      key: row.key,
      home: row.home ?? undefined,
      contentType: row.content_type,
      bytes: Number(row.bytes),
      fields: row.fields ?? {},
      itemId: row.item_id ?? undefined,
      expiresAt: toIsoTime(row.expires_at) ?? '',
    }
  );
}

/** Records the item of an upload; false when it has one already. */
export async function setUploadItem(trx: Trx, id: string, itemId: string): Promise<boolean> {
  const result = await trx
    .updateTable('uploads')
    .set({ item_id: itemId })
    .where('id', '=', id)
    .where('item_id', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

export async function deleteUpload(db: Db, id: string): Promise<void> {
  await db.deleteFrom('uploads').where('id', '=', id).execute();
}

/** Deletes uploads that expired long ago, completed or not. Their intents clean up the bytes. */
export async function deleteOldUploads(db: Db): Promise<void> {
  await db
    .deleteFrom('uploads')
    .where('expires_at', '<', sql<string>`now() - make_interval(secs => ${KEPT_SECONDS})`)
    .execute();
}

/** The intent under which an upload's bytes arrive. */
export function intentOf({ store, key }: Upload): IntentKey {
  return { store, key };
}
