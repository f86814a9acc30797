import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { registerErrorHandler } from '../../../src/http/errors/error-handler.ts';
import { registerPressure } from '../../../src/http/connections/pressure.ts';

let app: FastifyInstance | undefined;
afterEach(() => app?.close());

const SAMPLE_MS = 200;

async function listen(startMs: number): Promise<() => Promise<number>> {
  app = Fastify();
  registerErrorHandler(app);
  await registerPressure(app, 50, { sampleMs: SAMPLE_MS, startMs });
  app.get('/', async () => 'here');
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await response.body?.cancel();
    return response.status;
  };
}

function holdUp(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** The statuses of requests while the event loop is blocked repeatedly, for as long as a sample needs to notice. */
async function whileHeldUp(ask: () => Promise<number>): Promise<Set<number>> {
  const statuses = new Set<number>();
  for (let turn = 0; turn < 6; turn++) {
    holdUp(SAMPLE_MS + 50);
    statuses.add(await ask());
  }
  return statuses;
}

test('lag of the event loop during the start refuses no request; after a calm moment it does', async () => {
  const ask = await listen(60_000);
  expect(await whileHeldUp(ask)).toEqual(new Set([200]));
  // The end of the start is not visible from outside: calm intervals are the condition itself.
  const afterACalmMoment = async () => {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS * 8));
    return await whileHeldUp(ask);
  };
  await expect.poll(afterACalmMoment, { timeout: 25_000 }).toContain(503);
});

test('a service that never becomes calm after its start refuses requests all the same', async () => {
  const ask = await listen(500);
  await whileHeldUp(ask);
  expect(await whileHeldUp(ask)).toContain(503);
});
