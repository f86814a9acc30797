import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FetchExternalOptions, countExternal, fetchExternal } from '../../../src/domain/imports/fetch-external.ts';
import { type Origin, startOrigin } from '../../support/origin.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let origin: Origin;
let folder: string;
beforeAll(async () => {
  origin = await startOrigin();
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-external-'));
  t = await createTestApp({ FETCH_TRUSTED_HOSTS: '127.0.0.1' });
});
afterAll(async () => {
  await t.close();
  origin.close();
  await rm(folder, { recursive: true, force: true });
});

let count = 0;
/** An item whose bytes are elsewhere; returns its user, who has no other. */
async function external(storageUrl: string, storageProvider = 'cdn'): Promise<string> {
  const userId = `user-${(count += 1)}`;
  const source = { type: 'external', storageUrl, storageProvider };
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: asAdmin(),
    payload: { userId, source },
  });
  expect(response.statusCode).toBe(201);
  return userId;
}
const run = (more: Partial<FetchExternalOptions>) => {
  const { signal } = new AbortController();
  return fetchExternal(t.deps, { folders: [], concurrency: 2, signal, onProgress: () => {}, ...more });
};
const placeOf = async (userId: string) =>
  await t.deps.db
    .selectFrom('generated_images')
    .select(['storage_provider', 'original_url'])
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow();
const folders = () => [{ prefix: 'https://old.example/files/', folder }];

test('bytes are fetched from their address, which becomes where they came from; a repeated run has nothing to do', async () => {
  const url = `${origin.url}/ok/a.png`;
  const userId = await external(url);
  const seen: number[] = [];
  const onProgress = (done: number) => void seen.push(done);
  expect(await run({ userId, onProgress })).toEqual({ items: 1, stored: 1, failed: [], interrupted: false });
  expect(seen).toEqual([1]);
  expect(await placeOf(userId)).toEqual({ storage_provider: 'local', original_url: url });
  expect(await run({ userId })).toMatchObject({ items: 0, stored: 0 });
});

test('a dry run only counts', async () => {
  const userId = await external(`${origin.url}/ok/dry.png`);
  expect(await countExternal(t.deps.db, { userId })).toBe(1);
  expect(await placeOf(userId)).toMatchObject({ storage_provider: 'cdn' });
});

test('only items of the system and the user that were named are fetched', async () => {
  const userId = await external(`${origin.url}/ok/b.png`, 'first');
  await external(`${origin.url}/ok/c.png`, 'second');
  expect(await run({ userId, storageProvider: 'second' })).toMatchObject({ items: 0 });
  expect(await run({ storageProvider: 'second' })).toMatchObject({ items: 1, stored: 1 });
  expect(await run({ userId, storageProvider: 'first' })).toMatchObject({ items: 1, stored: 1 });
});

test('what is unavailable is reported with its reason and stays, and the others are fetched', async () => {
  const userId = await external(`${origin.url}/nothing/a.png`, 'mixed');
  await external(`${origin.url}/ok/d.png`, 'mixed');
  const seen: number[] = [];
  const outcome = await run({ storageProvider: 'mixed', onProgress: (done) => void seen.push(done) });
  expect(outcome).toMatchObject({
    items: 2,
    stored: 1,
    failed: [{ id: expect.any(String), reason: expect.any(String) }],
  });
  expect(seen.toSorted((a, b) => a - b)).toEqual([1, 2]);
  expect(await placeOf(userId)).toMatchObject({ storage_provider: 'mixed' });
});

test('addresses below a prefix are read from a folder, never from outside of it', async () => {
  await mkdir(path.join(folder, 'a b'), { recursive: true });
  await writeFile(path.join(folder, 'a b', '1.png'), png(4, 4, 3));
  const inside = await external('https://old.example/files/a%20b/1.png?version=2');
  const missing = await external('https://old.example/files/none.png');
  const outside = await external('https://old.example/files/..%2F..%2Fetc%2Fhosts');
  expect(await run({ userId: inside, folders: folders() })).toMatchObject({ stored: 1, failed: [] });
  expect((await run({ userId: missing, folders: folders() })).failed[0]?.reason).toMatch(/ENOENT/);
  expect((await run({ userId: outside, folders: folders() })).failed[0]?.reason).toMatch(/lies outside of/);
});

test('an interrupted run says so', async () => {
  const userId = await external(`${origin.url}/ok/e.png`);
  const outcome = await run({ userId, signal: AbortSignal.abort() });
  expect(outcome).toMatchObject({ items: 1, stored: 0, interrupted: true });
});
