import { type Uploaded, fill } from './items.ts';
import { type Contender, measure, prepare } from './measure.ts';
import { type Row, ratioOf } from './report.ts';
import { type Server, USER } from './servers.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';
import { startBoth, stopBoth } from './upload.ts';
import { WANTED } from './wanted.ts';

/** Items of one user on both servers. */
const ITEMS = 1000;
const CONCURRENCY = 32;

export interface RecordServers {
  mediakeep: Server;
  yardstick: Server;
  items: { mediakeep: readonly Uploaded[]; yardstick: readonly Uploaded[] };
}

/** Gives both servers the same number of items. */
export async function fillRecords(
  stage: Stage,
  { mediakeep, yardstick }: Pick<RecordServers, 'mediakeep' | 'yardstick'>,
): Promise<RecordServers> {
  const items = {
    mediakeep: await fill(stage, mediakeep, '10 KB', ITEMS),
    yardstick: await fill(stage, yardstick, '10 KB', ITEMS),
  };
  return { mediakeep, yardstick, items };
}

export async function lookupSuite(stage: Stage): Promise<Section> {
  const both = await startBoth(stage);
  const rows = [await lookupRow(stage, await fillRecords(stage, both))];
  await stopBoth(both);
  const about =
    `Records of ${ITEMS} items, one after the other, at concurrency ${CONCURRENCY}. The yardstick: a SELECT of the whole row by its id, ` +
    'without a token.';
  return { title: 'Looking up one item', about, rows };
}

export async function listSuite(stage: Stage): Promise<Section> {
  const both = await startBoth(stage);
  const rows = [await listRow(stage, await fillRecords(stage, both))];
  await stopBoth(both);
  const about =
    `The newest 100 of ${ITEMS} items of one user at concurrency ${CONCURRENCY}. The yardstick: a SELECT of 100 whole rows, ` +
    'without a token.';
  return { title: 'Listing 100 items', about, rows };
}

export async function lookupRow(stage: Stage, { mediakeep, yardstick, items }: RecordServers): Promise<Row> {
  const paths = {
    mediakeep: items.mediakeep.map(({ id }) => `/v1/media/${id}`),
    yardstick: items.yardstick.map(({ id }) => `/row/${id}`),
  };
  return recordRow(stage, 'look up one item', { mediakeep, yardstick }, paths, 300);
}

export async function listRow(stage: Stage, { mediakeep, yardstick }: RecordServers): Promise<Row> {
  const paths = { mediakeep: [`/v1/media?userId=${USER}&limit=100`], yardstick: ['/list'] };
  for (const server of [mediakeep, yardstick] as const) {
    const [path = ''] = server === mediakeep ? paths.mediakeep : paths.yardstick;
    const work = { kind: 'json', paths: [path], leastBytes: 1, keep: true } as const;
    const { kept } = await prepare(stage, server, work, { concurrency: 1, maxRequests: 1 });
    const answer = JSON.parse(kept[0]?.body ?? '[]') as unknown[] | { items: unknown[] };
    const found = Array.isArray(answer) ? answer.length : answer.items.length;
    if (found !== 100) throw new Error(`${server.name} lists ${found} items in place of 100`);
  }
  return recordRow(stage, 'list 100 items', { mediakeep, yardstick }, paths, 100 * 300);
}

async function recordRow(
  stage: Stage,
  work: string,
  { mediakeep, yardstick }: Pick<RecordServers, 'mediakeep' | 'yardstick'>,
  paths: { mediakeep: readonly string[]; yardstick: readonly string[] },
  leastBytes: number,
): Promise<Row> {
  stage.log(`${work} …`);
  const contenders: Contender[] = [
    { name: 'mediakeep', servers: [mediakeep], work: { kind: 'json', paths: paths.mediakeep, leastBytes } },
    { name: 'yardstick', servers: [yardstick], work: { kind: 'json', paths: paths.yardstick, leastBytes } },
  ];
  const measured = await measure(stage, work, contenders, { concurrency: CONCURRENCY });
  const unit = { unit: 'req/s' } as const;
  return { work, ...unit, measured, ratios: ratioOf(measured, unit, 'mediakeep', 'yardstick', WANTED[work]) };
}
