import { recordEvent } from '../../db/events.ts';
import type { MediaItem } from '../../db/items/item-row.ts';
import type { Trx } from '../../db/database.ts';

/** Tells of an item, in the transaction that makes it so; one that is still pending is told of when it has come to something. */
export async function recordItemEvent(trx: Trx, item: MediaItem): Promise<void> {
  if (item.status === 'pending') return;
  await recordEvent(trx, {
    kind: item.status === 'success' ? 'item.stored' : 'item.failed',
    userId: item.userId,
    mediaId: item.id,
    provider: item.provider ?? undefined,
    jobId: item.jobId ?? undefined,
    runId: item.runId ?? undefined,
    status: item.status,
  });
}
