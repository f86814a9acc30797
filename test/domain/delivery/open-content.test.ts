import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { locationsOf } from '../../../src/db/objects/locations.ts';
import { itemForReading, openContent, openCachedContent } from '../../../src/domain/delivery/open-content.ts';
import { transferItems } from '../../../src/domain/copies/transfer.ts';
import { AppError } from '../../../src/errors.ts';
import { readAll } from '../../support/bodies.ts';
import { createDataFolder } from '../../support/data-folder.ts';
import { bigPng } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let archive: Awaited<ReturnType<typeof createDataFolder>>;
const file = bigPng(300_000);
const alice = asUser('alice');
const UNREADABLE = 'a location of an item could not be read';

beforeAll(async () => {
  archive = await createDataFolder('archive');
  t = await createTestApp({ STORES: 'archive:local', ARCHIVE_ROOT: archive.path });
});
afterAll(async () => {
  await t.close();
  await archive.remove();
});

/** A stored item and its current location. */
async function store() {
  const payload = { source: { type: 'base64', data: file.toString('base64') } };
  const stored = await t.app.inject({ method: 'POST', url: '/v1/media', headers: alice, payload });
  const { id } = stored.json<{ id: string }>();
  return { id, locations: await locationsOf(t.deps.db, id, null) };
}

async function move(from: string, to: string) {
  const { signal } = new AbortController();
  const options = { filter: {}, keep: false, concurrency: 1, signal, onProgress: () => {} };
  expect(await transferItems(t.deps, { from, to, ...options })).toMatchObject({ failed: [] });
}

const unreadable = () => t.logged().split(UNREADABLE).length - 1;

test('a reader that disconnects before the file is opened does not count as a store failure', async () => {
  const { id, locations } = await store();
  const item = await itemForReading(t.deps, { type: 'signature' }, { id });
  const reason = new AppError('invalid_request', 'The client closed the connection.');
  for (const range of [undefined, { start: 1, end: 2 }])
    await expect(openCachedContent(t.deps, item, locations, range, AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(unreadable()).toBe(0);
});

test('an item that is moved between the read of its record and the opening of its file is read from its new location', async () => {
  const { id, locations } = await store();
  const range = { start: 1000, end: 1999 };
  await move('local', 'archive');
  const whole = await openContent(t.deps, { id }, locations, undefined);
  expect(whole.store).toBe('archive');
  expect((await readAll(whole.stream)).equals(file)).toBe(true);
  const part = await openContent(t.deps, { id }, locations, range);
  expect((await readAll(part.stream)).equals(file.subarray(1000, 2000))).toBe(true);
  await move('archive', 'local');
  const back = await openContent(t.deps, { id }, locations, undefined);
  expect(back.store).toBe('local');
  expect((await readAll(back.stream)).equals(file)).toBe(true);
  expect(unreadable()).toBe(0);
});

test('an item purged in between is not found, and one whose file is gone is missing', async () => {
  const purged = await store();
  const url = `/v1/media/${purged.id}?purge=true`;
  expect((await t.app.inject({ method: 'DELETE', url, headers: alice })).statusCode).toBe(204);
  await expect(openContent(t.deps, purged, purged.locations, undefined)).rejects.toMatchObject({ code: 'not_found' });
  expect(unreadable()).toBe(0);
  const lost = await store();
  await rm(path.join(t.volume, lost.locations[0]?.key ?? ''));
  await expect(openContent(t.deps, lost, lost.locations, undefined)).rejects.toMatchObject({ code: 'content_missing' });
  expect(unreadable()).toBe(1);
});
