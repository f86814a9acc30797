import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { AppError } from '../../../src/errors.ts';
import { createUrlFetcher, type UrlFetcher, type UrlFetcherOptions } from '../../../src/sources/fetch/fetch-url.ts';

const fixture = (name: string): string => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');

/** Self-signed, for the name media.test alone. */
export const tlsCert = fixture('tls-cert.pem');

export interface LocalServer {
  port: number;
  /** Connections that were accepted so far. */
  accepted(): number;
  /** Bytes that arrived so far. */
  received(): number;
  /** Connections that are open at this moment. */
  open(): number;
}

/** Serves HTTP on a free port of 127.0.0.1 until the test ends. */
export function serveHttp(listener: RequestListener): Promise<LocalServer> {
  return listen(createHttpServer(listener));
}

export function serveHttps(listener: RequestListener): Promise<LocalServer> {
  return listen(createHttpsServer({ cert: tlsCert, key: fixture('tls-key.pem') }, listener));
}

/** For responses that node:http would not send. `respond` gets each socket once it has sent a request. */
export function serveTcp(respond: (socket: Socket) => void): Promise<LocalServer> {
  return listen(createTcpServer((socket) => socket.once('data', () => respond(socket))));
}

async function listen(server: Server): Promise<LocalServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  let received = 0;
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      received += socket.bytesRead;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    received: () => received + [...sockets].reduce((sum, socket) => sum + socket.bytesRead, 0),
    open: () => sockets.size,
  };
}

/** A fetcher that trusts 127.0.0.1 and never asks the DNS, until the test ends. */
export function testFetcher(options: Partial<UrlFetcherOptions> = {}): UrlFetcher {
  const fetcher = createUrlFetcher({
    trustedHosts: ['127.0.0.1'],
    maxBytes: 1_000_000,
    totalTimeoutMs: 10_000,
    lookup: (host) => {
      throw new Error(`${host} was looked up`);
    },
    ...options,
  });
  onTestFinished(() => fetcher.close());
  return fetcher;
}

/** All of a body. */
export async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Fetches a URL and reads its body to the end. */
export async function download(fetcher: UrlFetcher, url: string): Promise<Buffer> {
  return readAll((await fetcher.fetch(url)).body);
}

/** The AppError that a promise rejects with; anything else fails the test. */
export async function refusal(promise: Promise<unknown>): Promise<AppError> {
  const outcome = await promise.then(
    () => 'it succeeded',
    (error: unknown) => error,
  );
  if (outcome instanceof AppError) return outcome;
  throw new Error('An AppError was expected.', { cause: outcome });
}
