import { availableParallelism } from 'node:os';
import pg from 'pg';
import { clearFiles, fill, itemsOf, uploadWork } from './items.ts';
import type { Kept, Work } from './jobs.ts';
import { type Contender, type Measured, measure } from './measure.ts';
import { type Row, type Table, figure, markdown, median } from './report.ts';
import { type Database, type Server, TOKEN, USER, startDatabase, startMediakeep } from './servers.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';

const PROCESSES = [1, 2, 4];
const CONCURRENCY = 32;

/** The same service in several processes: one database, one folder. All run all the time; the load goes to the first 1, 2 or 4. */
export async function replicasSuite(stage: Stage): Promise<Section> {
  const database = await startDatabase(stage, 'replicas');
  const servers: Server[] = [];
  for (let index = 0; index < Math.max(...PROCESSES); index += 1)
    servers.push(await startMediakeep(stage, { name: `replica-${index + 1}`, database }));
  const [first] = servers;
  if (!first) throw new Error('no process');
  const files = await fill(stage, first, '100 KB', 200);
  const works: [string, Work][] = [
    ['upload 100 KB', { ...uploadWork(first, '100 KB', 'multipart'), keep: true } as Work],
    ['look up one item', { kind: 'json', paths: files.map(({ id }) => `/v1/media/${id}`), leastBytes: 300 }],
    ['download 100 KB', { kind: 'get', targets: files }],
  ];
  const rows: Row[] = [];
  for (const [work, job] of works) {
    stage.log(`${work}, ${PROCESSES.join(', ')} processes …`);
    const measured = await measure(stage, work, contenders(servers, job), { concurrency: CONCURRENCY });
    rows.push({ work, unit: 'req/s', measured, ratios: [] });
  }
  const turns = rows[0]?.measured.flatMap((one) => one.turns) ?? [];
  const acknowledged = turns.flatMap(({ kept }) => kept);
  const correct = await whatIsThere(stage, servers, database, acknowledged);
  for (const server of servers) await server.stop();
  await database.stop();
  await clearFiles(first.files);
  return {
    title: 'Several processes',
    about:
      `1, 2 and 4 processes of the service on one database and one folder, at concurrency ${CONCURRENCY} in all, connections spread evenly; ` +
      'all four run all the time. Background work is on in each.',
    rows,
    text: `${markdown(coresTable(rows))}\n\n${correct}\n\n${firstLimit(rows)}`,
  };
}

function contenders(servers: readonly Server[], work: Work): Contender[] {
  return PROCESSES.map((count) => ({
    name: count === 1 ? '1 process' : `${count} processes`,
    servers: servers.slice(0, count),
    work,
  }));
}

/** Checks that every acknowledged upload is one row and one file, and that every process delivers its bytes. */
async function whatIsThere(
  stage: Stage,
  servers: readonly Server[],
  database: Database,
  acknowledged: readonly Kept[],
): Promise<string> {
  const items = itemsOf('mediakeep', acknowledged);
  const rows = await rowsOf(database);
  const inDatabase = new Map(rows.map(({ id, sha256 }) => [id, sha256]));
  const distinct = new Set(items.map(({ id }) => id)).size;
  const wanted = new Set(items.map(({ sha256 }) => sha256));
  const rowsOfItems = rows.filter(({ sha256 }) => wanted.has(sha256.trim())).length;
  const wrongRows = items.filter(({ id, sha256 }) => inDatabase.get(id)?.trim() !== sha256).length;
  const { requests, errors } = await stage.load.run({
    work: { kind: 'get', targets: items, digest: true },
    origins: servers.map(({ origin }) => origin),
    token: TOKEN,
    concurrency: 8,
    maxRequests: items.length,
    maxSeconds: 600,
  });
  const good =
    distinct === items.length && rowsOfItems === items.length && wrongRows === 0 && requests === items.length;
  const told = `After the load: ${figure(items.length)} uploads acknowledged by 1, 2 and 4 processes, ${figure(distinct)} different ids, ${figure(rowsOfItems)} rows, ${wrongRows} of them with another SHA-256, ${figure(requests)} read back through all four processes with the right SHA-256`;
  const problems = Object.entries(errors).map(([problem, times]) => `${times} × ${problem}`);
  stage.log(`${good ? '' : 'WRONG: '}${told}`);
  return `${good ? '' : '**WRONG** '}${[told, ...problems].join('; ')}.`;
}

async function rowsOf({ url }: Database): Promise<{ id: string; sha256: string }[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string; sha256: string }>(
      'select id::text as id, sha256 from generated_images where user_id = $1 and deleted_at is null',
      [USER],
    );
    return rows;
  } finally {
    await client.end();
  }
}

/** CPU time by part, and the load at which each would saturate one processor. */
function coresTable(rows: readonly Row[]): Table {
  const lines = rows.flatMap(({ work, measured }) =>
    measured.map(({ name, turns }) => {
      const { server, database, client, rate, others } = coresOf({ name, turns });
      return [
        work,
        name,
        `${figure(rate)} req/s`,
        `${server.toFixed(2)} / ${database.toFixed(2)} / ${client.toFixed(2)}`,
        others.toFixed(2),
        figure(rate / server),
        figure(rate / database),
      ];
    }),
  );
  return [
    [
      'work',
      'who',
      'rate',
      'cores used: service / database / client',
      'others',
      'req/s for a core of the service',
      'req/s for a core of the database',
    ],
    ...lines,
  ];
}

function coresOf({ turns }: Measured) {
  const cores = (of: (turn: Measured['turns'][number]) => number) =>
    median(turns.map((turn) => of(turn) / turn.seconds));
  return {
    rate: cores(({ requests }) => requests),
    server: cores(({ server }) => server),
    database: cores(({ database }) => database),
    client: cores(({ client }) => client),
    others: median(turns.map(({ others }) => others)),
  };
}

/** What limits the rate with one process and with the most, as far as CPU time shows. */
function firstLimit(rows: readonly Row[]): string {
  const available = availableParallelism();
  return rows
    .map(({ work, measured }) => {
      const told = [measured[0], measured.at(-1)].flatMap((one) => {
        if (!one) return [];
        const { server, database, client, others } = coresOf(one);
        const all = server + database + client + others;
        const processes = Number.parseInt(one.name, 10);
        let limit = 'waiting (disk, locks, round trips): no processor is full';
        if (all >= 0.85 * available)
          limit = `the machine: ${all.toFixed(2)} of ${available} cores are busy (service ${server.toFixed(2)}, database ${database.toFixed(2)}, client ${client.toFixed(2)}, others ${others.toFixed(2)})`;
        else if (server / processes >= 0.9)
          limit = `the one thread of the service's process: ${server.toFixed(2)} cores of CPU in ${processes}`;
        return [`with ${one.name}, ${limit}`];
      });
      return `- ${work}: ${told.join('; ')}.`;
    })
    .join('\n');
}
