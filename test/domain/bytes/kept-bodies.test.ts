import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { locationsOf } from '../../../src/db/objects/locations.ts';
import { bigPng } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
const alice = asUser('alice');
const get = (url: string, headers: Record<string, string> = alice) => t.app.inject({ url, headers });

beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

/** An item whose body is cached in memory and whose file is gone. */
async function keptInMemory(seed: number) {
  const file = bigPng(50_000, seed);
  const headers = { ...alice, 'content-type': 'image/png' };
  const stored = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: file });
  const { id, storageKey } = stored.json<{ id: string; storageKey: string }>();
  const [location] = await locationsOf(t.deps.db, id, null);
  if (!location) throw new Error('the item has no location');
  for (let time = 0; time < 3; time += 1) await get(`/v1/media/${id}/content`);
  await rm(path.join(t.volume, storageKey));
  const signed = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: alice, payload: {} });
  const addresses = [
    `/v1/media/${id}/content`,
    `/uploads/${storageKey}`,
    new URL(signed.json<{ url: string }>().url).pathname,
  ];
  for (const address of addresses) expect((await get(address)).rawPayload.equals(file)).toBe(true);
  const part = await get(addresses[0] ?? '', { ...alice, range: 'bytes=7-16' });
  expect([part.statusCode, part.rawPayload]).toEqual([206, file.subarray(7, 17)]);
  return { id, file, location, addresses };
}

test('a purge removes the body from memory, and no URL returns it any longer', async () => {
  const { id, location, addresses } = await keptInMemory(1);
  const url = `/v1/media/${id}?purge=true`;
  expect((await t.app.inject({ method: 'DELETE', url, headers: alice })).statusCode).toBe(204);
  expect(t.deps.bodyCache.get(location)).toBeUndefined();
  for (const address of addresses) expect((await get(address)).statusCode).toBe(404);
});

test('a deleted item is not served from memory, and a restored one is again', async () => {
  const { id, file, addresses } = await keptInMemory(2);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}`, headers: alice });
  for (const address of addresses) expect((await get(address)).statusCode).toBe(404);
  await t.app.inject({ method: 'POST', url: `/v1/media/${id}/restore`, headers: alice });
  for (const address of addresses) expect((await get(address)).rawPayload.equals(file)).toBe(true);
});

test('a cached body is served only to readers with access', async () => {
  const { addresses } = await keptInMemory(3);
  for (const address of addresses.slice(0, 2)) {
    expect((await get(address, asUser('bob'))).statusCode).toBe(404);
    expect((await get(address, {})).statusCode).toBe(401);
  }
});
