import type { MediaItem } from '../item-columns.ts';
import { coalesced } from '../coalesce.ts';
import type { Db } from '../database.ts';
import { type IntentKey, insertIntents } from '../objects/intents.ts';
import { type ItemRecord, type NewItem, insertItems, itemRecord } from './insert-items.ts';

type Request = { begin: IntentKey } | { end: ItemRecord };

/** Commits the beginnings and ends of uploads together: one statement, one round trip, one WAL flush. */
const commitTogether = coalesced<Request, MediaItem | undefined>(
  async (db, requests) => {
    const begin = requests.flatMap((request) => ('begin' in request ? [request.begin] : []));
    const end = requests.flatMap((request) => ('end' in request ? [request.end] : []));
    if (end.length === 0) {
      await insertIntents(db, begin);
      return requests.map(() => undefined);
    }
    const ended = (await insertItems(db, end, begin)).values();
    return requests.map((request) => ('end' in request ? ended.next().value : undefined));
  },
  { running: 1, most: 100 },
);

/** Committed when it returns. Not for transactions. */
export async function insertIntent(db: Db, intent: IntentKey): Promise<void> {
  await commitTogether(db, { begin: intent });
}

/**
 * Inserts an item with all its rows, or nothing. Committed when it returns; concurrent uploads share a commit. Not for
 * transactions, and not for versions of scenes, which wait for one another.
 * @throws IntentLost
 */
export async function commitNewItem(db: Db, item: NewItem): Promise<MediaItem> {
  const inserted = await commitTogether(db, { end: itemRecord(item) });
  if (!inserted) throw new Error('An upload was committed without an answer');
  return inserted;
}
