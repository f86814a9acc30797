import { Kysely, PostgresDialect, sql } from 'kysely';
import { tsqueryOf } from '../../../src/domain/words/query.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forgetEvents, numberEvents, readEvents, usersOfEvents } from '../../../src/db/events.ts';
import { takeFetch } from '../../../src/db/jobs/fetches.ts';
import { newestByExternalId, nthOfRun, ownersOfName } from '../../../src/db/items/item-names.ts';
import { findJobOutputs } from '../../../src/db/jobs/job-outputs.ts';
import { listJobs } from '../../../src/db/jobs/list-jobs.ts';
import { listRuns } from '../../../src/db/runs/list-runs.ts';
import { listParked, parkedIdsFor } from '../../../src/db/jobs/parked-deliveries.ts';
import { isKnownDelivery, removeExpiredDeliveries } from '../../../src/db/jobs/webhook-deliveries.ts';
import { secondsToNextPending, takePendingLocations } from '../../../src/db/objects/locations.ts';
import { findItemByFormerKey, findItemWithLocations, findStoredItemByKey } from '../../../src/db/items/items.ts';
import { takePoll } from '../../../src/db/jobs/job-polls.ts';
import { mediaOfRunIds, hasRecord, runItems } from '../../../src/db/runs/run-outputs.ts';
import { secondsToNextDueRun, takeDueRuns } from '../../../src/db/runs/runs.ts';
import { nextTransfers } from '../../../src/db/search/transfers.ts';
import { type Database, type Db, openDatabase } from '../../../src/db/database.ts';
import type { ItemFilter } from '../../../src/db/search/item-filter.ts';
import { listItemIds } from '../../../src/db/search/offset-list.ts';
import { type PageRequest, pageQuery, readFound, searchItems } from '../../../src/db/search/search.ts';
import { findDeliveredItem } from '../../../src/db/items/delivery-row.ts';
import { catchUpRollups, rollupsAreBehind } from '../../../src/db/search/rollups.ts';
import { readStats, readTagCounts } from '../../../src/db/search/stats.ts';
import { itemByAnyId, mediaOfRun } from '../../../src/domain/delivery/named-item.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';

const ROWS = 200_000;
const PAGE = 50;

