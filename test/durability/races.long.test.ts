// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHash } from 'node:crypto';
import { mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { sweepIntents } from '../../src/domain/staging/sweep.ts';
import { filesBelow } from '../support/storage/local-volume.ts';
import { bigPng, png } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let address: string;
let files: () => Promise<string[]>;
beforeAll(async () => {
  t = await createTestApp({ DATABASE_POOL_MAX: '10' });
  address = await t.listen();
  files = async () => (await filesBelow(t.volume)).filter((file) => !file.startsWith('foreign/'));
});
afterAll(() => t.close());
afterEach(async () => {
  const { items } = (await t.app.inject({ url: '/v1/media?limit=200', headers: asUser('a') })).json();
  for (const { id } of items) await purge(id);
  expect(await files()).toEqual([]);
  expect(await intents()).toEqual([]);
});

const intents = () => t.deps.db.selectFrom('storage_intents').selectAll().execute();
const expire = () => t.deps.db.updateTable('storage_intents').set({ leased_until: '2000-01-01' }).execute();
const purge = (id: string) =>
  t.app.inject({ method: 'DELETE', url: `/v1/media/${id}?purge=true`, headers: asUser('a') });
const post = (payload: Buffer, headers: Record<string, string> = {}) =>
  t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { 'content-type': 'image/png', ...headers, ...asUser('a') },
    payload,
  });
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
async function content(id: string): Promise<{ status: number; bytes: Buffer }> {
  const response = await t.app.inject({ url: `/v1/media/${id}/content`, headers: asUser('a') });
  return { status: response.statusCode, bytes: response.rawPayload };
}

interface Upload {
  send(bytes: Buffer): Promise<void>;
  end(): void;
  abort(): void;
  answer: Promise<{ status: number; body: { id: string; code?: string } }>;
}

/** An upload whose remaining bytes the test releases; resolves once its file is being written. */
async function slowUpload(): Promise<Upload> {
  const headers = { 'content-type': 'image/png', 'transfer-encoding': 'chunked', ...asUser('a') };
  const request = http.request(`${address}/v1/media`, { method: 'POST', headers });
  const answer = new Promise<{ status: number; body: { id: string } }>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
    });
  });
  answer.catch(() => {});
  const send = (bytes: Buffer) => new Promise<void>((resolve) => request.write(bytes, () => resolve()));
  await send(bigPng(1_500_000, 7));
  await expect.poll(async () => (await filesBelow(t.volume)).some((file) => file.endsWith('.part'))).toBe(true);
  return { send, answer, end: () => request.end(), abort: () => request.destroy() };
}

test('case 94: a sweep does not touch a running upload, which is stored whole', async () => {
  const upload = await slowUpload();
  expect(await sweepIntents(t.deps)).toEqual({ removed: 0, failed: 0 });
  await upload.send(Buffer.alloc(100_000));
  expect(await sweepIntents(t.deps)).toEqual({ removed: 0, failed: 0 });
  upload.end();
  const { status, body } = await upload.answer;
  expect(status).toBe(201);
  expect((await content(body.id)).bytes.length).toBe(1_600_000);
});

test('case 94: an upload that was marked but not yet swept fails with 503 and leaves nothing', async () => {
  const upload = await slowUpload();
  await t.deps.db.updateTable('storage_intents').set({ marked_at: '2000-01-01' }).execute();
  upload.end();
  expect(await upload.answer).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
});

test('case 94: an upload whose lease expired and that was swept fails with 503 and leaves nothing', async () => {
  const upload = await slowUpload();
  await expire();
  expect(await sweepIntents(t.deps)).toEqual({ removed: 1, failed: 0 });
  expect(await files()).toEqual([]);
  await upload.send(Buffer.alloc(1_000_000));
  upload.end();
  expect(await upload.answer).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
});

test('case 94: an upload that the client aborts leaves nothing at once, without any sweep', async () => {
  const upload = await slowUpload();
  upload.abort();
  await expect.poll(files).toEqual([]);
  await expect.poll(intents).toEqual([]);
});

