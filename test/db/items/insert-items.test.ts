import { afterAll, beforeAll, expect, test } from 'vitest';
import { findItem } from '../../../src/db/items/items.ts';
import { markIntent } from '../../../src/db/objects/intents.ts';
import { insertIntent, commitNewItem } from '../../../src/db/items/upload-commits.ts';
import { type TestApp, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const begin = (key: string) => insertIntent(t.deps.db, { store: 'local', key });
const store = (key: string, row: Partial<Parameters<typeof commitNewItem>[1]['row']> = {}, byId = false) =>
  commitNewItem(t.deps.db, {
    location: { store: 'local', key, owned: true },
    endsIntent: true,
    event: 'item.stored',
    row: { user_id: `user of ${key}`, prompt: '', storage_provider: 'local', bytes: 3, sha256: 'a'.repeat(64), ...row },
    storageUrl: (id) => (byId ? `http://media.test/v1/media/${id}/content` : `http://media.test/uploads/${key}`),
  });

test('concurrent uploads each get their own row, location, URL and event, with all given values', async () => {
  const keys = Array.from({ length: 40 }, (_, n) => `outputs/k-${n}`);
  await Promise.all(keys.map(begin));
  const awkward = {
    prompt: 'a "fox" \\ {id} 🦊\n\u2028',
    tags: ['a,b', '"q"', 'null', ''],
    metadata: {
      deep: [1, 1.5, -0.1, 1e300, null, { 'a.b': '\\u0000 as text' }],
      big: 9007199254740991,
    },
    generated_at: '2020-01-02T03:04:05.123456Z',
    project_id: '11111111-2222-3333-4444-555555555555',
    bytes: 6_000_000_000,
    n: 0,
  };
  const items = await Promise.all(keys.map((key, n) => store(key, n % 2 === 0 ? awkward : {}, n % 3 === 0)));
  for (const [n, item] of items.entries()) {
    expect(item.userId).toBe(`user of ${keys[n]}`);
    expect(item.storageUrl).toBe(
      n % 3 === 0 ? `http://media.test/v1/media/${item.id}/content` : `http://media.test/uploads/${keys[n]}`,
    );
  }
  expect(items[0]).toMatchObject({
    prompt: awkward.prompt,
    tags: awkward.tags,
    metadata: awkward.metadata,
    generatedAt: awkward.generated_at,
    projectId: awkward.project_id,
    bytes: 6_000_000_000,
    n: 0,
    toolName: null,
    status: 'success',
    mediaType: 'image',
    visibility: 'private',
    updatedAt: items[0]?.createdAt,
  });
  expect(new Set(items.map(({ id }) => id)).size).toBe(40);
  const locations = await t.deps.db.selectFrom('media_locations').select(['media_id', 'key']).execute();
  expect(new Map(locations.map((row) => [row.key, row.media_id]))).toEqual(
    new Map(items.map((item, n) => [keys[n], item.id])),
  );
  const events = await t.deps.db.selectFrom('media_event_outbox').select(['media_id', 'user_id', 'kind']).execute();
  expect(events.filter(({ kind }) => kind === 'item.stored')).toHaveLength(40);
  expect(await t.deps.db.selectFrom('storage_intents').selectAll().execute()).toEqual([]);
  // One mark per item covers its location too.
  expect(await t.deps.db.selectFrom('media_rollup_marks').selectAll().execute()).toHaveLength(40);
  // What is answered is what is stored.
  for (const item of items) expect(await findItem(t.deps.db, item.id)).toEqual(item);
});

test('an upload whose intent was swept, or whose row is refused, fails alone and leaves nothing', async () => {
  const keys = ['outputs/good-1', 'outputs/swept', 'outputs/refused', 'outputs/good-2'];
  await Promise.all(keys.map(begin));
  await markIntent(t.deps.db, { store: 'local', key: 'outputs/swept' });
  const outcomes = await Promise.allSettled([
    store('outputs/good-1'),
    store('outputs/swept'),
    store('outputs/refused', { size: 'x'.repeat(100) }),
    store('outputs/good-2'),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(outcomes[1]).toMatchObject({ reason: { name: 'IntentLost' } });
  expect(outcomes[2]).toMatchObject({ reason: { code: '22001' } });
  const rows = await t.deps.db
    .selectFrom('generated_images')
    .select('user_id')
    .where(
      'user_id',
      'in',
      keys.map((key) => `user of ${key}`),
    )
    .execute();
  expect(rows.map((row) => row.user_id).toSorted()).toEqual(['user of outputs/good-1', 'user of outputs/good-2']);
  const left = await t.deps.db.selectFrom('storage_intents').select('key').execute();
  expect(left.map(({ key }) => key).toSorted()).toEqual(['outputs/refused', 'outputs/swept']);
});
