import type { Store } from '../../storage/stores/store.ts';

/** The permanent URL of stored bytes: never signed, never expiring. */
export function storageUrlOf(publicBaseUrl: string, store: Store, key: string, itemId: string): string {
  if (store.publicUrl) return store.publicUrl(key);
  return publicBaseUrl + (store.servedPath?.(key) ?? `/v1/media/${itemId}/content`);
}
