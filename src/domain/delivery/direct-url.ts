import type { Location } from '../../db/objects/locations.ts';
import type { Deps } from '../deps.ts';

export interface DirectUrlOptions {
  /** Lifetime of a presigned URL in seconds. */
  expiresIn: number;
  contentType: string;
  contentDisposition: string;
  cacheControl: string;
  /** Whether a public URL, which never expires and sets no disposition, will do too. */
  publicUrl: boolean;
}

export interface DirectUrl {
  url: string;
  store: string;
}

/**
 * A URL at which the store itself serves the bytes, if the best reachable location has one; undefined when the service must proxy
 * them.
 */
export async function directUrl(
  deps: Pick<Deps, 'stores'>,
  locations: readonly Location[],
  { publicUrl, ...options }: DirectUrlOptions,
): Promise<DirectUrl | undefined> {
  const location = reachableFirst(deps, locations)[0];
  // Damaged content must be verified on its way through the service.
  if (!location || location.state === 'corrupt') return undefined;
  const store = deps.stores.get(location.store);
  if (!store.available()) return undefined;
  if (store.presignGet) {
    // If signing fails, the service proxies the bytes.
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
