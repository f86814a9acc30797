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

/** Statuses whose body is the whole file. That of 201 and 202 describes it, 204 has none, 206 has a part. */
const WHOLE_FILE = new Set([200, 203]);
const REDIRECT = new Set([301, 302, 303, 307, 308]);

export interface UrlFetcherOptions {
  /**
   * Host names or literal addresses that may be private, use plain http and any port. The host of a URL must equal one
   * of them. All other checks apply to them too.
   */
  trustedHosts: readonly string[];
  /** Largest body in bytes, both encoded and decoded. */
  maxBytes: number;
  /** Milliseconds from the call to the last byte, including redirects and a slow reader; 5 minutes by default. */
  totalTimeoutMs?: number;
  /** 3 by default. */
  maxRedirects?: number;
  /** Replaces `dns.lookup`. */
  lookup?: HostLookup;
  /** `ca`: trusted PEM certificates, instead of Node's. */
  tls?: { ca?: string };
}

export interface FetchedUrl {
  /** The decoded bytes. Must be read or destroyed: the connection stays open until then, or until the deadline. */
  body: Readable;
  /** The Content-Type header; not verified. */
  contentType: string | undefined;
  /** Bytes of `body`, when the response has a Content-Length and no content coding. */
  contentLength: number | undefined;
  /** The base name that the response or its URL suggests, with any characters and of any length. */
  filename: string | undefined;
  /** The URL after redirects. Never log or show it: its query may contain a signature. */
  finalUrl: string;
}

export interface UrlFetcher {
  /**
   * Fetches an untrusted URL.
   *
   * @throws AppError `url_not_allowed` (the URL, or a redirect of it, leads to a forbidden place), `too_large`, or
   * `fetch_failed` (everything else, including the deadline). An AppError that `signal` aborts with is thrown as it is.
   * Errors after the headers destroy `body`.
   */
  fetch(url: string, options?: { signal?: AbortSignal }): Promise<FetchedUrl>;
  /** Aborts the running fetches and waits until their connections are closed. */
  close(): Promise<void>;
}

/** A running fetch. */
interface Download {
  deadline: Deadline;
  /** The current request; earlier ones are closed. */
  hop: Hop | undefined;
  /** Resolves when the fetch is cleaned up. */
  released: PromiseWithResolvers<void>;
}

/**
 * Creates a fetcher for untrusted URLs, after OWASP's Server Side Request Forgery Prevention cheat sheet. It fetches only
 * https on port 443 of public addresses, and checks the URL, the DNS answer and the socket's peer, again for every
 * redirect. It ignores proxy variables of the environment, since a proxy would connect without these checks.
 *
 * @throws Error when an entry of `trustedHosts` is not a host
 */
export function createUrlFetcher(options: UrlFetcherOptions): UrlFetcher {
  const trustedHosts = trustedHostSet(options.trustedHosts);
  const { maxBytes, totalTimeoutMs = DEFAULT_TOTAL_TIMEOUT_MS, maxRedirects = DEFAULT_MAX_REDIRECTS } = options;
  const secure = buildConnector({
    allowH2: false,
    // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect here.
    rejectUnauthorized: true,
    // The deadline is the only timeout.
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
      // Header bytes are read as Latin-1, but URLs are UTF-8.
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
