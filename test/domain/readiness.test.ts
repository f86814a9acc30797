import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkReadiness } from '../../src/domain/readiness.ts';
import { StorageError } from '../../src/storage/driver.ts';
import { DRIVERS } from '../../src/storage/stores/registry.ts';
import { type MemoryStore, memoryKind } from '../support/storage/memory-driver.ts';
import { type TestApp, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let stores: Map<string, MemoryStore>;
const settings = { STORES: 'one:memory,two:memory', STORAGE_PRIMARY: 'one', STORAGE_FALLBACKS: 'two' };
beforeEach(async () => {
  const { kind, made } = memoryKind();
  stores = made;
  t = await createTestApp(settings, {}, { ...DRIVERS, memory: kind });
});
afterEach(() => t.close());

const store = (name: string): MemoryStore => {
  const found = stores.get(name);
  if (!found) throw new Error(`no store ${name}`);
  return found;
};
const set = (name: string, state: 'down' | 'full' | 'silent') => {
  store(name).healthy = async () => {
    if (state === 'down') throw new StorageError('UNAVAILABLE', 'switched off');
    if (state === 'full') throw new StorageError('NO_SPACE', 'full');
    if (state === 'silent') await new Promise(() => {});
  };
};
const checks = async () =>
  Object.fromEntries(
    (await checkReadiness(t.deps)).map(({ name, ok, degraded }) => [
      name,
      ok ? 'ok' : degraded ? 'degraded' : 'failed',
    ]),
  );
const reasons = async () => (await checkReadiness(t.deps)).flatMap(({ reason }) => reason ?? []);
test('when all is well, the database, its schema and the primary store are named', async () => {
  expect(await checks()).toEqual({ database: 'ok', schema: 'ok', 'store:one': 'ok' });
  expect(await reasons()).toEqual([]);
});

test('a primary store that is down counts as degraded while a fallback takes uploads, and as failed otherwise', async () => {
  set('one', 'down');
  expect(await checks()).toEqual({ database: 'ok', schema: 'ok', 'store:one': 'degraded', 'store:two': 'ok' });
  set('two', 'down');
  expect(await checks()).toMatchObject({ 'store:one': 'failed', 'store:two': 'failed' });
  set('two', 'full');
  expect(await checks()).toMatchObject({ 'store:one': 'failed', 'store:two': 'degraded' });
});

test('a full primary store still serves reads: degraded, whatever the fallbacks do', async () => {
  set('one', 'full');
  expect(await checks()).toEqual({ database: 'ok', schema: 'ok', 'store:one': 'degraded' });
  expect(await reasons()).toEqual(["The store 'one' has no room left; nothing was kept."]);
});

test('a store that does not answer in time fails, and the others are checked all the same', async () => {
  set('one', 'silent');
  expect(await checks()).toMatchObject({ database: 'ok', schema: 'ok', 'store:one': 'degraded', 'store:two': 'ok' });
  expect(await reasons()).toEqual([expect.stringMatching(/no answer within \d+ s/)]);
  expect(t.logged()).toContain("readiness check 'store:one' failed: ");
});

test('without a fallback a primary store that is down fails alone', async () => {
  set('one', 'down');
  const { primary } = t.deps.stores;
  const alone = { ...t.deps, stores: Object.assign(Object.create(t.deps.stores), { primary, fallbacks: [] }) };
  const found = await checkReadiness(alone);
  expect(found.map(({ name }) => name)).toEqual(['database', 'schema', 'store:one']);
  expect(found[2]).toMatchObject({ ok: false });
  expect(found[2]?.degraded).not.toBe(true);
});

test('the schema must have all migrations; those of a newer version, which replaces this one, count as degraded', async () => {
  const rename = (from: string, to: string) =>
    sql`UPDATE kysely_migration SET name = ${to} WHERE name = ${from}`.execute(t.deps.db);
  const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name DESC LIMIT 1`.execute(
    t.deps.db,
  );
  const last = rows[0]?.name ?? '';
  const newer = '9999_newer';
  await sql`INSERT INTO kysely_migration (name, timestamp) VALUES (${newer}, '')`.execute(t.deps.db);
  expect(await reasons()).toEqual([`the database was migrated by a newer version: ${newer}`]);
  expect(await checks()).toMatchObject({ schema: 'degraded' });
  await sql`DELETE FROM kysely_migration WHERE name = ${newer}`.execute(t.deps.db);
  await rename(last, newer);
  expect(await checks()).toMatchObject({ database: 'ok', schema: 'failed' });
  expect(await reasons()).toEqual([`migrations are missing: ${last}; run mediakeep migrate`]);
  await rename(newer, last);
  expect(await checks()).toMatchObject({ schema: 'ok' });
});

test('a part in the background that keeps failing is named with the time and the reason; the service is degraded', async () => {
  const since = new Date('2026-11-21T01:55:37Z');
  const states = () => [
    { name: 'copies', state: 'running' as const, since },
    { name: 'events', state: 'failing' as const, since, lastError: new Error('secret') },
  ];
  const deps = { ...t.deps, background: { ...t.deps.background, states } } as unknown as typeof t.deps;
  const found = (await checkReadiness(deps)).filter(({ name }) => name.startsWith('background:'));
  expect(found).toEqual([
    {
      name: 'background:events',
      ok: false,
      degraded: true,
      reason: 'failing since 2026-11-21T01:55:37.000Z: The log has the reason.',
    },
  ]);
});
