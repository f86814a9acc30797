import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { insertIntents, markIntent } from '../../../src/db/objects/intents.ts';
import { discard, removeDropped } from '../../../src/domain/staging/discard.ts';
import { AppError } from '../../../src/errors.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { png } from '../../support/sample-files.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let objects: MemoryStore['objects'];
let memory: MemoryStore;
beforeAll(async () => {
  const { kind, made } = memoryKind();
  t = await createTestApp({ STORES: 'one:memory', STORAGE_PRIMARY: 'one' }, {}, { ...DRIVERS, memory: kind });
  const found = made.get('one');
  if (!found) throw new Error('no store');
  memory = found;
  ({ objects } = memory);
});
afterAll(() => t.close());

let count = 0;
let intent: { store: string; key: string };
const store = () => t.deps.stores.get('one');
const state = async () => {
  const rows = await t.deps.db
    .selectFrom('storage_intents')
    .select('marked_at')
    .where('key', '=', intent.key)
    .execute();
  const [row] = rows;
  return { object: objects.has(intent.key), intent: row && (row.marked_at === null ? 'leased' : 'marked') };
};
beforeEach(async () => {
  memory.down = false;
  intent = { store: 'one', key: `given-up/${(count += 1)}.png` };
  await insertIntents(t.deps.db, [intent]);
  objects.set(intent.key, { bytes: png(), contentType: 'image/png', modifiedAt: new Date() });
});

test('what was given up is removed with its intent, and the key is known to be free', async () => {
  expect(await discard(t.deps, intent, store())).toBe(true);
  expect(await state()).toEqual({ object: false, intent: undefined });
});

test('without an intent the key is not known to be free: another process may be removing it', async () => {
  await t.deps.db.deleteFrom('storage_intents').execute();
  expect(await discard(t.deps, intent, store())).toBe(false);
});

test('the object of an item stays, and its key counts as taken; the intent that was left ends', async () => {
  const headers = { ...asUser('alice'), 'content-type': 'image/png' };
  await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: png(4, 4, 9) });
  const { key } = await t.deps.db.selectFrom('media_locations').select('key').executeTakeFirstOrThrow();
  intent = { store: 'one', key };
  expect(await discard(t.deps, intent, store())).toBe(false);
  expect(await state()).toEqual({ object: true, intent: undefined });
  await insertIntents(t.deps.db, [intent]);
  expect(await discard(t.deps, intent, store())).toBe(false);
  expect(await state()).toEqual({ object: true, intent: undefined });
});

test('after a write whose end is unknown the intent stays marked, and the key is not known to be free', async () => {
  const lost = new AppError('store_unavailable', 'no answer', { cause: new Error('timeout') });
  expect(await discard(t.deps, intent, store(), lost)).toBe(false);
  expect(await state()).toEqual({ object: false, intent: 'marked' });
});

test.each([
  ['never reached the store', new AppError('store_unavailable', 'closed')],
  ['failed for another reason', new AppError('too_large', 'too large', { cause: new Error('large') })],
])('a write that %s leaves nothing open', async (_what, failure) => {
  expect(await discard(t.deps, intent, store(), failure)).toBe(true);
  expect(await state()).toEqual({ object: false, intent: undefined });
});

test('when the store does not answer, the marked intent stays for the sweeper', async () => {
  memory.down = true;
  expect(await discard(t.deps, intent, store())).toBe(false);
  expect(await state()).toEqual({ object: true, intent: 'marked' });
  expect(t.logged()).toContain('could not remove what was given up');
});

test('of several dropped objects each is removed, whatever becomes of the others', async () => {
  await markIntent(t.deps.db, intent);
  await removeDropped(t.deps, [{ store: 'gone', key: 'a.png' }, intent]);
  expect(await state()).toEqual({ object: false, intent: undefined });
});
