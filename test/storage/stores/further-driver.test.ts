import { afterEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { createMemoryDriver, memoryKind } from '../../support/storage/memory-driver.ts';
import { bigPng } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';
import { driverContract } from '../driver-contract.ts';

driverContract('memory', { range: false, list: true }, async () => {
  const driver = createMemoryDriver();
  return {
    driver,
    everything: async (prefix) => [...driver.objects.keys()].filter((key) => key.startsWith(`${prefix}/`)).toSorted(),
    close: async () => {},
  };
});

let t: TestApp | undefined;
afterEach(() => t?.close());

test('a driver of one file and one line in the registry stores, deletes, and serves ranges that it does not support itself', async () => {
  const { kind, made } = memoryKind();
  t = await createTestApp({ STORAGE_PRIMARY: 'memory' }, {}, { ...DRIVERS, memory: kind });
  const bytes = bigPng(300_000);
  const headers = { ...asUser('a'), 'content-type': 'image/png' };
  const stored = await t.app.inject({ method: 'POST', url: '/v1/media?filename=fox.png', headers, payload: bytes });
  expect(stored.json()).toMatchObject({ storageProvider: 'memory', bytes: bytes.length });
  expect([...(made.get('memory')?.objects.values() ?? [])]).toMatchObject([{ contentType: 'image/png' }]);
  const url = `/v1/media/${stored.json().id}`;
  const whole = await t.app.inject({ url: `${url}/content`, headers: asUser('a') });
  expect(whole.rawPayload.equals(bytes)).toBe(true);
  expect(whole.headers['x-storage-provider']).toBe('memory');
  const range = { ...asUser('a'), range: 'bytes=100000-200001' };
  const part = await t.app.inject({ url: `${url}/content`, headers: range });
  expect(part.statusCode).toBe(206);
  expect(part.rawPayload.equals(bytes.subarray(100_000, 200_002))).toBe(true);
  const signed = await t.app.inject({ method: 'POST', url: `${url}/url`, headers: asUser('a') });
  const path = new URL(signed.json().url).pathname;
  expect((await t.app.inject(path)).rawPayload.equals(bytes)).toBe(true);
  await t.app.inject({ method: 'DELETE', url: `${url}?purge=true`, headers: asUser('a') });
  expect(made.get('memory')?.objects.size).toBe(0);
});

test('a further driver can be named in STORES like any other', () => {
  const { kind } = memoryKind();
  const config = loadConfig({ STORES: 'cache:memory', STORAGE_MIRRORS: 'cache' }, { ...DRIVERS, memory: kind });
  expect(config.stores.map(({ name, driver }) => `${name}:${driver}`)).toEqual(
    expect.arrayContaining(['cache:memory', 'local:local']),
  );
  expect(() => loadConfig({ STORES: 'cache:memory' })).toThrow(/memory.*one of the drivers local/);
});
