import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { openDatabase } from '../src/db/database.ts';
import { migrate } from '../src/db/schema/migrator.ts';
import { catchUpRollups, resetRollups, rollupsAreBehind } from '../src/db/search/rollups.ts';
import { searchColumns } from '../src/domain/items/search-columns.ts';
import { WORDS_VERSION } from '../src/domain/words/split.ts';
import type { JsonObject } from '../src/json/json.ts';
import { openBenchServer } from './bench-server.ts';

// Fills a database with rows of a realistic distribution, the same every time. Without DATABASE_URL: a separate embedded
// PostgreSQL, which is kept for `node bench/growth.ts --keep`.
//   node bench/seed-rows.ts [--rows 1000000]

/** Values that the rows contain, for queries. */
export const SPREAD = {
  users: 20_000,
  tools: 30,
  tags: { common: 'tag-001', middling: 'tag-020', rare: 'tag-200', single: 'auction' },
  metadata: {
    common: { channel: 'web' },
    middling: { reviewed: true },
    rare: { batch: 3 },
  },
  /** Some of the prompts' words, by frequency. */
  words: { common: 'portrait', middling: 'volumetric', rare: 'obsidian', single: 'kelpie' },
  /** Beginnings of words, by how many words and rows they match. */
  beginnings: { common: 'por*', middling: 'volu*', rare: 'obsid*', single: 'kelp*' },
  /** Of scripts without spaces: in one row of ten. A single character is the beginning of many pairs. */
  unspaced: {
    common: '人像',
    middling: '体积光',
    rare: '黑曜石',
    character: '光',
    japanese: 'ポートレート',
    thai: 'ภาพเหมือน',
  },
  biggestUser: 'user-1',
  middlingUser: 'user-100',
};

const BATCH = 20_000;

/** The most frequent words of prompts, the most frequent first; others are made of syllables. */
const WORDS = `a of with in the and portrait light detailed background style dark soft woman city night forest blue red
  cinematic mountain sunset cat dog river studio photo painting digital art watercolor oil ancient castle dragon space
  robot flower garden street rain snow ocean wave golden hour dramatic lighting high resolution sharp focus bokeh film
  grain wide angle close up face eyes smile warrior knight samurai neon cyberpunk vintage retro minimal abstract
  pattern texture marble wooden glass metal volumetric fog mist morning summer winter autumn spring bird horse wolf
  tiger ship train car house tower bridge temple market desert island valley obsidian`.split(/\s+/);
/** Words of scripts without spaces, the most frequent first; others are made of frequent characters. */
const UNSPACED_WORDS =
  `人像 光 ポートレート ภาพเหมือน 女孩 夜景 猫 城市 森の中 桜 ทะเล 水彩画 山 雪 龙 机器人 花园 街道 雨 金色 电影感 高清 细节 夕焼け 東京
  แมว ดอกไม้ 油画 古城 太空 战士 武士 霓虹 赛博朋克 复古 体积光 雾 早晨 夏天 冬 秋 春 鸟 马 狼 虎 船 火车 塔 桥 寺 市场 沙漠 岛 谷 黑曜石`.split(
    /\s+/,
  );
const SYLLABLES =
  'ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo zu bra cle dri flo gru pha spe stri tro vel'.split(' ');

const PIECES = 50_000;

const literal = (words: readonly string[]) => `ARRAY[${words.map((word) => `'${word}'`).join(',')}]`;

/**
 * Deterministic functions of `n` and a purpose: a number from 0 to 1, and a Zipf rank from 1 to `size`, slightly flattened at the
 * top.
 */
