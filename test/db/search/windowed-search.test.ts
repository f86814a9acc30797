import type { JsonObject } from '../../../src/json/json.ts';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import type { Position } from '../../../src/db/search/item-filter.ts';
import { tsqueryOf } from '../../../src/domain/words/query.ts';
import { WORDS_VERSION } from '../../../src/domain/words/split.ts';
import { pageQuery, searchItems } from '../../../src/db/search/search.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';

const ROWS = 9000;

let database: TestDatabase;
let open: Database;
/** Gives rows that SQL has written their words. */
const split = () =>
  sql`UPDATE generated_images SET search_words = to_tsvector('simple', prompt), search_version = ${WORDS_VERSION}
    WHERE search_words IS NULL`.execute(open.db);
beforeAll(async () => {
  database = await createTestDatabase();
  open = openDatabase({ connectionString: database.connectionString, poolMax: 4, statementTimeoutMs: 30_000 });
  // Half of it at a few moments, the rest at varying distances, some without a time; each word in a different period.
  await sql`
    INSERT INTO generated_images (user_id, prompt, storage_url, tool_name, tags, metadata, generation, status, created_at, deleted_at)
    SELECT 'user-' || CASE WHEN n % 3 = 0 THEN 1 ELSE n % 50 END, 'common' || CASE WHEN n % 40 = 0 THEN ' middling' ELSE '' END
        || CASE WHEN n % 1000 = 5 THEN ' rare' ELSE '' END || CASE WHEN n < 300 THEN ' old' ELSE '' END || CASE WHEN n > 8900 THEN ' new' ELSE '' END, '',
      'tool-' || n % 5, ARRAY['t' || n % 7, 'u' || n % 400, CASE WHEN n < 300 THEN 'old' ELSE 'young' END], jsonb_build_object('k', n % 400, 'other', n % 9),
      jsonb_build_object('seed', n % 300, 'sampler', 'sampler ' || n % 11),
      CASE WHEN n % 30 = 0 THEN 'failed' ELSE 'success' END,
      CASE WHEN n % 4000 = 17 THEN 'infinity' WHEN n % 4000 = 18 THEN '-infinity' WHEN n % 2 = 0 THEN '2026-01-01'::timestamptz + n / 500 * interval '1 day'
        ELSE '2026-01-01'::timestamptz + pow(n, 1.5) * interval '3.123457 s' END,
      CASE WHEN n % 100 = 50 THEN now() END
    FROM generate_series(1, ${sql.lit(ROWS)}) AS n`.execute(open.db);
  await split();
  await sql`VACUUM ANALYZE generated_images`.execute(open.db);
});
afterAll(async () => {
  await open.close();
  await database.drop();
});

const filters = fc.record(
  {
    words: fc
      .constantFrom('common', 'middling', 'rare', 'old', 'new', 'none', 'rare or old', '-common', '"common middling"')
      .map(tsqueryOf),
    tags: fc.constantFrom(['t3'], ['u7'], ['old'], ['young'], ['t3', 'u7'], ['none']),
    tagMode: fc.constantFrom('all', 'any'),
    metadata: fc.constantFrom<JsonObject[]>({ k: 7 }, { k: 3, other: 3 }, {}, { none: 1 }),
    userId: fc.constantFrom('user-1', 'user-7', 'nobody'),
    toolName: fc.constantFrom('tool-3', 'TOOL-3'),
    seed: fc.constantFrom('7', '-1'),
    sampler: fc.constantFrom('sampler 3', 'Sampler 3', 'none'),
    visibility: fc.constantFrom('public', 'private'),
    failed: fc.boolean(),
    createdAfter: fc.constantFrom('2026-01-05T00:00:00Z'),
    createdBefore: fc.constantFrom('2026-01-09T00:00:00Z'),
  },
  { requiredKeys: [] },
);

test('a windowed search returns the same pages as one statement over everything', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      filters,
      fc.constantFrom('asc' as const, 'desc' as const),
      fc.integer({ min: 1, max: 60 }),
      fc.boolean(),
      async (filter, order, limit, fromMiddle) => {
        let after: Position | undefined = fromMiddle ? { value: '2026-01-08 00:00:00+00', id: '3900' } : undefined;
        for (let number = 0; number < 4; number += 1) {
          const wanted = await pageQuery(open.db, { filter, order, limit: limit + 1, after }).execute();
          const page = await searchItems(open.db, { filter, order, limit, after });
          expect(page.found.map((item) => item.id)).toEqual(wanted.slice(0, limit).map((row) => row.id));
          expect(page.more).toBe(wanted.length > limit);
          const last = wanted.slice(0, limit).at(-1);
          if (!page.more || !last) break;
          after = { value: last.created_at, id: last.id };
        }
      },
    ),
    { numRuns: 300 },
  );
});

test(
  'paging covers items of a single moment, and items over many years, to the end',
  { timeout: 120_000 },
  async () => {
    const zebras = sql`CASE WHEN n % 100 = 14 THEN 'a zebra' ELSE 'a horse' END`;
    const tags = sql`ARRAY[CASE WHEN n % 100 = 14 THEN 'zebra' ELSE 'horse' END]`;
    const insert = (user: string, rows: number, time: ReturnType<typeof sql>) =>
      sql`INSERT INTO generated_images (user_id, prompt, storage_url, tags, created_at)
      SELECT ${user}, ${zebras}, '', ${tags}, ${time} FROM generate_series(1, ${sql.lit(rows)}) AS n`.execute(open.db);
    await insert('at-once', 1000, sql`'2026-02-03 04:05:06.123456+00'::timestamptz`);
    await insert(
      'in-a-millisecond',
      3000,
      sql`'2026-02-03 04:05:06.123+00'::timestamptz + n % 900 * interval '1 microsecond'`,
    );
    await insert('sparse', 300, sql`now() - n * interval '5 days'`);
    await insert('sparser', 3000, sql`now() - n * interval '20 days'`);
    await split();
    for (const userId of ['at-once', 'in-a-millisecond', 'sparse', 'sparser'])
      for (const order of ['asc', 'desc'] as const)
        for (const asked of [
          { words: tsqueryOf('zebra') },
          { tags: ['zebra'] },
          { words: tsqueryOf('nothing') },
          { tags: ['nothing'] },
        ]) {
          const filter = { userId, ...asked };
          const wanted = await pageQuery(open.db, { filter, order, limit: 1000 }).execute();
          const found: string[] = [];
          let after: Position | undefined;
          for (let page = 0; page <= 12; page += 1) {
            const { found: items, more } = await searchItems(open.db, { filter, order, limit: 3, after });
            found.push(...items.map((item) => item.id));
            const last = items.at(-1);
            if (!more || !last) break;
            after = { value: last.created_at, id: last.id };
          }
          const all = wanted.map((row) => row.id);
          // Of those that have the word, there are some.
          expect(all.length > 0).toBe(!JSON.stringify(asked).includes('nothing'));
          expect(found, `${userId} ${order} ${JSON.stringify(asked)}`).toEqual(all.slice(0, Math.min(all.length, 39)));
        }
  },
);
