import type { WantedCopy } from '../db/locations.ts';
import { outputKey } from '../storage/keys.ts';
import type { Stores } from '../storage/routing.ts';
import type { Store } from '../storage/stores.ts';

interface StoredBytes {
  store: string;
  key: string;
  bytes: number;
  owned: boolean;
  home?: Store | undefined;
  type: { ext: string };
}

/** Which further stores are to get these bytes: the one that was down when they came, and every mirror that takes that size. */
export function wantedCopies(
  stores: Stores,
  { store, key, bytes, owned, home, type }: StoredBytes,
  userId: string,
): WantedCopy[] {
  const copies: WantedCopy[] = home ? [{ store: home.name, key, purpose: 'home' }] : [];
  // Somebody else's key may be anything in another store; a copy is ours and gets a key of ours.
  const copyKey = owned
    ? key
    : outputKey({ userId, subfolder: undefined, filename: key.split('/').at(-1), ext: type.ext });
  for (const mirror of stores.mirrors) {
    const { maxObjectBytes } = mirror.capabilities;
    if (mirror.name === store || mirror === home) continue;
    if (maxObjectBytes !== undefined && bytes > maxObjectBytes) continue;
    copies.push({ store: mirror.name, key: copyKey, purpose: 'mirror' });
  }
  return copies;
}