const FUNCTIONS = `
  CREATE OR REPLACE FUNCTION pg_temp.chance(n bigint, purpose bigint) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT (hashint8extended(n, purpose) & 1073741823)::float8 / 1073741824 $$;
  CREATE OR REPLACE FUNCTION pg_temp.zipf(chance float8, size int, flat float8) RETURNS int LANGUAGE sql IMMUTABLE AS
    $$ SELECT least(size, 1 + floor((flat + 1) * power((size + flat + 1) / (flat + 1), chance) - flat - 1))::int $$;
  CREATE OR REPLACE FUNCTION pg_temp.word(rank int) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN rank <= ${WORDS.length} THEN (${literal(WORDS)})[rank]
      ELSE (${literal(SYLLABLES)})[1 + rank % ${SYLLABLES.length}] || (${literal(SYLLABLES)})[1 + rank / ${SYLLABLES.length} % ${SYLLABLES.length}]
        || (${literal(SYLLABLES)})[1 + rank / ${SYLLABLES.length ** 2} % ${SYLLABLES.length}] END $$;
  -- Prompts are put together from pieces of four words: looking up a piece is quicker than making its words.
  CREATE TEMP TABLE pieces AS SELECT piece, (SELECT string_agg(pg_temp.word(pg_temp.zipf(pg_temp.chance(piece, 100 + i), 20000, 2)), ' ')
    FROM generate_series(1, 4) AS i) AS words FROM generate_series(0, ${PIECES - 1}) AS piece;
  ALTER TABLE pieces ADD PRIMARY KEY (piece);
  CREATE OR REPLACE FUNCTION pg_temp.unspaced(rank int) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN rank <= ${UNSPACED_WORDS.length} THEN (${literal(UNSPACED_WORDS)})[rank]
      ELSE chr(19968 + rank) || chr(19968 + rank * 7 % 3000) END $$;
  CREATE TEMP TABLE unspaced_pieces AS SELECT piece, (SELECT string_agg(pg_temp.unspaced(pg_temp.zipf(pg_temp.chance(piece, 200 + i), 5000, 2)), '')
    FROM generate_series(1, 4) AS i) AS words FROM generate_series(0, ${PIECES - 1}) AS piece;
  ALTER TABLE unspaced_pieces ADD PRIMARY KEY (piece);
  ANALYZE pieces;
  ANALYZE unspaced_pieces;`;

const COLUMNS = `id, user_id, tool_name, model, provider, prompt, storage_url, storage_provider, media_type,
    mime_type, bytes, sha256, width, height, tags, status, error, metadata, generation, original_url, job_id, run_id,
    project_id, scene_id, version, filename, created_at, deleted_at`;

const items = (from: number, to: number, rows: number) => `
  TRUNCATE made_items;
  INSERT INTO made_items (${COLUMNS})
  SELECT n, 'user-' || u, tool, model, provider, prompt,
    CASE WHEN stored THEN 'http://media.test/uploads/outputs/' || n ELSE '' END, CASE WHEN stored THEN store END, media_type, mime_type,
    CASE WHEN stored THEN (20000 + 3000000 * pow(pg_temp.chance(n, 1), 3))::bigint END,
    CASE WHEN stored THEN md5(n::text) || md5((-n)::text) END, 1024, 1024, tags, status, CASE WHEN status = 'failed' THEN 'The provider refused the prompt.' END,
    jsonb_build_object('channel', (ARRAY['web','web','web','app','api'])[1 + (pg_temp.chance(n, 2) * 5)::int % 5], 'batch', n / 100,
      'campaign', 'c-' || pg_temp.zipf(pg_temp.chance(n, 3), 2000, 2), 'rating', n % 5) || CASE WHEN pg_temp.chance(n, 4) < 0.01 THEN '{"reviewed":true}' ELSE '{}' END::jsonb,
    CASE WHEN n % 2 = 0 THEN jsonb_build_object('seed', hashint8(n), 'steps', 20 + n % 30, 'sampler', 'sampler-' || pg_temp.zipf(pg_temp.chance(n, 5), 20, 0), 'cfgScale', 7) END,
    CASE WHEN n % 3 = 0 THEN 'https://provider.test/out/' || n END,
    CASE WHEN n % 2 = 0 THEN 'job-' || n / 4 END, CASE WHEN n / 20 % 3 = 0 THEN 'run-' || n / 20 END,
    CASE WHEN n % 20 = 7 THEN md5((n / 8000)::text)::uuid END, CASE WHEN n % 20 = 7 THEN 'scene_' || n / 400 % 20 END,
    CASE WHEN n % 20 = 7 THEN 1 + n / 20 % 20 END, 'image-' || n || '.png',
    '2026-01-01'::timestamptz + (n::float8 / ${rows} * 365 - pg_temp.chance(n, 6) / 8) * interval '1 day',
    CASE WHEN n % 200 = 9 THEN '2026-12-31'::timestamptz END
  FROM (
    SELECT n, pg_temp.zipf(pg_temp.chance(n, 7), ${SPREAD.users}, 2) AS u, 'tool-' || pg_temp.zipf(pg_temp.chance(n, 8), ${SPREAD.tools}, 0) AS tool,
      'model-' || pg_temp.zipf(pg_temp.chance(n, 9), 60, 1) AS model, (ARRAY['fal','openai','replicate','comfyui','runpod'])[pg_temp.zipf(pg_temp.chance(n, 10), 5, 0)] AS provider,
      CASE WHEN pg_temp.chance(n, 11) < 0.02 THEN 'failed' WHEN n % 5000 = 2 THEN 'pending' ELSE 'success' END AS status,
      pg_temp.chance(n, 11) >= 0.02 AND n % 5000 <> 2 AS stored,
      CASE WHEN n % 2000 = 3 THEN 'model' WHEN n % 300 = 5 THEN 'audio' WHEN n % 100 = 6 THEN 'video' ELSE 'image' END AS media_type,
      CASE WHEN n % 2000 = 3 THEN 'model/gltf-binary' WHEN n % 300 = 5 THEN 'audio/mpeg' WHEN n % 100 = 6 THEN 'video/mp4'
        WHEN n % 4 = 0 THEN 'image/jpeg' ELSE 'image/png' END AS mime_type,
      CASE WHEN n % 1000 = 8 THEN 'archive' ELSE 'local' END AS store,
      ARRAY(SELECT DISTINCT 'tag-' || lpad(pg_temp.zipf(pg_temp.chance(n, 20 + i), 200, 0)::text, 3, '0') FROM generate_series(1, n % 5) AS i)
        || CASE WHEN n % 40009 = 77 THEN ARRAY['${SPREAD.tags.single}'] ELSE '{}' END AS tags,
      CASE WHEN n % 10 = 4
        THEN (SELECT string_agg(words, '，') FROM generate_series(1, 2 + n % 7) AS i JOIN unspaced_pieces ON piece = (pg_temp.chance(n, 100 + i) * ${PIECES - 1})::int)
        ELSE (SELECT string_agg(words, ' ') FROM generate_series(1, 2 + n % 7) AS i JOIN pieces ON piece = (pg_temp.chance(n, 100 + i) * ${PIECES - 1})::int) END
        || CASE WHEN n % 40009 = 99 THEN ' ${SPREAD.words.single}' ELSE '' END AS prompt
    FROM generate_series(${from}::bigint, ${to}::bigint) AS n
  ) AS made`;

