import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WaitBudget, currentBudget } from '../../../src/db/connections/wait-budget.ts';
import { limitDatabaseWaits } from '../../../src/http/connections/database-wait.ts';

let app: FastifyInstance;
const seen: (WaitBudget | undefined)[] = [];
/** What was left of them when they were seen. */
const leftThen: (number | undefined)[] = [];
const look = async () => {
  await sleep(1);
  seen.push(currentBudget());
  leftThen.push(left(currentBudget()));
};
const left = (budget: WaitBudget | undefined) => budget?.left(performance.now());

beforeEach(async () => {
  seen.length = 0;
  leftThen.length = 0;
  app = Fastify();
  app.addHook('onRequest', async (request) => {
    if (request.url === '/refused') throw new Error('refused early');
  });
  limitDatabaseWaits(app);
  app.addHook('onRequest', look);
  app.post('/*', async () => {
    await look();
    return {};
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

const post = (path = '/') =>
  fetch(`${app.listeningOrigin}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: 'x'.repeat(300_000) }),
  });

test('all code of a request shares one budget, also after its body was read, until the answer begins', async () => {
  expect((await post()).status).toBe(200);
  expect(seen[0]).toBeInstanceOf(WaitBudget);
  expect(seen[1]).toBe(seen[0]);
  expect(leftThen).toEqual([21_000, 21_000]);
  expect(left(seen[1])).toBe(Number.POSITIVE_INFINITY);
  await post();
  expect(seen[2]).not.toBe(seen[0]);
});

test('a request that was refused before its budget began is answered', async () => {
  expect(await (await post('/refused')).json()).toMatchObject({ message: 'refused early' });
});
