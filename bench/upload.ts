import { clearFiles, fill, uploadWork } from './items.ts';
import type { Size, Work } from './jobs.ts';
import { type Contender, measure, prepare } from './measure.ts';
import { type Row, ratioOf } from './report.ts';
import { type Server, startMediakeep, startYardstick } from './servers.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';
import { WANTED } from './wanted.ts';

const RAW = 'mediakeep, raw';

export async function uploadSuite(stage: Stage): Promise<Section> {
  const servers = await startBoth(stage);
  const rows: Row[] = [];
  for (const size of ['100 KB', '1 MB', '50 MB'] as const) rows.push(await uploadRow(stage, servers, size));
  await stopBoth(servers);
  return { title: 'Uploads', about: ABOUT, rows };
}

const ABOUT =
  'PNG and JPEG files, all different, at concurrency 8. The yardstick takes multipart alone; the raw body is compared with that. ' +
  'What a turn has stored is removed before the next, but for the 100 KB files: for minutes, ext4 looks at each file that was removed before it makes one in the same folder.';

export async function startBoth(stage: Stage): Promise<{ mediakeep: Server; yardstick: Server }> {
  return { mediakeep: await startMediakeep(stage), yardstick: await startYardstick(stage) };
}

export async function stopBoth({ mediakeep, yardstick }: { mediakeep: Server; yardstick: Server }): Promise<void> {
  await mediakeep.stop();
  await yardstick.stop();
  await clearFiles(mediakeep.files);
  await clearFiles(yardstick.files);
}

export async function uploadRow(
  stage: Stage,
  { mediakeep, yardstick }: { mediakeep: Server; yardstick: Server },
  size: Size,
): Promise<Row> {
  const work = `upload ${size}`;
  stage.log(`${work} …`);
  for (const server of [mediakeep, yardstick]) await readBack(stage, server, size);
  const contender = (name: string, server: Server, form: 'multipart' | 'raw'): Contender => ({
    name,
    servers: [server],
    work: uploadWork(server, size, form),
    after: async () => {
      if (size !== '100 KB') await clearFiles(server.files);
    },
  });
  const measured = await measure(
    stage,
    work,
    [
      contender('mediakeep', mediakeep, 'multipart'),
      contender('yardstick', yardstick, 'multipart'),
      contender(RAW, mediakeep, 'raw'),
    ],
    size === '50 MB' ? { concurrency: 8, maxRequests: 48, maxSeconds: stage.seconds * 5 } : { concurrency: 8 },
  );
  const unit = { unit: size === '50 MB' ? 'MB/s' : 'req/s' } as const;
  const ratios = [
    ...ratioOf(measured, unit, 'mediakeep', 'yardstick', WANTED[`${work}, multipart`]),
    ...ratioOf(measured, unit, RAW, 'yardstick', WANTED[`${work}, raw`]),
  ];
  return { work, ...unit, measured, ratios };
}

/** Checks, before anything is measured, that uploads are returned unchanged. */
async function readBack(stage: Stage, server: Server, size: Size): Promise<void> {
  const targets = await fill(stage, server, size, size === '50 MB' ? 2 : 16);
  const work: Work = { kind: 'get', targets, digest: true };
  await prepare(stage, server, work, { maxRequests: targets.length });
  await clearFiles(server.files);
}