/** The rows that were made, with the words that the service would have split from them. */
async function addItems(client: pg.Client): Promise<void> {
  const { rows } = await client.query<MadeItem>(
    'SELECT id, prompt, model, tool_name, filename, tags, generation FROM made_items',
  );
  const words = rows.map(({ prompt, model, tool_name: toolName, filename, tags, generation }) =>
    searchColumns({ prompt, model, toolName, filename, tags, generation: generation ?? undefined }),
  );
  await client.query(
    `INSERT INTO generated_images (${COLUMNS}, search_words, search_version)
      SELECT ${COLUMNS}, words::tsvector, ${WORDS_VERSION}
      FROM made_items JOIN unnest($1::bigint[], $2::text[]) AS split (id, words) USING (id)`,
    [rows.map(({ id }) => id), words.map((each) => each.search_words)],
  );
}

interface MadeItem {
  id: string;
  prompt: string;
  model: string;
  tool_name: string;
  filename: string;
  tags: string[];
  generation: JsonObject | null;
}

/** Rows of other tables that belong to the items. */
const beside = (rows: number): readonly (readonly [name: string, statement: string])[] => [
  [
    'locations',
    `INSERT INTO media_locations (media_id, store, key, bytes, sha256)
      SELECT id, storage_provider, 'outputs/' || user_id || '/' || id || '.png', bytes, sha256 FROM generated_images WHERE storage_provider IS NOT NULL`,
  ],
  [
    'pending copies',
    `INSERT INTO media_locations (media_id, store, key, bytes, state, purpose, next_attempt_at)
      SELECT id, 's3', 'outputs/' || id, bytes, 'pending', 'mirror', now() FROM generated_images WHERE id % 5000 = 1 AND bytes IS NOT NULL`,
  ],
  [
    'jobs',
    `INSERT INTO generation_jobs (provider, job_id, user_id, status, poll_at)
      SELECT DISTINCT ON (job_id) 'comfyui', job_id, user_id, CASE WHEN id % 5000 = 2 THEN 'running' ELSE 'succeeded' END, CASE WHEN id % 5000 = 2 THEN now() END
      FROM generated_images WHERE job_id IS NOT NULL ORDER BY job_id, id`,
  ],
  [
    'outputs of jobs',
    `INSERT INTO job_outputs (provider, job_id, identity, media_id)
      SELECT 'comfyui', job_id, 'name:' || filename, id FROM generated_images WHERE job_id IS NOT NULL`,
  ],
  [
    'runs',
    `INSERT INTO runs (id, user_id, input_text, store, revision, written_revision, due_at)
      SELECT run_id, min(user_id), 'input', 'local', 1, 1, CASE WHEN min(id) % 6000 < 20 THEN now() END FROM generated_images WHERE run_id IS NOT NULL GROUP BY run_id`,
  ],
  [
    'scenes',
    `INSERT INTO scenes (project_id, scene_id, owner, last_version, current_item_id)
      SELECT project_id, scene_id, min(user_id), max(version), max(id) FROM generated_images WHERE project_id IS NOT NULL GROUP BY 1, 2`,
  ],
  [
    'fetches',
    `INSERT INTO fetches (media_id, sources, expires_at, gave_up_at)
      SELECT id, '[]', now() + make_interval(secs => 3600), CASE WHEN status = 'failed' THEN now() END
      FROM generated_images WHERE status = 'pending' OR (status = 'failed' AND id % 50 = 2)`,
  ],
  [
    'intents',
    `INSERT INTO storage_intents (store, key, leased_until) SELECT 'local', 'outputs/intent-' || n, now() + make_interval(secs => n - 100) FROM generate_series(1, 500) AS n`,
  ],
  [
    'events',
    `INSERT INTO media_events (position, kind, user_id, media_id, made_at)
      SELECT row_number() OVER (ORDER BY id), 'item.stored', user_id, id, created_at FROM generated_images WHERE id > ${rows - rows / 10}`,
  ],
  ['log of events', `UPDATE media_event_log SET last_position = (SELECT coalesce(max(position), 0) FROM media_events)`],
  ['ids', `SELECT setval(pg_get_serial_sequence('generated_images', 'id'), ${rows})`],
];

