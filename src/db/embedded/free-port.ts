import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { codeOf } from '../../errors.ts';

/** Below the ports that systems assign to outgoing connections (Linux from 32768, others from 49152), which could take one by chance. */
const FROM = 20_000;
const TO = 30_000;
const TRIES = 50;

/**
 * Finds a port that nothing listens on: `wanted`, or any port when it is 0. Another program could still take it before
 * it is used, but only by choosing this number.
 * @throws EADDRINUSE when `wanted` is in use, EADDRNOTAVAIL when `host` is not an address of this machine
 */
export async function freePort(host = '127.0.0.1', wanted = 0): Promise<number> {
  if (wanted !== 0) return probe(host, wanted);
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      return await probe(host, randomInt(FROM, TO));
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE') throw error;
    }
  }
  return probe(host, 0);
}

function probe(host: string, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(wanted, host, () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