test('case 94: sweeps at every moment of many uploads and purges delete no live upload’s object', async () => {
  let over = false;
  const sweeping = Promise.all(
    [1, 2].map(async () => {
      while (!over) await sweepIntents(t.deps);
    }),
  );
  const uploads = Array.from({ length: 60 }, async (_value, index) => {
    const file = bigPng(1000 + index * 4000, index);
    const response = await post(file);
    expect(response.statusCode).toBe(201);
    const { id } = response.json();
    const purging = index % 3 === 0 ? purge(id) : undefined;
    const found = await content(id);
    if (!purging) expect(sha256(found.bytes)).toBe(sha256(file));
    expect((await purging)?.statusCode ?? 204).toBe(204);
    return purging ? undefined : { id, file };
  });
  const stored = (await Promise.all(uploads)).filter((item) => item !== undefined);
  over = true;
  await sweeping;
  for (const { id, file } of stored) expect(sha256((await content(id)).bytes)).toBe(sha256(file));
  expect(await files()).toHaveLength(40);
});

test('case 94: uploads whose leases expire at any moment fail or succeed as a whole', async () => {
  let over = false;
  const sweeping = (async () => {
    while (!over) {
      await expire();
      await sweepIntents(t.deps);
    }
  })();
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_value, index) => {
      const file = bigPng(1000 + index * 4000, index);
      const response = await post(file);
      return { status: response.statusCode, id: response.json().id as string, file };
    }),
  );
  over = true;
  await sweeping;
  expect(answers.every(({ status }) => status === 201 || status === 503)).toBe(true);
  const stored = answers.filter(({ status }) => status === 201);
  for (const { id, file } of stored) expect(sha256((await content(id)).bytes)).toBe(sha256(file));
  await expire();
  await sweepIntents(t.deps);
  expect(await files()).toHaveLength(stored.length);
});

test('case 94: a purge that crashed after its commit is finished by the sweep', async () => {
  const { id, storageKey } = (await post(png(1, 1, 1))).json();
  const expired = { store: 'local', key: storageKey, leased_until: '2000-01-01', marked_at: '2000-01-01' };
  await t.deps.db.transaction().execute(async (trx) => {
    await trx.insertInto('storage_intents').values(expired).execute();
    await trx.deleteFrom('generated_images').where('id', '=', id).execute();
  });
  expect(await files()).toEqual([storageKey]);
  expect(await sweepIntents(t.deps)).toEqual({ removed: 1, failed: 0 });
  expect(await files()).toEqual([]);
});

test('case 94: another sweeper takes over when the lease of one that crashed after marking has expired', async () => {
  const { id, storageKey } = (await post(png(1, 1, 2))).json();
  await t.deps.db.deleteFrom('generated_images').where('id', '=', id).execute();
  const marked = { store: 'local', key: storageKey, leased_until: '2999-01-01', marked_at: '2000-01-01' };
  await t.deps.db.insertInto('storage_intents').values(marked).execute();
  expect(await sweepIntents(t.deps)).toEqual({ removed: 0, failed: 0 });
  expect(await files()).toEqual([storageKey]);
  await expire();
  expect(await sweepIntents(t.deps)).toEqual({ removed: 1, failed: 0 });
});

test('an intent that names a live item’s object is deleted and the object stays', async () => {
  const file = png(1, 1, 3);
  const { id, storageKey } = (await post(file)).json();
  const wrong = { store: 'local', key: storageKey, leased_until: '2000-01-01' };
  await t.deps.db.insertInto('storage_intents').values(wrong).execute();
  await sweepIntents(t.deps);
  expect((await content(id)).bytes.equals(file)).toBe(true);
  expect(await intents()).toEqual([]);
});

test('foreign files in the volume, under outputs/ too, survive every sweep', async () => {
  const theirs = ['foreign/a.png', 'foreign/outputs/b.png'];
  const beside = path.join(t.volume, 'outputs/a/theirs-0123456789abcdef.png');
  for (const file of theirs) await mkdir(path.dirname(path.join(t.volume, file)), { recursive: true });
  for (const file of theirs) await writeFile(path.join(t.volume, file), 'theirs');
  const { id } = (await post(png(1, 1, 4))).json();
  await writeFile(beside, 'theirs');
  const upload = await slowUpload();
  await expire();
  await sweepIntents(t.deps);
  upload.end();
  expect((await upload.answer).status).toBe(503);
  await purge(id);
  await sweepIntents(t.deps);
  for (const file of [...theirs.map((each) => path.join(t.volume, each)), beside])
    expect(await readFile(file, 'utf8')).toBe('theirs');
  await unlink(beside);
});

test('case 94: twenty concurrent purges of one item all succeed or find it gone, and nothing is left', async () => {
  const { id } = (await post(png(1, 1, 5))).json();
  const answers = await Promise.all(Array.from({ length: 20 }, () => purge(id)));
  expect(answers.every(({ statusCode }) => statusCode === 204 || statusCode === 404)).toBe(true);
  await expire();
  await sweepIntents(t.deps);
});
