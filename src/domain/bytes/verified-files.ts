import { LRUCache } from 'lru-cache';
import type { Location } from '../../db/objects/locations.ts';

const MAX_VERIFIED = 20_000;

/**
 * Files, by version, that this process has read whole and verified. A file whose inode, size or times have changed is verified
 * again; bits that change without a write are left to the scrub.
 */
export interface VerifiedFiles {
  has(location: Location, version: string): boolean;
  add(location: Location, version: string): void;
}

export function createVerifiedFiles(): VerifiedFiles {
  const versions = new LRUCache<string, string>({ max: MAX_VERIFIED });
  const nameOf = ({ store, key }: Location) => `${store}\n${key}`;
  return {
    has: (location, version) => versions.get(nameOf(location)) === version,
    add: (location, version) => void versions.set(nameOf(location), version),
  };
}
