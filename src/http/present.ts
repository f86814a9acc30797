import type { MediaItem } from '../db/media-item.ts';

/** An item as it goes out, the same object: with its permanent address, which is made from the configuration and from nothing else. */
export function present<T extends MediaItem>(item: T, publicBaseUrl: string): T & { url: string | null } {
  // A pending one is read from where it came.
  const hasBytes =
    (item.status !== 'failed' && item.storageUrl !== '') || (item.status === 'pending' && item.originalUrl !== null);
  return Object.assign(item, { url: hasBytes ? `${publicBaseUrl}/v1/media/${item.id}/content` : null });
}
