import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../../src/db/embedded/free-port.ts';

// An outgoing connection could take a port from the system's range while its server restarts.
test('a free port is outside the range that systems assign to outgoing connections', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
  for (const port of ports) expect(port >= 20_000 && port < 30_000, String(port)).toBe(true);
  expect(new Set(ports).size).toBeGreaterThan(25);
});

test('a wanted port is returned unless something listens on it', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await expect(freePort('127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await new Promise((resolve) => server.close(resolve));
  await expect(freePort('127.0.0.1', port)).resolves.toBe(port);
});

test('ports that other programs use are passed over', async () => {
  const taken = new Map<number, ReturnType<typeof createServer>>();
  await Promise.all(
    Array.from({ length: 800 }, async () => {
      const server = createServer();
      const port = await freePort();
      await new Promise<void>((resolve) => {
        server.once('error', () => resolve());
        server.listen(port, '127.0.0.1', () => {
          taken.set(port, server);
          resolve();
        });
      });
    }),
  );
  // One in thirteen is taken, so a hundred free ones are not found by luck.
  expect(taken.size).toBeGreaterThan(700);
  for (let n = 0; n < 100; n += 1) expect(taken.has(await freePort())).toBe(false);
  await Promise.all([...taken.values()].map((server) => new Promise((resolve) => server.close(resolve))));
});
