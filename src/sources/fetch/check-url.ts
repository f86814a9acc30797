import { isIP } from 'node:net';
import { AppError } from '../../errors.ts';
import { isPublicAddress } from './public-address.ts';

/** Longer URLs are refused. The longest signed URLs in use are shorter. */
const MAX_URL_BYTES = 2000;

/** A URL whose text is allowed. The addresses of its host are not checked yet. */
export interface CheckedUrl {
  /** Without fragment, and without a final dot of the host name. */
  url: URL;
  /** The normalised host: lower case, no final dot, an IPv6 literal without brackets. */
  host: string;
  /** Whether the host is one of the trusted hosts. */
  trusted: boolean;
}

/**
 * Normalises the trusted hosts, so that the host of a URL can be compared with them.
 *
 * @param hosts host names, or addresses as literals (IPv6 with or without brackets); no port, no wildcard
 * @throws Error when an entry is not a host; the configuration is wrong then
 */
export function trustedHostSet(hosts: readonly string[]): ReadonlySet<string> {
  return new Set(
    hosts.map((entry) => {
      const host = isIP(entry) === 6 ? `[${entry}]` : entry;
      const url = /^(\[[^\]]*\]|[^:/?#@\\\s*[\]]+)$/.test(host) ? URL.parse(`https://${host}/`) : null;
      if (url === null)
        throw new Error(`The trusted host "${entry}" is not a host name or an address (without a port).`);
      return normalizedHost(url);
    }),
  );
}

/**
 * Checks everything that the text of a URL shows, before the host is looked up.
 *
 * @param raw the URL as the caller or a Location header has it
 * @param from the URL that redirected to `raw`, which is resolved against it
 * @throws AppError `url_not_allowed`; its message repeats only the host, since path and query may contain a signature
 */
export function checkUrl(raw: string, trustedHosts: ReadonlySet<string>, from?: URL): CheckedUrl {
  const name = from === undefined ? 'The URL' : `The place that ${from.host} redirects to`;
  const refuse = (why: string): AppError => new AppError('url_not_allowed', `${name} ${why}`);

  if (Buffer.byteLength(raw) > MAX_URL_BYTES) throw refuse(`is longer than ${MAX_URL_BYTES} bytes.`);
  // The WHATWG parser silently drops tabs and line breaks and reads "\" as "/", so the fetched URL would differ from
  // the one that a person checked.
  if (/[\p{Cc}\\]/u.test(raw)) throw refuse('must not contain control characters, tabs, line breaks or backslashes.');

  const url = URL.parse(raw, from?.href);
  if (url === null) throw refuse('is not an absolute URL; send one that starts with "https://".');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('must start with "https://".');
  // An empty user info ("https://@host") leaves no trace in the parsed URL.
  if (url.username !== '' || url.password !== '' || authorityOf(raw).includes('@')) {
    throw refuse('must not contain a user name or password.');
  }

  const host = normalizedHost(url);
  if (host.split('.').includes('')) throw refuse('has a host name with an empty label.');
  url.hash = '';
  if (isIP(host) === 0) url.hostname = host;

  const trusted = trustedHosts.has(host);
  if (!trusted) {
    if (url.protocol !== 'https:') throw refuse('must start with "https://"; plain http is not fetched.');
    if (url.port !== '') throw refuse('must use port 443, so leave the port out.');
    // A literal address is not looked up, so the check of DNS answers would miss it.
    if (isIP(host) !== 0 && !isPublicAddress(host)) throw refuse('points to an address that is not public.');
  }
  return { url, host, trusted };
}

/** The authority of an absolute or scheme-relative URL, which may hold user info; otherwise empty. */
function authorityOf(raw: string): string {
  return /^\s*(?:https?:\/*|\/\/)([^/?#]*)/i.exec(raw)?.[1] ?? '';
}

function normalizedHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}