let database: TestDatabase;
let open: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  open = openDatabase({ connectionString: database.connectionString, poolMax: 2, statementTimeoutMs: 0 });
  // A thousand users, 40 tools, runs and jobs of ten, 2 % failures, tags and metadata of various frequencies.
  await sql`
    INSERT INTO generated_images (user_id, visibility, provider, media_type, tool_name, prompt, search_words, search_version, model, storage_url, storage_provider, mime_type, bytes, sha256, tags, status, metadata, generation, run_id, job_id, project_id, scene_id, version, created_at)
    SELECT 'user-' || n % 1000, CASE WHEN n % 5000 = 7 THEN 'public' ELSE 'private' END, CASE WHEN n % 300 = 7 THEN 'fal' WHEN n % 3 = 0 THEN 'openai' END, CASE WHEN n % 10000 = 7 THEN 'audio' ELSE 'image' END, 'tool-' || n % 40, 'prompt', to_tsvector('simple', 'a ' || (ARRAY['red','blue','green'])[1 + n % 3] || ' fox number ' || n || ' word' || n % 5000), 1, 'model-' || n % 25,
      'http://media.test/uploads/' || n, 'local', CASE WHEN n % 10000 = 7 THEN 'audio/mpeg' ELSE 'image/png' END, 100000 + n, md5(n::text) || md5((n + 1)::text),
      ARRAY['all', 'tag-' || n % 500, 'kind-' || n % 20], CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'success' END,
      jsonb_build_object('campaign', 'c-' || n % 2000, 'seed', n),
      CASE WHEN n % 2 = 0 THEN jsonb_build_object('seed', n / 4, 'sampler', 'sampler-' || n % 20) END, 'run-' || n / 10, 'job-' || n / 10,
      CASE WHEN n % 10 = 0 THEN md5((n / 1000)::text)::uuid END, CASE WHEN n % 10 = 0 THEN 'scene_' || n % 50 END, CASE WHEN n % 10 = 0 THEN n END,
      now() - make_interval(secs => n)
    FROM generate_series(1, ${sql.lit(ROWS)}) AS n`.execute(open.db);
  await sql`INSERT INTO media_locations (media_id, store, key, bytes) SELECT id, 'local', 'outputs/' || id, bytes FROM generated_images`.execute(
    open.db,
  );
  await sql`INSERT INTO media_locations (media_id, store, key, bytes) SELECT id, 'archive', 'outputs/' || id, bytes FROM generated_images WHERE id % 10000 = 0`.execute(
    open.db,
  );
  await sql`INSERT INTO media_locations (media_id, store, key, bytes, state, next_attempt_at) SELECT id, 's3', 'outputs/' || id, bytes, 'pending', now() FROM generated_images WHERE id % 100 = 1`.execute(
    open.db,
  );
  await sql`INSERT INTO generated_images (user_id, prompt, storage_url, external_id, run_id, created_at) SELECT 'collector', 'prompt', '', 'often', 'often', now() - interval '10 years' FROM generate_series(1, 5000)`.execute(
    open.db,
  );
  await sql`INSERT INTO scenes (project_id, scene_id, owner, last_version) SELECT project_id, scene_id, min(user_id), max(version) FROM generated_images WHERE project_id IS NOT NULL GROUP BY 1, 2`.execute(
    open.db,
  );
  await sql`INSERT INTO media_events (position, kind, user_id, media_id, made_at) SELECT n, 'item.stored', 'user-' || n % 1000, n, now() FROM generate_series(1, ${sql.lit(ROWS)}) AS n`.execute(
    open.db,
  );
  await sql`INSERT INTO media_event_outbox (kind, user_id) SELECT 'item.stored', 'user-' || n % 1000 FROM generate_series(1, 50000) AS n`.execute(
    open.db,
  );
  await sql`UPDATE media_event_log SET last_position = ${sql.lit(ROWS)}`.execute(open.db);
  await sql`VACUUM ANALYZE media_events`.execute(open.db);
  await sql`VACUUM ANALYZE media_event_outbox`.execute(open.db);
  await sql`VACUUM ANALYZE scenes`.execute(open.db);
  await sql`INSERT INTO runs (id, user_id, input_text, store, due_at, created_at, completed_at) SELECT 'run-' || n, 'user-' || n % 1000, 'text', 'local', CASE WHEN n % 200 = 0 THEN now() END, now() - make_interval(secs => n), CASE WHEN n % 400 <> 0 THEN now() END FROM generate_series(1, 20000) AS n`.execute(
    open.db,
  );
  await sql`INSERT INTO generation_jobs (provider, job_id, user_id, poll_at, created_at, status) SELECT CASE WHEN n % 400 = 7 THEN 'fal' ELSE 'comfyui' END, 'job-' || n, 'user-' || n % 100, CASE WHEN n % 200 = 0 THEN now() END, now() - make_interval(secs => n), CASE WHEN n % 400 = 9 THEN 'failed' ELSE 'succeeded' END FROM generate_series(1, 20000) AS n`.execute(
    open.db,
  );
  await sql`INSERT INTO fetches (media_id, sources, expires_at, next_attempt_at, gave_up_at)
    SELECT id, jsonb_build_array(jsonb_build_object('type', 'delivery', 'deliveryId', id::text, 'output', 0, 'place', 0)), now() + make_interval(secs => id::int),
      now() + make_interval(secs => (id % 7200)::int - 60), CASE WHEN id % 3 = 0 THEN now() END FROM generated_images WHERE id % 4 = 0`.execute(
    open.db,
  );
  await sql`INSERT INTO webhook_deliveries (provider, delivery_key, job_id, state, body, expires_at)
    SELECT 'runpod', 'key-' || n, 'job-' || n, CASE WHEN n % 100 = 0 THEN 'parked' ELSE 'done' END, '\\x7b7d', now() + make_interval(secs => n - 100)
    FROM generate_series(1, 50000) AS n`.execute(open.db);
  await sql`INSERT INTO job_outputs (provider, job_id, identity, media_id) SELECT 'comfyui', 'job-' || id / 10, 'name:' || id, id FROM generated_images`.execute(
    open.db,
  );
  for (const table of ['fetches', 'webhook_deliveries', 'job_outputs'])
    await sql`VACUUM ANALYZE ${sql.table(table)}`.execute(open.db);
  await sql`VACUUM ANALYZE generation_jobs`.execute(open.db);
  await sql`VACUUM ANALYZE runs`.execute(open.db);
  // VACUUM sets the visibility map and merges the pending lists of the GIN indexes, as autovacuum does on a live server.
  await sql`VACUUM ANALYZE generated_images`.execute(open.db);
  await sql`VACUUM ANALYZE media_locations`.execute(open.db);
  while (await rollupsAreBehind(open.db)) await catchUpRollups(open.db, 20_000);
  await sql`VACUUM ANALYZE media_rollup_marks, media_rollup_counts, media_rollup_scopes, media_rollup_items`.execute(
    open.db,
  );
}, 240_000);

