import type { Trx } from '../../db/database.ts';
import { recordEvent } from '../../db/events.ts';
import type { MediaItem } from '../../db/item-columns.ts';

/** The event for an item of that status; a pending item has none until its outcome is known. */
export function eventOf(status: string): 'item.stored' | 'item.failed' | undefined {
  if (status === 'pending') return undefined;
  return status === 'success' ? 'item.stored' : 'item.failed';
}

/** Records the event of an item whose status has changed, in the transaction that changed it. */
export async function recordItemEvent(trx: Trx, item: MediaItem): Promise<void> {
  const kind = eventOf(item.status);
  if (!kind) return;
  await recordEvent(trx, {
    kind,
    userId: item.userId,
    mediaId: item.id,
    provider: item.provider ?? undefined,
    jobId: item.jobId ?? undefined,
    runId: item.runId ?? undefined,
    status: item.status,
  });
}
