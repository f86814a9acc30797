import net from 'node:net';
import type { AddressInfo } from 'node:net';

/** A TCP proxy before PostgreSQL that can go silent, like a firewall that drops packets: nobody is told. */
export interface SilentProxy {
  /** The database by way of the proxy. */
  connectionString: string;
  /** Open connections carry nothing any more, for good. With `all`, new ones neither, until `restore`. */
  silence(which: 'open' | 'all'): void;
  /** New connections work again. */
  restore(): void;
  /** Connections that work. */
  working(): number;
  close(): Promise<void>;
}

interface Pair {
  silent: boolean;
  sockets: net.Socket[];
}

export async function startSilentProxy(connectionString: string): Promise<SilentProxy> {
  const url = new URL(connectionString);
  // The embedded server is reached by its socket otherwise.
  url.searchParams.delete('host');
  const target = { host: url.hostname === 'localhost' ? '127.0.0.1' : url.hostname, port: Number(url.port) || 5432 };
  const pairs = new Set<Pair>();
  let allSilent = false;
  const server = net.createServer((near) => {
    const pair: Pair = { silent: allSilent, sockets: [near] };
    pairs.add(pair);
    near.on('error', () => {});
    near.on('close', () => {
      pairs.delete(pair);
      for (const socket of pair.sockets) socket.destroy();
    });
    if (pair.silent) {
      near.resume();
      return;
    }
    const far = net.connect(target);
    pair.sockets.push(far);
    far.on('error', () => {});
    far.on('close', () => {
      if (!pair.silent) near.destroy();
    });
    near.on('data', (bytes) => {
      if (!pair.silent) far.write(bytes);
    });
    far.on('data', (bytes) => {
      if (!pair.silent) near.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    connectionString: url.href,
    silence(which) {
      allSilent = which === 'all';
      for (const pair of pairs) pair.silent = true;
    },
    restore() {
      allSilent = false;
    },
    working: () => [...pairs].filter(({ silent }) => !silent).length,
    async close() {
      for (const { sockets } of pairs) for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
