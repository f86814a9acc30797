import type { Readable } from 'node:stream';
import { type buildConnector, Client } from 'undici';
import { codeOf } from '../../errors.ts';
import type { CheckedUrl } from './check-url.ts';
import { fetchFailure } from './fetch-failure.ts';
import { guardedConnector } from './guarded-connect.ts';
import { type HostLookup, resolveHost } from './resolve-host.ts';

export interface HopOptions {
  signal: AbortSignal;
  lookup: HostLookup | undefined;
  secure: buildConnector.connector;
}

/** One request and its response, on a separate connection. */
export interface Hop {
  status: number;
  /** The first value of a header, its bytes as Latin-1. */
  header(name: string): string | undefined;
  body: Readable;
  /** An error of the socket after it was connected. */
  socketError(): Error | undefined;
  /** Closes the connection and aborts what is still in progress. May be called again. */
  close(): Promise<void>;
}

/**
 * Requests one URL without following redirects. The request has no headers or cookies of the caller or an earlier hop.
 *
 * Each hop opens a connection and closes it: on a reused connection the peer would not be checked.
 *
 * @throws AppError `url_not_allowed` or `fetch_failed`, or the signal's reason; the connection is closed by then
 */
export async function openHop(target: CheckedUrl, options: HopOptions): Promise<Hop> {
  const { signal, secure } = options;
  const addresses = await resolveHost(target, signal, options.lookup);

  let broken: Error | undefined;
  const onSocketError = (error: Error): void => {
    // undici closes a socket after the response with this code.
    if (codeOf(error) !== 'UND_ERR_INFO') broken ??= error;
  };
  const { url, host } = target;
  const client = new Client(url.origin, {
    connect: guardedConnector({ target, addresses, signal, secure, onSocketError }),
    pipelining: 0,
    // The deadline is the only timeout.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const close = (): Promise<void> => client.destroy().catch(() => {});

  try {
    const response = await client.request({
      method: 'GET',
      path: url.pathname + url.search,
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'mediakeep' },
      signal,
    });
    return {
      status: response.statusCode,
      header: (name) => [response.headers[name] ?? []].flat()[0],
      body: response.body,
      socketError: () => broken,
      close,
    };
  } catch (error) {
    await close();
    throw signal.aborted ? signal.reason : fetchFailure(error, host, 'connecting');
  }
}
