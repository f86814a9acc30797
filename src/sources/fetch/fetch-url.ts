import type { Readable } from 'node:stream';
import { buildConnector } from 'undici';
import { AppError } from '../../errors.ts';
import { type CheckedUrl, checkUrl, trustedHostSet } from './check-url.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import { contentCoding } from './decode-body.ts';
import { tooLarge, unexpectedStatus } from './fetch-failure.ts';
import { type Hop, openHop } from './fetch-hop.ts';
import type { HostLookup } from './resolve-host.ts';
import { responseBody } from './response-body.ts';
import { suggestedFilename } from './suggested-filename.ts';

const DEFAULT_TOTAL_TIMEOUT_MS = 300_000;
const DEFAULT_MAX_REDIRECTS = 3;

/** The statuses that come with the whole file. 201 and 202 talk about it, 204 has none, 206 has a part of it. */
const WHOLE_FILE = new Set([200, 203]);
const REDIRECT = new Set([301, 302, 303, 307, 308]);

export interface UrlFetcherOptions {
  /**
   * Hosts, as names or literal addresses, that may have addresses which are not public, speak plain http and use any
   * port. A URL's host must be one of them exactly; nothing else is relaxed for them.
   */
  trustedHosts: readonly string[];
  /** Most bytes of a body, both as sent and as decoded. */
  maxBytes: number;
  /** From the call to the last byte, redirects and a slow reader included. Milliseconds; 5 minutes by default. */
  totalTimeoutMs?: number;
  /** 3 by default. */
  maxRedirects?: number;
  /** In place of `dns.lookup`. */
  lookup?: HostLookup;
  /** `ca`: PEM certificates to trust in place of those that come with Node. */
  tls?: { ca?: string };
}

export interface FetchedUrl {
  /** The decoded bytes. Must be read or destroyed: until then, or until the deadline, the connection is open. */
  body: Readable;
  /** The Content-Type as sent; a claim, not a finding. */
  contentType: string | undefined;
  /** Bytes that `body` will have, when the response says so and is not encoded. */
  contentLength: number | undefined;
  /** The base name that the response or its URL suggests, in any characters and of any length. */
  filename: string | undefined;
  /** Where the last redirect led. Its query may be a signature: neither log nor show it. */
  finalUrl: string;
}

export interface UrlFetcher {
  /**
   * Fetches a URL that a stranger chose.
   *
   * @throws AppError `url_not_allowed` (a place that is off limits, also after a redirect), `too_large` or
   * `fetch_failed` (everything else, the deadline included; an AppError that `signal` aborts with is passed on).
   * Errors after the headers come out of `body`.
   */
  fetch(url: string, options?: { signal?: AbortSignal }): Promise<FetchedUrl>;
  /** Ends the fetches that are under way, and waits until their connections are closed. */
  close(): Promise<void>;
}

/** One fetch under way. */
interface Download {
  deadline: Deadline;
  /** The request that is being answered; the earlier ones are closed. */
  hop: Hop | undefined;
  /** Settles when nothing of it is left. */
  released: PromiseWithResolvers<void>;
}

/**
 * A fetcher for URLs that cannot be trusted (OWASP's Server Side Request Forgery Prevention cheat sheet): https on
 * port 443 of public addresses only, checked in the URL, in the DNS's answer and on the socket, for every redirect
 * anew. Proxy variables of the environment have no effect, since a proxy would do the connecting unchecked.
 *
 * @throws Error when an entry of `trustedHosts` is not a host
 */
export function createUrlFetcher(options: UrlFetcherOptions): UrlFetcher {
  const trustedHosts = trustedHostSet(options.trustedHosts);
  const { maxBytes, totalTimeoutMs = DEFAULT_TOTAL_TIMEOUT_MS, maxRedirects = DEFAULT_MAX_REDIRECTS } = options;
  const secure = buildConnector({
    allowH2: false,
    // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0 does not reach here.
    rejectUnauthorized: true,
    // The deadline is the only clock.
    timeout: 0,
    ...(options.tls?.ca === undefined ? {} : { ca: options.tls.ca }),
  });
  const downloads = new Set<Download>();
  let closed = false;

  async function follow(first: CheckedUrl, download: Download): Promise<{ target: CheckedUrl; hop: Hop }> {
    const { signal } = download.deadline;
    let target = first;
    for (let redirects = 0; ; redirects += 1) {
      const hop = await openHop(target, { signal, lookup: options.lookup, secure });
      download.hop = hop;
      if (!REDIRECT.has(hop.status)) return { target, hop };
      await hop.close();
      if (redirects === maxRedirects) {
        throw new AppError('fetch_failed', `The URL redirects more than ${maxRedirects} times.`);
      }
      const location = hop.header('location');
      if (location === undefined) {
        throw new AppError('fetch_failed', `${target.host} answered with status ${hop.status} but named no new place.`);
      }
      // The bytes of a header arrive as Latin-1, those of a URL are UTF-8.
      target = checkUrl(Buffer.from(location, 'latin1').toString(), trustedHosts, target.url);
    }
  }

  async function start(url: string, download: Download, release: () => Promise<void>): Promise<FetchedUrl> {
    const { target, hop } = await follow(checkUrl(url, trustedHosts), download);
    if (!WHOLE_FILE.has(hop.status)) {
      throw unexpectedStatus(target.host, hop.status);
    }
    const coding = contentCoding(hop.header('content-encoding'));
    const length = hop.header('content-length');
    const announced = length === undefined ? undefined : Number(length);
    if (announced !== undefined && announced > maxBytes) throw tooLarge(maxBytes, announced);

    const body = responseBody({
      source: hop.body,
      host: target.host,
      coding,
      announced,
      maxBytes,
      signal: download.deadline.signal,
      socketError: hop.socketError,
      release: () => void release(),
    });
    return {
      body,
      contentType: hop.header('content-type'),
      contentLength: coding === undefined ? announced : undefined,
      filename: suggestedFilename(hop.header('content-disposition'), target.url),
      finalUrl: target.url.href,
    };
  }

  return {
    async fetch(url, { signal } = {}) {
      if (closed) throw shuttingDown();
      const download: Download = {
        deadline: startDeadline(totalTimeoutMs, signal),
        hop: undefined,
        released: Promise.withResolvers(),
      };
      downloads.add(download);
      const release = async (): Promise<void> => {
        download.deadline.end();
        await download.hop?.close();
        downloads.delete(download);
        download.released.resolve();
      };
      try {
        return await start(url, download, release);
      } catch (error) {
        await release();
        throw error;
      }
    },
    async close() {
      closed = true;
      const underWay = [...downloads];
      for (const { deadline } of underWay) deadline.abort(shuttingDown());
      await Promise.all(underWay.map(({ released }) => released.promise));
    },
  };
}

function shuttingDown(): AppError {
  return new AppError('fetch_failed', 'This server is shutting down; send the request again.');
}
