import { createHash } from 'node:crypto';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startWorker } from '../../src/workers/worker.ts';
import { createDataFolder } from '../support/data-folder.ts';
import { startRestartablePostgres } from '../support/database/restartable-postgres.ts';
import { type SilentProxy, startSilentProxy } from '../support/database/silent-proxy.ts';
import { type TestDatabase, createTestDatabase } from '../support/database/test-database.ts';
import { type EventReader, followEvents } from '../support/event-reader.ts';
import { bigPng, png } from '../support/sample-files.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { JWT_SECRET, type TestApp, asUser, createTestApp } from '../support/test-app.ts';
import { until } from '../support/until.ts';

/** The documented limit of all that a request waits for the database. */
const LIMIT_MS = 30_000;

interface Answer {
  status: number;
  retryAfter: string | null;
  ms: number;
  body: { id?: string; code?: string };
}

async function ask(address: string, path: string, body?: Buffer): Promise<Answer> {
  const began = performance.now();
  const response = await fetch(`${address}${path}`, {
    headers: { ...asUser('a'), ...(body && { 'content-type': 'image/png' }) },
    ...(body && { method: 'POST', body: new Uint8Array(body) }),
  });
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    ms: performance.now() - began,
    body: (await response.json()) as Answer['body'],
  };
}

let salt = 0;
const upload = (address: string) => ask(address, '/v1/media', png(3, 3, (salt += 1)));

/** Keeps a service busy with all kinds of requests. Returns a function that ends that, with every answer. */
function keepBusy(address: string, id: string, lanes = 12): () => Promise<Answer[]> {
  let over = false;
  const answers: Answer[] = [];
  const kinds = [
    () => upload(address),
    () => ask(address, `/v1/media/${id}`),
    () => ask(address, '/v1/media?limit=5'),
    () => ask(address, '/v1/stats'),
  ];
  const lane = async (kind: () => Promise<Answer>) => {
    while (!over) {
      const answer = await kind();
      answers.push(answer);
      if (answer.status >= 500) await sleep(100);
    }
  };
  const running = Array.from({ length: lanes }, (_, at) => lane(kinds[at % kinds.length] ?? kinds[0]!));
  return async () => {
    over = true;
    await Promise.all(running);
    return answers;
  };
}

/** Callers were answered in time, and those that were refused may come again. */
function expectGraceful(answers: readonly Answer[]): void {
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(LIMIT_MS);
  const refused = answers.filter(({ status }) => status >= 400);
  expect(refused.filter(({ status, retryAfter }) => status !== 503 || !(Number(retryAfter) > 0))).toEqual([]);
}

/** An event stream that was open all the time tells of an item, and all background work goes on. */
async function expectRecovered(t: TestApp, events: EventReader, itemId: string | undefined): Promise<void> {
  await until(async () => events.events().some((each) => each.data?.['itemId'] === itemId));
  events.close();
  await until(async () => t.deps.background.states().every(({ state }) => state === 'running'), 30);
}

interface Setting {
  t: TestApp;
  proxy: SilentProxy;
  address: string;
  id: string;
  close(): Promise<void>;
}

async function startBehindProxy(): Promise<Setting> {
  const database: TestDatabase = await createTestDatabase();
  const proxy = await startSilentProxy(database.connectionString);
  const t = await createTestApp({ DATABASE_URL: proxy.connectionString });
  const worker = startWorker(t.deps, { connectionString: proxy.connectionString, concurrency: 1 });
  const address = await t.listen();
  const { body } = await upload(address);
  return {
    t,
    proxy,
    address,
    id: body.id ?? '',
    async close() {
      await worker.stop();
      await t.close();
      await proxy.close();
      await database.drop();
    },
  };
}