afterAll(async () => {
  await open.close();
  await database.drop();
});

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
}

interface Explained {
  buffers: number;
  rows: number;
  scannedTables: string[];
}

const explain = (request: PageRequest) => explainQuery(pageQuery(open.db, request).compile());

async function explainQuery(compiled: { sql: string; parameters: readonly unknown[] }): Promise<Explained> {
  const { rows } = await open.pool.query<{ 'QUERY PLAN': { Plan: PlanNode & { 'Actual Rows': number } }[] }>({
    text: `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${compiled.sql}`,
    values: [...compiled.parameters],
  });
  const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
  if (!plan) throw new Error('no plan');
  const nodes = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodes)];
  return {
    buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
    rows: plan['Actual Rows'],
    scannedTables: nodes(plan)
      .filter((node) => node['Node Type'] === 'Seq Scan')
      .map((node) => node['Relation Name'] ?? ''),
  };
}

const deep = { value: new Date(Date.now() - 150_000_000).toISOString(), id: '150000' };
const at = (filter: ItemFilter, more: Partial<PageRequest> = {}): PageRequest => ({
  filter,
  order: 'desc',
  limit: PAGE + 1,
  ...more,
});

/** Maximum buffers (8 KiB pages) of one page of a listing: its rows, their keys (4 each), and the descent into the indexes. */
const LISTING = 500;
const shapes: readonly (readonly [name: string, request: PageRequest, maxBuffers: number, rows: number])[] = [
  ['newest of all', at({}), LISTING, 51],
  ['newest of a user', at({ userId: 'user-7' }), LISTING, 51],
  ['newest of a tool', at({ toolName: 'tool-7' }), LISTING, 51],
  ['newest of a tool, in another case', at({ toolName: 'TOOL-7' }), LISTING, 51],
  ['a tool that nothing bears', at({ toolName: 'none' }), LISTING, 0],
  ['the few public items', at({ visibility: 'public' }), LISTING, 40],
  ['private items', at({ visibility: 'private' }), LISTING, 51],
  ['newest of a run', at({ runId: 'run-7' }), LISTING, 10],
  ['newest of a job', at({ jobId: 'job-7' }), LISTING, 10],
  ['what a job has put out', at({ ofJob: { provider: 'comfyui', jobId: 'job-7' } }), LISTING, 10],
  ['versions of a scene', at({ projectId: 'c4ca4238-a0b9-2382-0dcc-509a6f75849b', sceneId: 'scene_10' }), LISTING, 20],
  ['failures', at({ failed: true }), LISTING, 51],
  ['a provider', at({ provider: 'fal' }), LISTING, 51],
  ['a provider that nobody has', at({ provider: 'none' }), LISTING, 0],
  ['a rare media type', at({ mediaType: 'audio' }), LISTING, 20],
  ['a rare MIME type', at({ mimeType: 'audio/mpeg' }), LISTING, 20],
  ['a seed', at({ seed: '777' }), LISTING, 2],
  ['a sampler', at({ sampler: 'sampler-8' }), LISTING, 51],
  ['a sampler, behind a deep cursor', at({ sampler: 'sampler-8' }, { after: deep }), LISTING, 51],
  ['a seed of a user', at({ userId: 'user-108', seed: '777' }), LISTING, 1],
  ['a sampler, in another case', at({ sampler: 'SAMPLER-8' }), LISTING, 51],
  ['a model', at({ model: 'model-7' }), LISTING, 51],
  ['a model, in another case', at({ model: 'Model-7' }), LISTING, 51],
  ['a provider, in another case', at({ provider: 'FAL' }), LISTING, 51],
  ['deep cursor', at({}, { after: deep }), LISTING, 51],
  ['failures of a user', at({ userId: 'user-50', failed: true }), 1000, 51],
];

test.each(shapes)('%s uses an index, within its buffers', async (_name, request, maxBuffers, rows) => {
  const plan = await explain(request);
  expect(plan.scannedTables).toEqual([]);
  expect(plan.buffers).toBeLessThanOrEqual(maxBuffers);
  expect(plan.rows).toBe(rows);
});

