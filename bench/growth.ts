import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createSigner } from 'fast-jwt';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { Pool } from 'undici';
import { type Database, type Db, openDatabase } from '../src/db/database.ts';
import type { Position } from '../src/db/search/item-filter.ts';
import { freePort } from '../src/db/embedded/free-port.ts';
import { type BenchServer, openBenchServer } from './bench-server.ts';
import { type Case, type Landmarks, casesOf } from './growth-cases.ts';
import { markdown } from './report.ts';
import { SPREAD, seedRows } from './seed-rows.ts';

// How listings, searches, totals and queues scale as the tables grow: time of a single call, and pages read.
//   node bench/growth.ts [--rows 1000,100000,1000000] [--ms 1500] [--keep]
// Databases of earlier runs are reused; without --keep they are removed at the end. Prints Markdown.

export interface GrowthOptions {
  /** Items in each database. */
  rows?: readonly number[];
  /** Maximum milliseconds per figure. */
  ms?: number;
  /** Keep the databases for the next run. */
  keep?: boolean;
  onProgress?: (message: string) => void;
}

interface Figure {
  p50: number;
  p99: number;
  calls: number;
}

const MAX_CALLS = 300;
const SECRET = randomBytes(32).toString('hex');
const CHECKOUT = fileURLToPath(new URL('../', import.meta.url));

/** Fills missing databases, measures everything, and returns Markdown: a table of database calls, and one of requests. */
export async function growth({
  rows = [1000, 100_000, 1_000_000],
  ms = 1500,
  keep = false,
  onProgress = () => {},
}: GrowthOptions = {}): Promise<string> {
  const server = await openBenchServer();
  try {
    const addresses: string[] = [];
    for (const count of rows) addresses.push(await filled(server, count, onProgress));
    const tables: Map<string, (Figure & { buffers: number })[]> = new Map();
    for (const address of addresses) {
      onProgress(`queries: ${address.split('/').at(-1) ?? ''}`);
      for (const [name, figure] of await measureQueries(address, ms))
        tables.set(name, [...(tables.get(name) ?? []), figure]);
    }
    onProgress('requests');
    const requests = await measureRequests(addresses, ms);
    return [queryTable(rows, tables), ...requestTables(rows, requests)].join('\n\n');
  } finally {
    await (keep ? server.close() : server.remove());
  }
}

async function filled(server: BenchServer, rows: number, onProgress: (message: string) => void): Promise<string> {
  const name = `rows_${rows}`;
  const found = await server.findDatabase(name);
  if (found !== undefined) return found;
  const address = await server.createDatabase(name);
  await seedRows(address, { rows, onProgress: (message) => onProgress(`${rows} rows: ${message}`) });
  return address;
}

/** Repeats a call until the time is over or there are enough; the first calls, which fill caches, do not count. */
async function timed(ms: number, call: () => Promise<unknown>): Promise<Figure> {
  const times: number[] = [];
  const end = performance.now() + ms;
  for (let warm = 0; warm < 3; warm += 1) await call();
  while (times.length < 5 || (times.length < MAX_CALLS && performance.now() < end)) {
    const started = performance.now();
    await call();
    times.push(performance.now() - started);
  }
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), calls: sorted.length };
}

class RolledBack extends Error {}

async function undone(db: Db, work: (db: Db) => Promise<unknown>): Promise<void> {
  await db
    .transaction()
    .execute(async (trx) => {
      await work(trx);
      throw new RolledBack();
    })
    .catch((error: unknown) => {
      if (!(error instanceof RolledBack)) throw error;
    });
}

async function measureQueries(address: string, ms: number): Promise<[string, Figure & { buffers: number }][]> {
  const database = openDatabase({ connectionString: address, poolMax: 2, statementTimeoutMs: 60_000 });
  try {
    const figures: [string, Figure & { buffers: number }][] = [];
    for (const one of casesOf(await landmarks(database.db))) {
      const figure = await timed(ms, () =>
        one.kind === 'reads' ? one.work(database.db) : undone(database.db, one.work),
      );
      figures.push([`${one.group}|${one.name}`, { ...figure, buffers: await buffersOf(database, one) }]);
    }
    return figures;
  } finally {
    await database.close();
  }
}

