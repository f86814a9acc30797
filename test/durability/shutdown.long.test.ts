// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHash } from 'node:crypto';
import http from 'node:http';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/db/embedded/embedded-postgres.ts';
import { type DataFolder, createDataFolder } from '../support/data-folder.ts';
import { type EventReader, followEvents } from '../support/event-reader.ts';
import { filesBelow } from '../support/storage/local-volume.ts';
import { bigPng, png } from '../support/sample-files.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { JWT_SECRET, asUser } from '../support/test-app.ts';

let folder: DataFolder;
let dataDir: string;
let postgres: EmbeddedPostgres;
let database: pg.Client;
const running: ServiceProcess[] = [];

beforeAll(async () => {
  folder = await createDataFolder('shutdown');
  dataDir = folder.path;
  postgres = await startEmbeddedPostgres({ dataDir, durable: false });
  database = new pg.Client({ connectionString: postgres.connectionString });
  await database.connect();
});
afterEach(async () => {
  for (const service of running.splice(0)) {
    service.kill('SIGKILL');
    await service.ended;
  }
});
afterAll(async () => {
  await database.end();
  await postgres.stop();
  await folder.remove();
});

async function start(graceSeconds: number): Promise<ServiceProcess> {
  const env = {
    DATA_DIR: dataDir,
    JWT_SECRET,
    SHUTDOWN_GRACE_SECONDS: String(graceSeconds),
    LOG_LEVEL: 'warn',
    WORKER_CONCURRENCY: '0',
  };
  const service = await startService({ env });
  running.push(service);
  return service;
}

const files = () => filesBelow(path.join(dataDir, 'volume'));
const intents = async () => (await database.query('SELECT key FROM storage_intents')).rows;
const post = async (address: string, body: Buffer) => {
  const headers = { 'content-type': 'image/png', ...asUser('a') };
  const response = await fetch(`${address}/v1/media`, { method: 'POST', headers, body: new Uint8Array(body) });
  return { status: response.status, item: (await response.json()) as { id: string; sha256: string } };
};

interface SlowUpload {
  finish(rest: Buffer): Promise<{ status: number; sha256: string }>;
  failed: Promise<string>;
}

/** Sends the first bytes and waits until they are being written. */
async function slowUpload(address: string, first: Buffer): Promise<SlowUpload> {
  const headers = { 'content-type': 'image/png', 'transfer-encoding': 'chunked', ...asUser('a') };
  const request = http.request(`${address}/v1/media`, { method: 'POST', headers });
  const failed = new Promise<string>((resolve) => request.on('error', (error) => resolve(error.message)));
  const answer = new Promise<{ status: number; sha256: string }>((resolve) =>
    request.on('response', async (response) => {
      let text = '';
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode ?? 0, sha256: JSON.parse(text).sha256 });
    }),
  );
  request.write(first);
  await expect.poll(async () => (await files()).some((file) => file.endsWith('.part'))).toBe(true);
  return {
    failed,
    finish: (rest) => {
      request.end(rest);
      return answer;
    },
  };
}

async function isReady(address: string): Promise<boolean> {
  const response = await fetch(`${address}/health/ready`).catch(() => undefined);
  await response?.body?.cancel();
  return response?.status === 200;
}

test('case 104: SIGTERM lets an upload and a download finish, turns readiness red at once, and ends with code 0', async () => {
  const service = await start(20);
  const large = bigPng(32 * 1024 ** 2, 1);
  const stored = await post(service.address, large);
  expect(stored.status).toBe(201);
  const download = await fetch(`${service.address}/v1/media/${stored.item.id}/content`, { headers: asUser('a') });
  const reader = download.body?.getReader();
  const hash = createHash('sha256');
  const first = await reader?.read();
  hash.update(first?.value ?? '');
  const bytes = bigPng(1_900_000, 2);
  const upload = await slowUpload(service.address, bytes.subarray(0, 1_500_000));
  expect(await isReady(service.address)).toBe(true);
  service.kill('SIGTERM');
  await expect.poll(() => isReady(service.address), { timeout: 2000 }).toBe(false);
  // Half a second later both are still running.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(service.child.exitCode).toBe(null);
  const { status, sha256 } = await upload.finish(bytes.subarray(1_500_000));
  expect({ status, sha256 }).toEqual({ status: 201, sha256: createHash('sha256').update(bytes).digest('hex') });
  for (;;) {
    const next = await reader?.read();
    if (!next || next.done) break;
    hash.update(next.value);
  }
  expect(hash.digest('hex')).toBe(stored.item.sha256);
  const finished = performance.now();
  expect(await service.ended).toBe(0);
  // At once, not when the grace time is over.
  expect(performance.now() - finished).toBeLessThan(10_000);
  expect(service.output()).not.toMatch(/"level":(50|60)/);
  expect(await intents()).toEqual([]);
});

test('case 104: an upload that is stuck is cut after the grace, leaves nothing, and the exit code is 0', async () => {
  const before = await files().then((all) => all.length);
  const service = await start(1);
  const upload = await slowUpload(service.address, bigPng(1_500_000, 3));
  const asked = performance.now();
  service.kill('SIGTERM');
  expect(await upload.failed).toMatch(/socket hang up|ECONNRESET/);
  expect(await service.ended).toBe(0);
  const seconds = (performance.now() - asked) / 1000;
  expect(seconds).toBeGreaterThan(0.9);
  expect(seconds).toBeLessThan(5);
  expect(await files()).toHaveLength(before);
  expect(await intents()).toEqual([]);
});

test('case 104: a second copy on the same embedded PostgreSQL goes on working when the first one ends', async () => {
  const [first, second] = await Promise.all([start(5), start(5)]);
  expect((await post(first.address, png(1, 1, 1))).status).toBe(201);
  first.kill('SIGTERM');
  const answers = [];
  while (first.child.exitCode === null) answers.push((await post(second.address, png(1, 1, 2))).status);
  answers.push((await post(second.address, png(1, 1, 3))).status);
  expect(new Set(answers)).toEqual(new Set([201]));
  expect(await isReady(second.address)).toBe(true);
  second.kill('SIGINT');
  expect(await second.ended).toBe(0);
});

test('event streams do not delay the shutdown, and send what happened before it', async () => {
  const service = await start(20);
  const open = await Promise.all(Array.from({ length: 3 }, () => followEvents(service.address, asUser('a'))));
  const { item } = await post(service.address, png(1, 1, 4));
  // Events that earlier services did not number come first.
  const told = (reader: EventReader) => reader.events().some((event) => event.data?.['itemId'] === item.id);
  await expect.poll(() => open.every(told), { timeout: 5000 }).toBe(true);
  const asked = performance.now();
  service.kill('SIGTERM');
  await Promise.all(open.map((reader) => reader.ended));
  expect(await service.ended).toBe(0);
  expect(performance.now() - asked).toBeLessThan(5000);
});