/** Limits for all statements of a search: a walk of 200 or 2,000 rows, then the windows. Common or rare, early or late. */
const searches: readonly (readonly [name: string, filter: ItemFilter, rows: number])[] = [
  ['one tag', { tags: ['tag-7'] }, 51],
  ['two tags', { tags: ['tag-7', 'kind-7'] }, 51],
  ['a tag that nothing bears', { tags: ['none'] }, 0],
  ['a tag that every item bears', { tags: ['all'] }, 51],
  ['any of two tags', { tags: ['tag-7', 'kind-7'], tagMode: 'any' }, 51],
  ['a tag of a user', { userId: 'user-7', tags: ['all'] }, 51],
  ['a rare tag of a user', { userId: 'user-7', tags: ['tag-7', 'kind-7'] }, 51],
  ['metadata, a rare value', { metadata: { campaign: 'c-7' } }, 51],
  // Many items have the value, under another key.
  ['metadata, one item', { metadata: { seed: 19_999 } }, 1],
  ['metadata, the oldest items', { metadata: { seed: ROWS } }, 1],
  ['text, rare', { words: tsqueryOf('word7 fox') }, 40],
  ['text, common', { words: tsqueryOf('red fox') }, 51],
  ['text, one item, the oldest', { words: tsqueryOf(`number ${ROWS}`) }, 1],
  ['text that is nowhere', { words: tsqueryOf('nowhere') }, 0],
  ['text of a user', { words: tsqueryOf('fox'), userId: 'user-7' }, 51],
  ['a rare text of a user', { words: tsqueryOf('word7'), userId: 'user-7' }, 40],
  ['text and tag', { words: tsqueryOf('word7'), tags: ['kind-7'] }, 40],
];

test.each(searches)('%s: every statement of the search stays within its buffers', async (_name, filter, rows) => {
  for (const after of [undefined, deep]) {
    const request = at(filter, { after, limit: PAGE });
    const { found, more } = await searchItems(open.db, request);
    if (!after) expect(found.length + Number(more)).toBe(rows);
    let buffers = 0;
    for (const statement of await statementsOf((db) => searchItems(db, request))) {
      const plan = await explainQuery(statement);
      expect(plan.scannedTables).toEqual([]);
      buffers += plan.buffers;
    }
    expect(buffers).toBeLessThanOrEqual(2500);
  }
});

test('a name that one user has given to thousands of items costs a stranger a few pages, and no large column is read', async () => {
  const anonymous = { type: 'anonymous' } as const;
  for (const work of [
    (db: Db) => itemByAnyId({ db }, anonymous, { id: 'often' }),
    (db: Db) => itemByAnyId({ db }, anonymous, { id: 'often', userId: 'collector' }),
    (db: Db) => mediaOfRun({ db }, anonymous, { runId: 'often', mediaType: 'image', n: 1000 }),
  ]) {
    const statements = await statementsOf((db) => expect(work(db)).rejects.toMatchObject({ code: 'token_missing' }));
    expect(statements.length).toBeGreaterThan(0);
    for (const statement of statements) {
      expect(statement.sql).not.toMatch(/metadata|provider_response|"generation"|prompt|input_text|\*/);
      const plan = await explainQuery(statement);
      expect(plan.scannedTables.filter((table) => table !== 'runs')).toEqual([]);
      // All are private, so each is checked for being public.
      expect(plan.buffers).toBeLessThanOrEqual(2000);
    }
  }
});

test('a late page reads only its window, as the first one does', async () => {
  const middle = { value: new Date(Date.now() - ROWS * 500).toISOString(), id: String(ROWS / 2) };
  const windows = async (after?: PageRequest['after']) => {
    const request = at({ tags: ['tag-7'] }, { after, limit: 10 });
    const statements = await statementsOf((db) => searchItems(db, request));
    const plans = statements.filter(({ sql }) => sql.includes("interval '0'")).map(explainQuery);
    return (await Promise.all(plans)).reduce((sum, { buffers }) => sum + buffers, 0);
  };
  const first = await windows();
  expect(first).toBeGreaterThan(0);
  expect(await windows(middle)).toBeLessThanOrEqual(2 * first);
});