/** Pages of 8 KiB that the statements of a call read, from PostgreSQL's cache or not. */
async function buffersOf({ pool }: Database, { kind, work }: Case): Promise<number> {
  const seen: { sql: string; parameters: readonly unknown[] }[] = [];
  const db: Db = new Kysely({ dialect: new PostgresDialect({ pool }), log: ({ query }) => void seen.push(query) });
  await (kind === 'reads' ? work(db) : undone(db, work));
  let buffers = 0;
  const client = await pool.connect();
  try {
    await client.query("BEGIN; SET LOCAL work_mem = '32MB'");
    for (const { sql, parameters } of seen.filter((query) => !/^(start|begin|commit|rollback|set)/i.test(query.sql))) {
      const { rows } = await client.query<{ 'QUERY PLAN': { Plan: Record<string, number> }[] }>({
        text: `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sql}`,
        values: [...parameters],
      });
      const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
      buffers += (plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0);
    }
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
  return buffers;
}

async function landmarks(db: Db): Promise<Landmarks> {
  const items = db.selectFrom('generated_images').where('deleted_at', 'is', null);
  const newest = items.orderBy('created_at', 'desc').orderBy('id', 'desc');
  const count = Number((await items.select(sql<string>`count(*)`.as('count')).executeTakeFirstOrThrow()).count);
  const place = async (part: number): Promise<Position> => {
    const row = await newest
      .select(['created_at', 'id'])
      .offset(Math.floor((count * part) / 1000))
      .limit(1)
      .executeTakeFirstOrThrow();
    return { value: row.created_at, id: row.id };
  };
  const deep = { 10: await place(10), 500: await place(500), 990: await place(990) };
  const middle = items
    .where('id', '>=', String(Math.floor(count / 2)))
    .orderBy('id')
    .limit(1);
  const run = await middle.where('run_id', 'is not', null).select(['run_id', 'user_id']).executeTakeFirstOrThrow();
  const scene = await middle
    .where('project_id', 'is not', null)
    .select(['project_id', 'scene_id'])
    .executeTakeFirstOrThrow();
  const job = await middle.where('job_id', 'is not', null).select('job_id').executeTakeFirstOrThrow();
  const seed = await middle
    .where(sql<boolean>`generation IS NOT NULL`)
    .select(sql<string>`generation ->> 'seed'`.as('seed'))
    .executeTakeFirstOrThrow();
  const log = await db.selectFrom('media_event_log').select('last_position').executeTakeFirstOrThrow();
  return {
    run: { id: run.run_id ?? '', userId: run.user_id },
    job: job.job_id ?? '',
    scene: { projectId: scene.project_id ?? '', sceneId: scene.scene_id ?? '' },
    seed: seed.seed,
    deep,
    deepOfUser: deep[500],
    lastEvent: Number(log.last_position),
  };
}

const ROUTES: readonly (readonly [name: string, path: string])[] = [
  ['newest 25 of the biggest user', `/v1/media?limit=25&userId=${SPREAD.biggestUser}`],
  ...(['common', 'middling', 'rare'] as const).flatMap((term) => [
    [`tag, ${term}`, `/v1/media?tag=${SPREAD.tags[term]}`] as const,
    [`metadata, ${term}`, `/v1/media?metadata=${encodeURIComponent(JSON.stringify(SPREAD.metadata[term]))}`] as const,
    [`text, ${term}`, `/v1/media?q=${SPREAD.words[term]}`] as const,
  ]),
  ['stats of all', '/v1/stats'],
  ['stats of the biggest user', `/v1/stats?userId=${SPREAD.biggestUser}`],
  ['tags of all', '/v1/tags'],
];

interface Requests {
  latencies: Map<string, Figure[]>;
  /** Requests per second of the first route with 8 connections, by round and database. */
  rates: number[][];
}

async function measureRequests(addresses: readonly string[], ms: number): Promise<Requests> {
  const services = [];
  const latencies = new Map<string, Figure[]>();
  const rates: number[][] = [];
  try {
    for (const address of addresses) services.push(await startService(address));
    for (const [name, path] of ROUTES)
      for (const service of services)
        latencies.set(name, [...(latencies.get(name) ?? []), await timed(ms, () => service.get(path))]);
    // In turns, so that other load on the machine affects all of them.
    for (let round = 0; round < 3; round += 1) {
      const rate: number[] = [];
      for (const service of services) rate.push(await requestRate(service, ROUTES[0]?.[1] ?? '', 2 * ms));
      rates.push(rate);
    }
  } finally {
    for (const service of services) await service.stop();
  }
  return { latencies, rates };
}

async function requestRate({ get }: { get(path: string): Promise<void> }, path: string, ms: number): Promise<number> {
  let done = 0;
  const end = performance.now() + ms;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (; performance.now() < end; done += 1) await get(path);
    }),
  );
  return (done * 1000) / ms;
}