/** A download of which the caller has read only the beginning. */
async function slowDownload(address: string, id: string): Promise<{ rest: () => Promise<string> }> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get(`${address}/v1/media/${id}/content`, { headers: asUser('a') }, resolve).on('error', reject);
  });
  const hash = createHash('sha256');
  await new Promise<void>((resolve) => {
    response.once('data', (bytes: Buffer) => {
      hash.update(bytes);
      response.pause();
      resolve();
    });
  });
  return {
    async rest() {
      for await (const bytes of response) hash.update(bytes as Buffer);
      return hash.digest('hex');
    },
  };
}

test.concurrent(
  'open connections go silent and new ones work: the service recovers by itself within 15 s, and what flows goes on',
  { timeout: 90_000 },
  async () => {
    const { t, proxy, address, id, close } = await startBehindProxy();
    try {
      const large = bigPng(24 * 1024 ** 2);
      const big = await ask(address, '/v1/media', large);
      const download = await slowDownload(address, big.body.id ?? '');
      const events = await followEvents(address, asUser('a'));
      const stop = keepBusy(address, id);
      await sleep(1500);
      proxy.silence('open');
      const silentAt = performance.now();
      await sleep(15_000);
      const first = await ask(address, `/v1/media/${id}`);
      expect({ ...first, ms: 0 }).toMatchObject({ status: 200 });
      expect(first.ms).toBeLessThan(3000);
      const answers = await stop();
      expectGraceful(answers);
      expect(answers.some(({ status }) => status === 503)).toBe(true);
      expect(performance.now() - silentAt).toBeLessThan(LIMIT_MS);

      expect(await download.rest()).toBe(createHash('sha256').update(large).digest('hex'));
      const { body } = await upload(address);
      await expectRecovered(t, events, body.id);
    } finally {
      await close();
    }
  },
);

test.concurrent(
  'the database stays silent for all: every answer comes within 30 s as 503, and after 15 s of a working path all is well',
  { timeout: 120_000 },
  async () => {
    const { t, proxy, address, id, close } = await startBehindProxy();
    try {
      const events = await followEvents(address, asUser('a'));
      const stop = keepBusy(address, id);
      await sleep(1500);
      proxy.silence('all');
      await sleep(26_000);
      const refused = await Promise.all(Array.from({ length: 12 }, () => upload(address)));
      for (const answer of refused)
        expect(answer).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
      proxy.restore();
      await sleep(15_000);
      expect(await ask(address, `/v1/media/${id}`)).toMatchObject({ status: 200 });
      const { body } = await upload(address);
      expect(body.id).toBeDefined();
      expectGraceful([...(await stop()), ...refused]);
      await expectRecovered(t, events, body.id);
    } finally {
      await close();
    }
  },
);

test.concurrent(
  'the server process is stopped and goes on: requests get 503 in time, and the same service process works afterwards',
  { timeout: 120_000 },
  async () => {
    const folder = await createDataFolder('stopped-postgres');
    const postgres = await startRestartablePostgres(folder.path);
    let service: ServiceProcess | undefined;
    let frozen: number[] = [];
    try {
      service = await startService({
        env: { DATA_DIR: folder.path, DATABASE_URL: postgres.connectionString, JWT_SECRET, LOG_LEVEL: 'error' },
      });
      const { address } = service;
      const { body } = await upload(address);
      const stop = keepBusy(address, body.id ?? '');
      await sleep(1000);
      // The postmaster alone: nobody gets a new connection, those that are open work.
      frozen = [await postgres.pid()];
      process.kill(frozen[0] ?? 0, 'SIGSTOP');
      await sleep(4000);
      expect((await ask(address, `/v1/media/${body.id}`)).ms).toBeLessThan(LIMIT_MS);
      // And all that it has started.
      frozen = await postgres.freeze();
      await sleep(12_000);
      for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
      await sleep(15_000);
      expect(await ask(address, `/v1/media/${body.id}`)).toMatchObject({ status: 200 });
      expectGraceful(await stop());
      expect(service.child.exitCode).toBe(null);
      await until(async () => (await fetch(`${address}/health/ready`)).status === 200, 20);
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT');
      service?.kill('SIGKILL');
      await service?.ended;
      await postgres.close();
      await folder.remove();
    }
  },
);
