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

/** One request and the response to it, on a connection of its own. */
export interface Hop {
  status: number;
  /** The first value of a header, its bytes as Latin-1. */
  header(name: string): string | undefined;
  body: Readable;
  /** The error of the socket, if it had one since it was established. */
  socketError(): Error | undefined;
  /** Closes the connection, whatever is still under way on it; may be called again. */
  close(): Promise<void>;
}

/**
 * Asks for one URL without following redirects. Nothing of the caller's request, and nothing of an earlier hop, is
 * sent along.
 *
 * A connection is made for each hop and never kept: one that is reused would skip the checks of its peer.
 *
 * @throws AppError `url_not_allowed` or `fetch_failed`, or the signal's reason; the connection is closed by then
 */
export async function openHop(target: CheckedUrl, options: HopOptions): Promise<Hop> {
  const { signal, secure } = options;
  const addresses = await resolveHost(target, signal, options.lookup);

  let broken: Error | undefined;
  const onSocketError = (error: Error): void => {
    // undici's own way of closing a socket after the response.
    if (codeOf(error) !== 'UND_ERR_INFO') broken ??= error;
  };
  const { url, host } = target;
  const client = new Client(url.origin, {
    connect: guardedConnector({ target, addresses, signal, secure, onSocketError }),
    pipelining: 0,
    // The deadline is the only clock.
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
