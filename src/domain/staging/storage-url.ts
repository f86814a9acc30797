import type { Store } from '../../storage/stores/store.ts';

/** The permanent address of stored bytes: never signed, never expiring. */
export function storageUrlOf(publicBaseUrl: string, store: Store, key: string, itemId: string): string {
  if (store.publicUrl) return store.publicUrl(key);
  // The address names no store, so it can only be the default one's.
  if (store.name === 'local') return `${publicBaseUrl}/uploads/${key.split('/').map(encodeURIComponent).join('/')}`;
  return `${publicBaseUrl}/v1/media/${itemId}/content`;
}
