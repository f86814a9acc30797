import { downloadRow } from './download.ts';
import { type RecordServers, fillRecords, listRow, lookupRow } from './records.ts';
import type { Row } from './report.ts';
import { startNginx } from './servers.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';
import { startBoth, stopBoth, uploadRow } from './upload.ts';

/** Measurements that have not begun by then are skipped. */
const SECONDS = 85;

/** A first look in under two minutes: short turns, noise reported but not repeated. Not precise enough for decisions. */
export async function quickSuite(given: Stage): Promise<Section> {
  const started = performance.now();
  const stage: Stage = { ...given, rounds: 3, seconds: 0.8, repeats: 0 };
  const both = await startBoth(stage);
  const nginx = await startNginx(stage, both.mediakeep.files);
  const servers = { ...both, nginx };
  let filled: Promise<RecordServers> | undefined;
  const records = () => (filled ??= fillRecords(stage, both));
  const work: [string, () => Promise<Row>][] = [
    ['upload 100 KB', () => uploadRow(stage, both, '100 KB')],
    ['download 100 KB, hot', () => downloadRow(stage, servers, '100 KB', 20, 'download 100 KB, hot')],
    ['look up one item', async () => lookupRow(stage, await records())],
    ['list 100 items', async () => listRow(stage, await records())],
    ['upload 1 MB', () => uploadRow(stage, both, '1 MB')],
    ['download 1 MB', () => downloadRow(stage, servers, '1 MB', 40, 'download 1 MB')],
  ];
  const rows: Row[] = [];
  for (const [name, row] of work) {
    if (performance.now() - started < SECONDS * 1000) rows.push(await row());
    else stage.log(`${name}: left out, the time is over`);
  }
  await nginx?.stop();
  await stopBoth(both);
  return { title: 'A first look', about: 'Short turns on whatever else the machine does.', rows };
}
