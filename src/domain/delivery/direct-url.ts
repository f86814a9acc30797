import type { Location } from '../../db/objects/locations.ts';
import type { Deps } from '../deps.ts';

export interface DirectUrlOptions {
  /** Seconds until a presigned URL is refused. */
  expiresIn: number;
  contentType: string;
  contentDisposition: string;
  cacheControl: string;
  /** Whether an address that never expires and says nothing of disposition will do, too. */
  publicUrl: boolean;
}

export interface DirectUrl {
  url: string;
  store: string;
}

/**
 * An address at which the store itself gives the bytes, when the best location that can be reached has one; undefined when
 * the service has to pass them on.
 */
export async function directUrl(
  deps: Pick<Deps, 'stores'>,
  locations: readonly Location[],
  { publicUrl, ...options }: DirectUrlOptions,
): Promise<DirectUrl | undefined> {
  const location = reachableFirst(deps, locations)[0];
  // What is damaged is checked on its way through the service.
  if (!location || location.state === 'corrupt') return undefined;
  const store = deps.stores.get(location.store);
  if (!store.available()) return undefined;
  if (store.presignGet) {
    // A signature that cannot be had is no reason not to serve.
    const url = await store.presignGet(location.key, options).catch(() => undefined);
    return url === undefined ? undefined : { url, store: store.name };
  }
  if (publicUrl && store.publicUrl) return { url: store.publicUrl(location.key), store: store.name };
  return undefined;
}

/** The same locations, those in stores that are known to be down last. */
export function reachableFirst<T extends { store: string }>(
  deps: Pick<Deps, 'stores'>,
  locations: readonly T[],
): readonly T[] {
  const up = (location: T) => Number(deps.stores.get(location.store).available());
  return locations.toSorted((a, b) => up(b) - up(a));
}