/** The statements that a repository function runs, without those that only begin or end a transaction. */
async function statementsOf(
  work: (db: Db) => Promise<unknown>,
): Promise<{ sql: string; parameters: readonly unknown[] }[]> {
  const seen: { sql: string; parameters: readonly unknown[] }[] = [];
  const db: Db = new Kysely({
    dialect: new PostgresDialect({ pool: open.pool }),
    log: ({ query }) => void seen.push(query),
  });
  await work(db);
  return seen.filter(({ sql }) => !/^(start|begin|commit|set)/i.test(sql));
}

async function statementOf(
  work: (db: Db) => Promise<unknown>,
): Promise<{ sql: string; parameters: readonly unknown[] }> {
  const [statement] = await statementsOf(work);
  if (!statement) throw new Error('no statement');
  return statement;
}

const STORES = ['local', 's3', 'database', 'archive', 'github'];
const AFTER = String(ROWS / 2);
const NEAR_END = ROWS - 50;
const eventShapes: readonly (readonly [name: string, work: (db: Db) => Promise<unknown>, maxBuffers: number])[] = [
  ['events of all', (db) => readEvents(db, { after: 1000, userId: undefined, limit: 100 }), 60],
  ['events of a user', (db) => readEvents(db, { after: 1000, userId: 'user-7', limit: 100 }), 250],
  ['events of a user who has none', (db) => readEvents(db, { after: 1000, userId: 'nobody', limit: 100 }), 20],
  ['events of a user, new ones', (db) => readEvents(db, { after: NEAR_END, userId: 'user-7', limit: 100 }), 20],
  ['whom new events are about', (db) => usersOfEvents(db, NEAR_END), 60],
  // Writes count too: the old row, the new row, and two index entries for each.
  ['the next events to number', (db) => numberEvents(db, 100), 3000],
  ['the events to forget', (db) => forgetEvents(db, 3600, 100), 60],
];

const storeShapes: readonly (readonly [name: string, work: (db: Db) => Promise<unknown>, maxBuffers: number])[] = [
  [
    'what a page has found',
    (db) =>
      readFound(
        db,
        Array.from({ length: 100 }, (_none, n) => ({ id: String(n * 997 + 1) })),
      ),
    1500,
  ],
  ['an item to be delivered', (db) => findDeliveredItem(db, '777'), 20],
  ['an item with its locations', (db) => findItemWithLocations(db, '777', undefined), 20],
  ['the item of a permanent URL', (db) => findStoredItemByKey(db, 'local', 'outputs/777'), 60],
  ['the item of a permanent URL that was moved', (db) => findItemByFormerKey(db, 'outputs/777'), 60],
  ['the next copies to make', (db) => takePendingLocations(db, STORES, 4), 400],
  ['when the next copy is due', (db) => secondsToNextPending(db), 60],
  [
    'items to move out of a store that holds all',
    (db) => nextTransfers(db, { from: 'local', to: 's3', filter: {} }, AFTER, 200),
    3000,
  ],
  [
    'items to move out of a store that holds few',
    (db) => nextTransfers(db, { from: 'archive', to: 's3', filter: {} }, '0', 200),
    3000,
  ],
  [
    'the items of a run',
    (db) => runItems(db, { id: 'run-77', userId: 'user-777' }, { limit: 100, deleted: true }),
    100,
  ],
  [
    'a failure of a run that is known already',
    (db) =>
      hasRecord(db, {
        runId: 'run-77',
        userId: 'user-777',
        createdAt: undefined,
        status: 'failed',
        error: undefined,
        storageUrl: undefined,
      }),
    60,
  ],
  ['the fetch that dies first', (db) => takeFetch(db, { atHand: false }), 500],
  ['the fetch of one item', (db) => takeFetch(db, { mediaId: '400' }), 40],
  ['by what the outputs of a job are known', (db) => findJobOutputs(db, { provider: 'comfyui', jobId: 'job-77' }), 40],
  ['a delivery that came before', (db) => isKnownDelivery(db, 'runpod', 'key-77'), 20],
  [
    'what was parked for a job',
    (db) => parkedIdsFor(db, { provider: 'runpod', jobId: 'job-700', userId: 'user-7' }, 1000),
    20,
  ],
  ['a page of what is parked', (db) => listParked(db, { limit: 50 }), 300],
  ['a deep page of what is parked', (db) => listParked(db, { after: '25000', limit: 50 }), 300],
  ['deliveries whose time is over', (db) => removeExpiredDeliveries(db, 50), 2000],
  [
    'an image by the id that it had',
    (db) => newestByExternalId(db, 'old-77', { userId: 'user-7', publicOnly: true }),
    20,
  ],
  ['whose an id of an older system is', (db) => ownersOfName(db, 'external_id', 'old-77'), 20],
  [
    'an id of an older system that one user has given to thousands',
    (db) => ownersOfName(db, 'external_id', 'often'),
    20,
  ],
  ['whose the label of a run is', (db) => ownersOfName(db, 'run_id', 'run-77'), 20],
  [
    'an output of a run',
    (db) => nthOfRun(db, { runId: 'run-77', userId: 'user-777', mediaType: 'image', n: 1, publicOnly: false }),
    60,
  ],
  ['what bears the id of a run', (db) => mediaOfRunIds(db, { runId: 'run-77', limit: 1000 }), 100],
  ['images by offset', (db) => listItemIds(db, { limit: 50, offset: 100 }), 1500],
  ['images of a user by offset', (db) => listItemIds(db, { userId: 'user-7', limit: 50, offset: 50 }), 1500],
  ['runs whose files are due', (db) => takeDueRuns(db, 10), 400],
  ['the next prompt to ask about', (db) => takePoll(db, 'comfyui'), 60],
  ['when the next files of a run are due', (db) => secondsToNextDueRun(db), 60],
  ['totals of all', (db) => readStats(db, undefined, ['database']), 700],
  ['totals of a user', (db) => readStats(db, 'user-7', ['database']), 200],
  ['tags of all', (db) => readTagCounts(db, undefined, '', 100), 300],
  ['tags of all with a prefix', (db) => readTagCounts(db, undefined, 'tag-49', 100), 300],
  ['tags of a user', (db) => readTagCounts(db, 'user-7', 'tag', 100), 100],
  ['items to mirror', (db) => nextTransfers(db, { to: 's3', filter: {} }, AFTER, 200), 5000],
];

