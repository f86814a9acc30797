import type { LookupAddress } from 'node:dns';
import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import { AppError } from '../../errors.ts';
import type { CheckedUrl } from './check-url.ts';
import { isPublicAddress } from './public-address.ts';

export interface GuardedConnectOptions {
  target: CheckedUrl;
  /** The checked addresses of the target's host; only these are connected to. */
  addresses: readonly LookupAddress[];
  /** Aborting it destroys a socket that is still connecting. A connected socket belongs to the caller. */
  signal: AbortSignal;
  /** undici's connector, which does the TLS handshake. */
  secure: buildConnector.connector;
  /** Called with errors of the connected socket, before the HTTP parser sees them. */
  onSocketError: (error: Error) => void;
}

/**
 * The connector of one request to one host. It opens the TCP connection to the checked addresses without another DNS
 * lookup, so that DNS rebinding has no effect, and checks the peer again before any byte is sent, the TLS handshake
 * included.
 *
 * Its callback gets AppError `url_not_allowed` for a peer that is not public, the system's or TLS's error, or the
 * signal's reason.
 */
export function guardedConnector(options: GuardedConnectOptions): buildConnector.connector {
  const { target, signal, secure, onSocketError } = options;
  return (request, callback) => {
    if (signal.aborted) return callback(signal.reason as Error, null);
    const tcp = openTcp(target, options.addresses);

    let settled = false;
    const settle = (error: Error | null, socket: Socket | null): void => {
      if (settled) return void socket?.destroy();
      settled = true;
      signal.removeEventListener('abort', onAbort);
      if (error !== null || socket === null) {
        tcp.destroy();
        return callback(error ?? new Error('The connection was closed.'), null);
      }
      socket.on('error', onSocketError);
      callback(null, socket);
    };
    const onAbort = (): void => settle(signal.reason as Error, null);

    signal.addEventListener('abort', onAbort, { once: true });
    tcp.on('error', (error) => settle(error, null));
    // A socket that is destroyed during the TLS handshake may close without an error.
    tcp.once('close', () => settle(null, null));
    tcp.once('connect', () => {
      const refused = refusePeer(tcp, target);
      if (refused !== undefined) return settle(refused, null);
      if (request.protocol !== 'https:') return settle(null, tcp);
      secure({ ...request, httpSocket: tcp }, (...[error, socket]) => settle(error, socket));
    });
  };
}

function openTcp(target: CheckedUrl, addresses: readonly LookupAddress[]): Socket {
  const pinned: LookupFunction = (_host, lookupOptions, callback) => {
    const first = addresses[0];
    if (lookupOptions.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
  const { url, host } = target;
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const socket = connectTcp({ host, port, lookup: pinned, autoSelectFamily: true });
  return socket.setNoDelay(true);
}

function refusePeer(socket: Socket, target: CheckedUrl): AppError | undefined {
  // A peer that has disconnected has no address; a peer that cannot be checked is refused.
  if (target.trusted || isPublicAddress(socket.remoteAddress ?? '')) return undefined;
  return new AppError('url_not_allowed', `The connection to ${target.host} leads to an address that is not public.`);
}
