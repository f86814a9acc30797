import { LRUCache } from 'lru-cache';
import type { Location } from '../../db/objects/locations.ts';

/** Larger bodies are not kept: for them the disk is as fast as memory. */
const MAX_BODY_BYTES = 1024 * 1024;
/** A body is kept when it is requested twice within this many requests for small ones, so that a full scan evicts nothing. */
const RECENT = 500;

/**
 * An in-memory cache of small, frequently requested bodies. The content of our keys never changes, so no entry goes stale; access
 * is checked on each request before.
 */
export interface BodyCache {
  get(location: Location): Buffer | undefined;
  /** Whether a body is worth caching now; counts as a request for it. */
  wants(location: Location): boolean;
  keep(location: Location, data: Buffer): void;
  /** For objects that are deleted for good. */
  forget(location: Pick<Location, 'store' | 'key'>): void;
}

/** @param maxBytes limit of the whole cache; 0 disables it */
export function createBodyCache(maxBytes: number): BodyCache {
  if (maxBytes === 0) return { get: () => undefined, wants: () => false, keep: () => {}, forget: () => {} };
  const bodies = new LRUCache<string, Buffer>({
    maxSize: maxBytes,
    sizeCalculation: (data) => Math.max(1, data.length),
  });
  const recent = new LRUCache<string, true>({ max: RECENT });
  return {
    get: (location) => {
      if (!location.owned) return undefined;
      const data = bodies.get(nameOf(location));
      return data?.length === location.bytes ? data : undefined;
    },
    wants: (location) => {
      // An adopted object may change.
      if (!location.owned || location.bytes > Math.min(MAX_BODY_BYTES, maxBytes)) return false;
      const name = nameOf(location);
      if (recent.has(name)) return true;
      recent.set(name, true);
      return false;
    },
    keep: (location, data) => {
      if (data.length === location.bytes) bodies.set(nameOf(location), data);
    },
    forget: (location) => void bodies.delete(nameOf(location)),
  };
}

function nameOf({ store, key }: Pick<Location, 'store' | 'key'>): string {
  return `${store}\n${key}`;
}
