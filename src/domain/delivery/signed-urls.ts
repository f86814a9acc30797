import type { DeliveredItem, DeliveredItemWithLocations } from '../../db/items/delivery-row.ts';
import { AppError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import { externalUrl } from './choose-content.ts';
import { contentHeaders, fileName } from './content-headers.ts';
import type { DeliveryDeps } from './delivery-deps.ts';
import { directUrl } from './direct-url.ts';
import { readDeliveredItems, readItem, servable, withoutBytes } from './open-content.ts';
import { hasOriginal } from './open-original.ts';
import type { Grant } from './signing.ts';

export interface SignOptions {
  /** Seconds. */
  expiresIn?: number | undefined;
  download?: boolean | undefined;
}

export interface SignedUrl {
  url: string;
  expiresAt: string;
}

/** A URL with which a browser reads an item's bytes without a token. @throws AppError not_found, not_stored */
export async function signUrl(
  deps: DeliveryDeps,
  caller: Caller,
  id: string,
  options: SignOptions,
): Promise<SignedUrl> {
  return sign(deps, await readItem(deps, caller, id), options);
}

/** The same for several items, in the order of `ids`; an item that cannot be signed gets an error instead. */
export async function signUrls(
  deps: DeliveryDeps,
  caller: Caller,
  ids: readonly string[],
  options: SignOptions,
): Promise<({ id: string } & (SignedUrl | { error: unknown }))[]> {
  const items = await readDeliveredItems(deps, caller, ids);
  const one = async (id: string): Promise<SignedUrl> => {
    const item = items.get(id);
    if (!item) throw new AppError('not_found', 'There is no such item, or this token may not see it.');
    return sign(deps, item, options);
  };
  return Promise.all(
    ids.map((id) =>
      one(id).then(
        (signed) => ({ id, ...signed }),
        (error: unknown) => ({ id, error }),
      ),
    ),
  );
}

async function sign(
  deps: DeliveryDeps,
  item: DeliveredItemWithLocations,
  { expiresIn = deps.urlTtlSeconds, download = false }: SignOptions,
): Promise<SignedUrl> {
  assertBytes(item, deps.externalHosts);
  const expires = Math.floor(Date.now() / 1000) + expiresIn;
  if (deps.delivery === 'redirect') {
    const direct = await directUrl(deps, servable(deps, item.locations), {
      ...contentHeaders(item, download),
      cacheControl: `private, max-age=${Math.min(3600, expiresIn)}`,
      expiresIn,
      publicUrl: false,
    });
    if (direct) return { url: direct.url, expiresAt: new Date(expires * 1000).toISOString() };
  }
  const token = deps.signer.sign({ method: 'GET', itemId: item.id, variant: 'content', download, expires });
  // Browsers save a file under the last part of its address.
  const name = encodeURIComponent(fileName(item));
  const url = `${deps.publicBaseUrl}/v1/signed/${token}/${name}`;
  return { url, expiresAt: new Date(expires * 1000).toISOString() };
}

/** The grant of a signed read URL. @throws AppError signature_invalid, signature_expired */
export function readGrant({ signer }: Pick<DeliveryDeps, 'signer'>, token: string): Grant {
  const grant = signer.verify(token);
  // A grant for another method or variant is not valid here.
  if (grant.method !== 'GET' || grant.variant !== 'content')
    throw new AppError('signature_invalid', 'The signed URL is not one for reading; ask for a new one.');
  return grant;
}

function assertBytes(item: DeliveredItem, externalHosts: readonly string[]): void {
  if (item.storageKey !== null || hasOriginal(item) || externalUrl(item, externalHosts) !== undefined) return;
  throw withoutBytes(item, 'This item has no bytes here: it was only recorded, or its generation failed.');
}
