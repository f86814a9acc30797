import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StorageError } from '../../../src/storage/driver.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { png } from '../../support/sample-files.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let made: Map<string, MemoryStore>;
let removals: string[];
/** Stores that do not come to remove anything for the moment. */
let slow: Set<string>;
async function start(env: Record<string, string> = {}): Promise<void> {
  const { kind, made: stores } = memoryKind();
  made = stores;
  const all = { STORES: 'one:memory,two:memory', STORAGE_PRIMARY: 'one', ...env };
  t = await createTestApp(all, {}, { ...DRIVERS, memory: kind });
}
beforeEach(() => {
  removals = [];
  slow = new Set();
});
afterEach(() => t.close());

const upload = () =>
  t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...asUser('alice'), 'content-type': 'image/png' },
    payload: png(4, 4, 1),
  });
/** Makes a store fail each put, after it may have stored something, and take its time to remove that. */
function breakPuts(name: string): void {
  const store = made.get(name);
  if (!store) throw new Error(`no store ${name}`);
  store.put = () => Promise.reject(new StorageError('UNAVAILABLE', 'cut off', { cause: new Error('reset') }));
  store.delete = async () => {
    while (slow.has(name)) await sleep(10);
    removals.push(name);
  };
}

test('an upload that the only store failed to take is answered when its leftovers have been removed', async () => {
  await start();
  breakPuts('one');
  slow.add('one');
  let answered = false;
  const answering = upload().finally(() => {
    answered = true;
  });
  await sleep(300);
  expect(answered).toBe(false);
  slow.clear();
  const answer = await answering;
  expect([answer.statusCode, answer.json().code]).toEqual([503, 'store_unavailable']);
  expect(removals).toEqual(['one']);
  // A sweep looks once more: the store may have stored the bytes late.
  const intents = await t.deps.db.selectFrom('storage_intents').select(['store', 'marked_at']).execute();
  expect(intents).toEqual([{ store: 'one', marked_at: expect.anything() }]);
});

test('an upload that another store takes does not wait until the leftovers have been removed', async () => {
  await start({ STORAGE_FALLBACKS: 'two' });
  breakPuts('one');
  slow.add('one');
  const answer = await upload();
  expect([answer.statusCode, answer.json().storageProvider]).toEqual([201, 'two']);
  expect(removals).toEqual([]);
  slow.clear();
  await expect.poll(() => removals).toEqual(['one']);
});

test('when all stores fail, the answer waits for the removal from the last one alone', async () => {
  await start({ STORAGE_FALLBACKS: 'two' });
  breakPuts('one');
  breakPuts('two');
  slow.add('one');
  expect((await upload()).statusCode).toBe(503);
  expect(removals).toEqual(['two']);
  slow.clear();
  await expect.poll(() => removals.toSorted()).toEqual(['one', 'two']);
});
