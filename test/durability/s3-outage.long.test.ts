import { createHash } from 'node:crypto';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePendingCopies } from '../../src/domain/copies/pending-copies.ts';
import { filesBelow } from '../support/storage/local-volume.ts';
import { sweepAll } from '../support/storage/sweep-all.ts';
import { bigPng } from '../support/sample-files.ts';
import { type S3Server, TEST_KEYS, startS3Server } from '../support/s3/server.ts';
import { type S3Settings, s3Settings } from '../support/s3/service.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';
import { until } from '../support/until.ts';

const MIB = 1024 ** 2;
let server: S3Server;
let s3: S3Settings;
let t: TestApp;
let address: string;

beforeEach(async () => {
  server = await startS3Server();
  s3 = await s3Settings({ endpoint: server.endpoint, ...TEST_KEYS });
  t = await createTestApp({
    ...s3.env,
    STORAGE_FALLBACKS: 'local',
    STORAGE_MIRRORS: 'database',
    DATABASE_POOL_MAX: '10',
  });
  address = await t.listen();
});
afterEach(async () => {
  await t.close();
  s3.client.destroy();
  await server.close();
});

interface Answer {
  status: number;
  retryAfter: string | undefined;
  body: { id: string; storageProvider?: string; code?: string };
}
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const headers = () => ({ ...asUser('a'), 'content-type': 'image/png' });

/** Sends the first bytes of a body, and the rest in pieces on request. */
function upload(
  bytes: Buffer,
  { first = bytes.length, rest }: { first?: number; rest?: Promise<void> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${address}/v1/media`, { method: 'POST', headers: headers() }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({
        status: response.statusCode ?? 0,
        retryAfter: response.headers['retry-after'],
        body: JSON.parse(Buffer.concat(chunks).toString()) as Answer['body'],
      });
    });
    // The response may be on its way while the rest of the body can no longer be sent.
    request.on('error', (error) => void setTimeout(() => reject(error), 3000));
    void (async () => {
      request.write(bytes.subarray(0, first));
      await rest;
      for (let at = first; at < bytes.length; at += MIB) {
        request.write(bytes.subarray(at, at + MIB));
        await sleep(10);
      }
      request.end();
    })();
  });
}
const served = async (id: string) => {
  const response = await t.app.inject({ url: `/v1/media/${id}/content?proxy=1`, headers: asUser('a') });
  return { from: response.headers['x-storage-provider'], sha256: sha256(response.rawPayload) };
};
const objects = () => [...(server.buckets.get(s3.bucket)?.objects.keys() ?? [])];
const parts = () => server.buckets.get(s3.bucket)?.uploads.size;

test(
  'S3 stopped under load: small and new uploads succeed, large ones in flight get 503, copies are read, everything fails back',
  { timeout: 120_000 },
  async () => {
    const stored = new Map<string, string>();
    const keep = (answer: Answer, bytes: Buffer) => {
      expect(answer).toMatchObject({ status: 201 });
      stored.set(answer.body.id, sha256(bytes));
    };
    // First, some items with a mirror.
    for (let index = 0; index < 6; index += 1) {
      const bytes = bigPng(40_000 + index, index);
      keep(await upload(bytes), bytes);
    }
    expect(await makePendingCopies(t.deps)).toMatchObject({ mirrored: 6, failed: 0 });
    const mirrored = [...stored.keys()];

    // Load: small uploads one after the other, and some of 7 and 40 MiB that are in flight when the server goes down.
    let stop = false;
    let salt = 100;
    const streams = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!stop) {
          await sleep(60);
          salt += 1;
          const bytes = bigPng(60_000 + salt, salt);
          keep(await upload(bytes), bytes);
        }
      }),
    );
    // Awaited below; other failures must be reported first.
    streams.catch(() => {});
    const away = Promise.withResolvers<void>();
    const slow = [1, 3, 6].map(async (first) => {
      const bytes = bigPng(7 * MIB, first);
      keep(await upload(bytes, { first: first * MIB, rest: away.promise }), bytes);
    });
    const large = [4, 5].map((each) => upload(bigPng(40 * MIB, each), { first: 20 * MIB, rest: away.promise }));
    // Two parts of each large one: more has been read than is buffered.
    await until(async () => server.asked.filter((each) => each === 'UploadPart').length === 4, 60);
    await server.stop();
    away.resolve();
    await Promise.all(slow);
    for (const answer of await Promise.all(large)) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
      expect(Number(answer.retryAfter)).toBeGreaterThan(0);
    }
    const during = bigPng(30 * MIB, 9);
    keep(await upload(during), during);
    stop = true;
    await streams;

    // Items with another location are read while the server is down.
    for (const id of mirrored) expect(await served(id)).toEqual({ from: 'database', sha256: stored.get(id) });
    const records = async () => {
      const { items } = (await t.app.inject({ url: '/v1/media?limit=200', headers: asUser('a') })).json();
      return items as { id: string; storageProvider: string }[];
    };
    expect((await records()).length).toBe(stored.size);
    const elsewhere = (await records()).filter((item) => item.storageProvider === 'local');
    expect(elsewhere.length).toBeGreaterThan(4);
    for (const { id } of elsewhere) expect((await served(id)).sha256).toBe(stored.get(id));

    // When it is back, everything fails back.
    await server.restart();
    const report = await makePendingCopies(t.deps);
    // A mirror copy may need a second attempt on a busy machine; a failback must not.
    expect(report.home).toBe(elsewhere.length);
    for (const [id, digest] of stored) {
      const item = (await t.app.inject({ url: `/v1/media/${id}`, headers: asUser('a') })).json();
      expect(item).toMatchObject({ storageProvider: 's3', sha256: digest });
      expect(item.locations).toMatchObject([
        { store: 's3', state: 'stored' },
        { store: 'database', state: 'stored' },
      ]);
      expect(await served(id)).toEqual({ from: 's3', sha256: digest });
    }
    await sweepAll(t.deps);
    expect(objects()).toHaveLength(stored.size);
    expect(parts()).toBe(0);
    expect(await filesBelow(t.volume)).toEqual([]);
  },
);

test('a large upload that is the first to find S3 down goes to the fallback', async () => {
  await server.stop();
  const bytes = bigPng(30 * MIB, 9);
  const { status, body } = await upload(bytes);
  expect({ status, body }).toMatchObject({ status: 201, body: { storageProvider: 'local' } });
  expect((await served(body.id)).sha256).toBe(sha256(bytes));
});

test('a lost acknowledgement makes no second copy: the upload succeeds in one place and nothing else is left', async () => {
  const bytes = bigPng(100_000, 3);
  server.break('PutObject', { kind: 'reset-after' });
  const answer = await upload(bytes);
  expect(answer.status).toBe(201);
  expect((await served(answer.body.id)).sha256).toBe(sha256(bytes));
  await sleep(200);
  await sweepAll(t.deps);
  await makePendingCopies(t.deps);
  expect(objects()).toHaveLength(1);
  expect(await filesBelow(t.volume)).toEqual([]);
});

test('while S3 is down the service starts only if a fallback can write', async () => {
  await server.stop();
  const env = { ...s3.env, STORAGE_FALLBACKS: 'local' };
  const started = await createTestApp(env);
  const response = await started.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: headers(),
    payload: bigPng(900),
  });
  expect(response.json()).toMatchObject({ storageProvider: 'local' });
  expect(started.logged()).toMatch(/store '[^']+' cannot be reached: .*127\.0\.0\.1:\d+.*; starting without it/);
  await started.close();
  await expect(createTestApp(s3.env)).rejects.toThrow(/S3_ENDPOINT/);
});