/**
 * All indexes but those of constraints: rows are inserted several times faster without, and GIN indexes are better built than
 * grown.
 */
const INDEXES = `
  SELECT indexname AS name, indexdef AS definition FROM pg_indexes
  WHERE schemaname = current_schema() AND tablename IN ('generated_images', 'media_locations', 'job_outputs')
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = to_regclass(quote_ident(indexname)))`;

export interface SeedOptions {
  rows: number;
  onProgress?: (message: string) => void;
}

/** Migrates an empty database and fills it; returns the seconds of each part. */
export async function seedRows(
  connectionString: string,
  { rows, onProgress = () => {} }: SeedOptions,
): Promise<Record<string, number>> {
  const took: Record<string, number> = {};
  const timed = async (name: string, work: () => Promise<unknown>) => {
    const started = performance.now();
    await work();
    took[name] = (performance.now() - started) / 1000;
    onProgress(`${name}: ${took[name].toFixed(1)} s`);
  };
  await migrate(connectionString);
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(`SET maintenance_work_mem = '512MB'; SET synchronous_commit = off; SET jit = off; ${FUNCTIONS}
      CREATE TEMP TABLE made_items (LIKE generated_images INCLUDING DEFAULTS);`);
    const { rows: indexes } = await client.query<{ name: string; definition: string }>(INDEXES);
    for (const { name } of indexes) await client.query(`DROP INDEX "${name}"`);
    for (const table of ['generated_images', 'media_locations'])
      await client.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
    await timed('items', async () => {
      for (let from = 1; from <= rows; from += BATCH) {
        await client.query(items(from, Math.min(rows, from + BATCH - 1), rows));
        await addItems(client);
        if (from % (10 * BATCH) === 1 && from > 1) onProgress(`${from - 1} items`);
      }
    });
    for (const [name, statement] of beside(rows)) await timed(name, () => client.query(statement));
    for (const table of ['generated_images', 'media_locations'])
      await client.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
    await timed('indexes', async () => {
      for (const { definition } of indexes) await client.query(definition);
    });
    await timed('vacuum', () => client.query('VACUUM ANALYZE'));
  } finally {
    await client.end();
  }
  const database = openDatabase({ connectionString, poolMax: 2, statementTimeoutMs: 0 });
  try {
    await timed('roll-ups', async () => {
      await resetRollups(database.db);
      while (await rollupsAreBehind(database.db)) await catchUpRollups(database.db, BATCH);
    });
    await timed('vacuum of roll-ups', () =>
      database.pool.query(
        'VACUUM ANALYZE media_rollup_counts, media_rollup_items, media_rollup_scopes, media_rollup_marks',
      ),
    );
  } finally {
    await database.close();
  }
  return took;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } });
  const rows = Number(values.rows);
  const server = await openBenchServer();
  try {
    await seedRows(await server.createDatabase(`rows_${rows}`), {
      rows,
      onProgress: (message) => void process.stderr.write(`${message}\n`),
    });
  } finally {
    await server.close();
  }
}
