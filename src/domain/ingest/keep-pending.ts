import type { MediaItem } from '../../db/item-columns.ts';
import { enqueue } from '../../db/queue/enqueue.ts';
import { touchRun } from '../../db/runs/runs.ts';
import { isAppError } from '../../errors.ts';
import { isGone } from '../../sources/fetch/fetch-failure.ts';
import { urlExpiresAt } from '../../sources/fetch/url-expiry.ts';
import { contentFingerprint } from './commit-item.ts';
import type { Deps } from '../deps.ts';
import type { Claim } from '../idempotency.ts';
import type { ItemFields } from '../items/item-fields.ts';
import { insertPendingItem } from './pending-item.ts';
import type { Source } from '../bytes/source.ts';

/** The URL to fetch an item's bytes from later, when storing them failed; undefined when there is none or a retry is pointless. */
export function addressToKeep(source: Source, fields: ItemFields, error: unknown): string | undefined {
  const passing =
    isAppError(error, 'store_unavailable', 'storage_full', 'overloaded') ||
    (isAppError(error, 'fetch_failed') && !isGone(error));
  if (!passing) return undefined;
  if (source.type === 'url') return source.url;
  // The fields after a form's file are not known yet.
  return source.type === 'bytes' && !source.finish ? fields.originalUrl : undefined;
}

/** Records a pending item whose bytes a worker fetches from `url` until that expires; until stored, it is read from there. */
export function keepPending(
  deps: Deps,
  { fields, source, url, claim }: { fields: ItemFields; source: Source; url: string; claim?: Claim | undefined },
): Promise<MediaItem> {
  return deps.db.transaction().execute(async (trx) => {
    const item = await insertPendingItem(
      deps,
      trx,
      { ...fields, originalUrl: url },
      {
        sources: [{ type: 'url', url }],
        options: { subfolder: fields.subfolder, store: fields.store },
        expiresAt: urlExpiresAt(url, { provider: fields.provider }),
      },
    );
    await enqueue(trx, 'fetch');
    await claim?.finish(trx, contentFingerprint(fields, source, undefined), item);
    await touchRun(trx, fields.runId, fields.userId);
    return item;
  });
}
