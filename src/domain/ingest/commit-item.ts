import type { Trx } from '../../db/database.ts';
import type { MediaItem } from '../../db/item-columns.ts';
import { insertItem } from '../../db/items/insert-items.ts';
import { commitNewItem } from '../../db/items/upload-commits.ts';
import { type IntentKey, isKnownKey } from '../../db/objects/intents.ts';
import { touchRun } from '../../db/runs/runs.ts';
import { codeOf } from '../../errors.ts';
import type { Source } from '../bytes/source.ts';
import { asAppError } from '../database-failure.ts';
import type { Deps } from '../deps.ts';
import { type Claim, fingerprintOf } from '../idempotency.ts';
import type { ItemFields } from '../items/item-fields.ts';
import { withFileData } from '../items/with-file-data.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';
import { objectTaken } from './adopt-object.ts';
import { type Bytes, newItem } from './new-item.ts';

export interface NewMedia {
  fields: ItemFields;
  source: Source;
  bytes?: Bytes | undefined;
  /** The file name that came with the bytes, when the caller gave none. */
  filename?: string | undefined;
  claim?: Claim | undefined;
  /** Ended by the transaction. */
  intent?: IntentKey | undefined;
  /** Writes further rows in the same transaction. */
  within?: ((trx: Trx, itemId: string) => Promise<void>) | undefined;
}

/**
 * Commits an ingest: the item, its locations, its event, the end of its intent and the idempotent response, or nothing. The
 * statement is always the same; on its own it shares a commit with others, and with dependent rows it runs in a transaction.
 */
export async function commitItem(
  deps: Deps,
  { fields, source, bytes, filename, claim, intent, within }: NewMedia,
): Promise<MediaItem> {
  const known = withFileData({ ...fields, filename: fields.filename ?? filename }, bytes?.inspection);
  const item = { ...newItem(deps, { fields: known, source, bytes }), endsIntent: intent !== undefined };
  const adopted = bytes?.owned === false ? bytes : undefined;
  const alone = !claim && !within && !adopted && item.takesVersion !== true && fields.runId === undefined;
  try {
    const committed = alone
      ? { item: await commitNewItem(deps.db, item), inRun: false }
      : await deps.db.transaction().execute(async (trx) => {
          // A purge since the object was read has left its intent, and removes the object.
          if (adopted && (await isKnownKey(trx, adopted))) throw objectTaken();
          const inserted = await insertItem(trx, item);
          await within?.(trx, inserted.id);
          const inRun = await touchRun(trx, fields.runId, fields.userId);
          await claim?.finish(trx, contentFingerprint(fields, source, bytes?.sha256), inserted);
          return { item: inserted, inRun };
        });
    if ((item.copies?.length ?? 0) > 0) deps.copiesWanted();
    if (committed.inRun) await refreshRun(deps, committed.item.runId);
    return committed.item;
  } catch (error) {
    return commitFailed(error);
  }
}

/** @throws a failed commit as an AppError: `object_taken` when an item already has that key */
export function commitFailed(error: unknown): never {
  const { constraint } = error as { constraint?: string };
  if (codeOf(error) === '23505' && constraint === 'media_locations_store_key') throw objectTaken(error);
  throw asAppError(error);
}

/** What an idempotency key stands for: all fields of the caller, and the bytes. A suggested file name does not count. */
export function contentFingerprint(fields: ItemFields, source: Source, sha256: string | undefined): string {
  const { sha256: _stated, ...said } = fields;
  return fingerprintOf({ said, source: source.type === 'bytes' ? { sha256 } : source });
}
