import type { WantedCopy } from '../../db/objects/locations.ts';
import { copyKey } from '../../storage/keys.ts';
import type { Stores } from '../../storage/stores/stores.ts';
import type { Store } from '../../storage/stores/store.ts';

interface StoredBytes {
  store: string;
  key: string;
  bytes: number;
  home?: Store | undefined;
}

/** Which further stores are to get these bytes: the one that was down when they came, and every mirror that takes that size. */
export function wantedCopies(stores: Stores, { store, key, bytes, home }: StoredBytes): WantedCopy[] {
  const copies: WantedCopy[] = home ? [{ store: home.name, key: copyKey(key), purpose: 'home' }] : [];
  for (const mirror of stores.mirrors) {
    const { maxObjectBytes } = mirror.capabilities;
    if (mirror.name === store || mirror === home) continue;
    if (maxObjectBytes !== undefined && bytes > maxObjectBytes) continue;
    copies.push({ store: mirror.name, key: copyKey(key), purpose: 'mirror' });
  }
  return copies;
}
