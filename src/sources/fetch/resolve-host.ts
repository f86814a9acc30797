import { type LookupAddress, type LookupAllOptions, lookup as systemLookup } from 'node:dns';
import { isIP } from 'node:net';
import { AppError, codeOf } from '../../errors.ts';
import type { CheckedUrl } from './check-url.ts';
import { isPublicAddress } from './public-address.ts';

/** The signature of `dns.lookup` with `all: true`. */
export type HostLookup = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Looks up the addresses of a host and checks that all are public, unless the host is trusted. One private address refuses
 * the host: a connection may use any of them, and a name with both kinds is an attack or a mistake.
 *
 * @returns at least one address, in the order of the answer; a literal address is returned without a lookup
 * @throws AppError `url_not_allowed` or `fetch_failed`, or the signal's reason
 */
export async function resolveHost(
  target: CheckedUrl,
  signal: AbortSignal,
  lookup: HostLookup = systemLookup,
): Promise<LookupAddress[]> {
  const { host, trusted } = target;
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];

  const addresses = await lookUpHost(host, signal, lookup);
  if (addresses.length === 0) throw new AppError('fetch_failed', `The host ${host} has no address.`);
  if (!trusted && !addresses.every(({ address }) => isPublicAddress(address))) {
    throw new AppError('url_not_allowed', `The host ${host} has an address that is not public.`);
  }
  return addresses;
}

/** The system's resolver cannot be cancelled; an answer after the abort is ignored. */
function lookUpHost(host: string, signal: AbortSignal, lookup: HostLookup): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    lookup(host, { all: true }, (error, addresses) => {
      signal.removeEventListener('abort', onAbort);
      // A copy, so that the resolver cannot change the addresses after the check.
      if (error === null) return resolve(addresses.map(({ address }) => ({ address, family: isIP(address) })));
      const code = codeOf(error) ?? 'unknown error';
      reject(new AppError('fetch_failed', `The host ${host} could not be looked up (${code}).`, { cause: error }));
    });
  });
}
