import { type LookupAddress, type LookupAllOptions, lookup as systemLookup } from 'node:dns';
import { isIP } from 'node:net';
import { AppError, codeOf } from '../../errors.ts';
import type { CheckedUrl } from './check-url.ts';
import { isPublicAddress } from './public-address.ts';

/** `dns.lookup` as it is called with `all: true`. */
export type HostLookup = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * The addresses of a host, each of them public unless the host is trusted. One answer that is not public condemns
 * them all: which of them a connection takes is chance, and a name that mixes them is an attack or a mistake.
 *
 * @returns at least one address, in the order of the answer; a literal is its own answer and is not looked up
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

/** The system's resolver cannot be cancelled; its late answer is dropped. */
function lookUpHost(host: string, signal: AbortSignal, lookup: HostLookup): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    lookup(host, { all: true }, (error, addresses) => {
      signal.removeEventListener('abort', onAbort);
      // A copy: what is checked is what is connected to, whatever the resolver does with its array.
      if (error === null) return resolve(addresses.map(({ address }) => ({ address, family: isIP(address) })));
      const code = codeOf(error) ?? 'unknown error';
      reject(new AppError('fetch_failed', `The host ${host} could not be looked up (${code}).`, { cause: error }));
    });
  });
}