const before = new Date(Date.now() - 10_000_000).toISOString();
const listShapes: readonly (readonly [name: string, work: (db: Db) => Promise<unknown>])[] = [
  ['runs of all', (db) => listRuns(db, { limit: PAGE })],
  ['runs of all, a deep page', (db) => listRuns(db, { limit: PAGE, after: { createdAt: before, id: 'run-1' } })],
  ['runs of a user', (db) => listRuns(db, { userId: 'user-7', limit: PAGE })],
  ['the few open runs', (db) => listRuns(db, { status: 'open', limit: PAGE })],
  ['completed runs', (db) => listRuns(db, { status: 'completed', limit: PAGE })],
  ['jobs of all', (db) => listJobs(db, { limit: PAGE })],
  [
    'jobs of all, a deep page',
    (db) => listJobs(db, { limit: PAGE, after: { createdAt: before, provider: 'comfyui', jobId: 'job-1' } }),
  ],
  ['jobs of a user', (db) => listJobs(db, { userId: 'user-7', limit: PAGE })],
  ['jobs of a rare provider', (db) => listJobs(db, { provider: 'fal', limit: PAGE })],
  ['jobs of a rare status', (db) => listJobs(db, { status: 'failed', limit: PAGE })],
  ['jobs of a status that none has', (db) => listJobs(db, { status: 'running', limit: PAGE })],
];

test.each(listShapes)('a page of %s reads little more than its rows', async (_name, work) => {
  for (const statement of await statementsOf(work)) {
    const plan = await explainQuery(statement);
    expect(plan.scannedTables).toEqual([]);
    expect(plan.buffers).toBeLessThanOrEqual(LISTING);
  }
});

/** Or none, as marks when everything is counted. */
const ONE_ROW = new Set(['media_event_log', 'media_rollup_walk', 'media_rollup_marks']);

test.each([...storeShapes, ...eventShapes])(
  '%s: uses an index, within its buffers',
  async (_name, work, maxBuffers) => {
    const plan = await explainQuery(await statementOf(work));
    expect(plan.scannedTables.filter((table) => !ONE_ROW.has(table))).toEqual([]);
    expect(plan.buffers).toBeLessThanOrEqual(maxBuffers);
  },
);

test('a query without an index is found to scan the table, so the check above can fail', async () => {
  await sql`CREATE TABLE plain AS SELECT id, user_id FROM generated_images LIMIT 10000`.execute(open.db);
  const { rows } = await open.pool.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
    "EXPLAIN (FORMAT JSON) SELECT * FROM plain WHERE user_id = 'x'",
  );
  expect(rows[0]?.['QUERY PLAN'][0]?.Plan['Node Type']).toBe('Seq Scan');
});
