import { LRUCache } from 'lru-cache';
import type { Location } from '../../db/objects/locations.ts';

/** Bodies up to this size are kept: for larger ones the disk is as fast as memory. */
const MAX_BODY_BYTES = 1024 * 1024;
/** A body is kept when it is asked for twice within so many requests for small ones, so that reading through everything drives nothing out. */
const RECENT = 500;

/**
 * Small bodies that are asked for again and again, in memory. What lies under a key of ours never changes, so nothing is ever out of
 * date; who may have it is decided before, at each request.
 */
export interface BodyCache {
  get(location: Location): Buffer | undefined;
  /** Whether a body is worth keeping now; counts as a request for it. */
  wants(location: Location): boolean;
  keep(location: Location, data: Buffer): void;
  /** For what is deleted for good. */
  forget(location: Pick<Location, 'store' | 'key'>): void;
}

/** @param maxBytes of all together; 0 keeps none */
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
      // Somebody else's object may change.
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
