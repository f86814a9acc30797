import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../../src/db/embedded/free-port.ts';

// One that an outgoing connection is given meanwhile is in use when a server comes back to it.
test('a free port is none of those that systems give to outgoing connections', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
  for (const port of ports) expect(port >= 20_000 && port < 30_000, String(port)).toBe(true);
  expect(new Set(ports).size).toBeGreaterThan(25);
});

test('a port that is wanted is given while nothing listens there', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await expect(freePort('127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await new Promise((resolve) => server.close(resolve));
  await expect(freePort('127.0.0.1', port)).resolves.toBe(port);
});