/** Starts the service on a database, without background work. */
async function startService(address: string): Promise<{ get(path: string): Promise<void>; stop(): Promise<void> }> {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: CHECKOUT,
    env: {
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: address,
      JWT_SECRET: SECRET,
      PORT: String(port),
      DATA_DIR: '/tmp/mediakeep-bench-growth',
      WORKER_CONCURRENCY: '0',
      LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const authorization = `Bearer ${createSigner({ key: SECRET })({ sub: 'bench', scope: 'media:admin', exp: Math.floor(Date.now() / 1000) + 36_000 })}`;
  const pool = new Pool(base, { connections: 8 });
  const status = async (path: string) => {
    const { statusCode, body } = await pool.request({ path, method: 'GET', headers: { authorization } });
    await body.dump({ limit: 64 * 1024 * 1024 });
    return statusCode;
  };
  while ((await status('/health/ready').catch(() => 0)) !== 200) {
    if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    async get(path) {
      const code = await status(path);
      if (code !== 200) throw new Error(`${path} was answered with ${code}`);
    },
    async stop() {
      await pool.close();
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

const count = (value: number) => value.toLocaleString('en-US');
const time = (value: number) => (value < 10 ? value.toFixed(1) : value.toFixed(0));

function queryTable(rows: readonly number[], tables: Map<string, (Figure & { buffers: number })[]>): string {
  const head = [
    'query',
    ...rows.map((size) => `${count(size)} rows: p50 / p99 ms`),
    ...rows.map((size) => `pages at ${count(size)}`),
  ];
  const lines = [...tables].map(([key, figures]) => {
    const [group = '', name = ''] = key.split('|');
    return [
      `${group}: ${name}`,
      ...figures.map(({ p50, p99 }) => `${time(p50)} / ${time(p99)}`),
      ...figures.map(({ buffers }) => count(buffers)),
    ];
  });
  return `### Queries, one at a time\n\n${markdown([head, ...lines])}`;
}

function requestTables(rows: readonly number[], { latencies, rates }: Requests): string[] {
  const head = ['request, one at a time', ...rows.map((size) => `${count(size)} rows: p50 / p99 ms`)];
  const lines = [...latencies].map(([name, figures]) => [
    name,
    ...figures.map(({ p50, p99 }) => `${time(p50)} / ${time(p99)}`),
  ]);
  const [first] = ROUTES;
  const perRound = rates.map((rate, round) => [
    `round ${round + 1}`,
    ...rate.map((value) => value.toFixed(0)),
    ((rate.at(-1) ?? 0) / (rate[0] ?? 1)).toFixed(2),
  ]);
  const headRates = [
    `${first?.[0] ?? ''}, 8 at once`,
    ...rows.map((size) => `${count(size)} rows: requests/s`),
    'last : first',
  ];
  return [
    `### Requests\n\n${markdown([head, ...lines])}`,
    markdown([headRates, ...perRound]),
    `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}.`,
  ];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '1000,100000,1000000' },
      ms: { type: 'string', default: '1500' },
      keep: { type: 'boolean', default: false },
    },
  });
  const text = await growth({
    rows: values.rows.split(',').map(Number),
    ms: Number(values.ms),
    keep: values.keep,
    onProgress: (message) => void process.stderr.write(`${message}\n`),
  });
  process.stdout.write(`${text}\n`);
}
