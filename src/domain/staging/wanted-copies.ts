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

/** The copies to make of these bytes: in the store that was down when they arrived, and in every mirror that accepts their size. */
export function wantedCopies(stores: Pick<Stores, 'mirrors'>, { store, key, bytes, home }: StoredBytes): WantedCopy[] {
  const copies: WantedCopy[] = home ? [{ store: home.name, key: copyKey(key), purpose: 'home' }] : [];
  for (const mirror of stores.mirrors) {
    const { maxObjectBytes } = mirror.capabilities;
    if (mirror.name === store || mirror === home) continue;
    if (maxObjectBytes !== undefined && bytes > maxObjectBytes) continue;
    copies.push({ store: mirror.name, key: copyKey(key), purpose: 'mirror' });
  }
  return copies;
}
