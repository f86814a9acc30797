import { afterEach, beforeEach, expect, test } from 'vitest';
import { fulfilIntent } from '../../../src/db/objects/intents.ts';
import { keepBody, readKeptBody } from '../../../src/domain/webhooks/kept-body.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { type MemoryStore, memoryKind } from '../../support/storage/memory-driver.ts';
import { type TestApp, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let stores: Map<string, MemoryStore>;
beforeEach(async () => {
  const { kind, made } = memoryKind();
  stores = made;
  const env = { STORES: 'one:memory,two:memory', STORAGE_PRIMARY: 'one', STORAGE_FALLBACKS: 'two' };
  t = await createTestApp(env, {}, { ...DRIVERS, memory: kind });
});
afterEach(() => t.close());

const store = (name: string): MemoryStore => {
  const found = stores.get(name);
  if (!found) throw new Error(`no store ${name}`);
  return found;
};
const LIMIT = 64 * 1024;
const large = Buffer.alloc(LIMIT + 1, 'a');
const intents = async () =>
  (await t.deps.db.selectFrom('storage_intents').select(['store', 'marked_at']).execute()).map((row) => row.store);

test('a small body is kept in its row, and a store is not needed', async () => {
  store('one').down = true;
  store('two').down = true;
  const raw = Buffer.alloc(LIMIT, 'a');
  const kept = await keepBody(t.deps, 'fal', raw);
  expect(kept).toMatchObject({ body: { inline: raw }, intent: undefined });
  expect(await readKeptBody(t.deps, kept.body)).toEqual(raw);
  await kept.discard();
  kept.release();
});

test('a large body is kept in the primary store under an intent, and can be read back', async () => {
  const kept = await keepBody(t.deps, 'fal', large);
  expect(kept.intent).toMatchObject({
    store: 'one',
    key: expect.stringMatching(/^webhooks\/fal\/[0-9a-f-]{36}\.json$/),
  });
  expect(kept.body).toEqual(kept.intent);
  expect((await readKeptBody(t.deps, kept.body)).equals(large)).toBe(true);
  expect([...store('one').objects.values()][0]).toMatchObject({ contentType: 'application/json' });
  expect(await intents()).toEqual(['one']);
  kept.release();
});

test('what is discarded leaves neither an object nor an intent', async () => {
  const kept = await keepBody(t.deps, 'fal', large);
  await kept.discard();
  expect(store('one').objects.size).toBe(0);
  expect(await intents()).toEqual([]);
});

test('a body that a delivery uses by now is not removed', async () => {
  const kept = await keepBody(t.deps, 'fal', large);
  const { intent } = kept;
  if (!intent) throw new Error('no intent');
  await t.deps.db.transaction().execute((trx) => fulfilIntent(trx, intent));
  await kept.discard();
  expect((await readKeptBody(t.deps, kept.body)).equals(large)).toBe(true);
});

test('while the primary store is down, a fallback takes the body, and nothing of the attempt is left', async () => {
  store('one').down = true;
  const kept = await keepBody(t.deps, 'fal', large);
  expect(kept.intent).toMatchObject({ store: 'two' });
  kept.release();
  store('one').down = false;
  expect(store('one').objects.size).toBe(0);
});

test('when no store takes it, the webhook is refused', async () => {
  store('one').down = true;
  store('two').down = true;
  await expect(keepBody(t.deps, 'fal', large)).rejects.toMatchObject({ code: 'store_unavailable' });
  await expect(readKeptBody(t.deps, { store: 'one', key: 'webhooks/fal/none.json' })).rejects.toMatchObject({
    code: 'store_unavailable',
  });
});
