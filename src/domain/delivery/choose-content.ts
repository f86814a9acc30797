import type { DeliveredItem } from '../../db/items/delivery-row.ts';
import type { Location } from '../../db/objects/locations.ts';
import { isAppError } from '../../errors.ts';
import type { ContentHeaders } from './content-headers.ts';
import type { DeliveryDeps } from './delivery-deps.ts';
import { type DirectUrl, directUrl, reachableFirst } from './direct-url.ts';
import { type ReadItem, contentLocations } from './open-content.ts';
import { hasOriginal } from './open-original.ts';
import { stripperOf } from './open-stripped.ts';

/** How a reader gained access to an item; limits how long a redirect stays valid. */
export type ReadAccess = 'public' | 'private' | { signedUntil: number };

/** Where the bytes of an item are delivered from. */
export type ChosenContent =
  | {
      from: 'stores';
      /** The best first. */
      locations: readonly Location[];
      bytes: number;
      /** Changes with the bytes: their SHA-256 where it is known. */
      tag: string;
    }
  /** A pending item, read from its original URL. */
  | { from: 'original'; item: ReadItem & { originalUrl: string } }
  /** An item that was only recorded, on an allowed host. */
  | { from: 'elsewhere'; url: string };

/**
 * Chooses where an item's bytes come from.
 * @throws AppError not_stored, content_pending, content_missing; strip_unsupported: `strip` is requested for a type that cannot be stripped
 */
export async function chooseContent(
  deps: DeliveryDeps,
  item: ReadItem,
  { strip }: { strip: boolean },
): Promise<ChosenContent> {
  try {
    const locations = reachableFirst(deps, await contentLocations(deps, item));
    if (strip) stripperOf(item);
    const bytes = locations[0]?.bytes ?? 0;
    return { from: 'stores', locations, bytes, tag: item.sha256 ?? locations[0]?.sha256 ?? `${item.id}-${bytes}` };
  } catch (error) {
    if (strip || !isAppError(error, 'not_stored', 'content_pending')) throw error;
    const url = externalUrl(item, deps.externalHosts);
    if (url !== undefined) return { from: 'elsewhere', url };
    if (hasOriginal(item)) return { from: 'original', item };
    throw error;
  }
}

/** A URL at the store for one delivery; undefined when the service must proxy the bytes. */
export function redirectUrl(
  deps: DeliveryDeps,
  locations: readonly Location[],
  headers: ContentHeaders & { cacheControl: string },
  { access, download }: { access: ReadAccess; download: boolean },
): Promise<DirectUrl | undefined> {
  if (deps.delivery !== 'redirect') return Promise.resolve(undefined);
  return directUrl(deps, locations, { ...headers, expiresIn: secondsOf(deps, access), publicUrl: !download });
}

/** Lifetime of a presigned URL in seconds: never longer than the access it was requested with. */
function secondsOf({ urlTtlSeconds }: DeliveryDeps, access: ReadAccess): number {
  if (typeof access === 'string') return Math.max(60, urlTtlSeconds);
  return Math.max(1, Math.min(urlTtlSeconds, access.signedUntil - Math.floor(Date.now() / 1000)));
}

/** The URL of an item that was only recorded, if its host is allowed. */
export function externalUrl(item: DeliveredItem, hosts: readonly string[]): string | undefined {
  const url = item.status === 'success' && item.storageUrl !== null ? URL.parse(item.storageUrl) : null;
  if (!url) return undefined;
  return url.protocol === 'https:' && hosts.includes(url.host.toLowerCase()) ? url.href : undefined;
}
