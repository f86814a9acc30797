import { SETTINGS } from '../src/config/settings.ts';
import { clearFiles, fill } from './items.ts';
import { BYTES, type Size, type Target } from './jobs.ts';
import { type Contender, measure, prepare } from './measure.ts';
import { type Row, ratioOf } from './report.ts';
import { type Server, startNginx } from './servers.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';
import { startBoth, stopBoth } from './upload.ts';
import { WANTED } from './wanted.ts';

export interface DownloadServers {
  mediakeep: Server;
  yardstick: Server;
  nginx: Server | undefined;
}

const MIB = 1024 ** 2;
/** The reference server without its static route, which lists the folder for each request. */
const BY_NAME = 'yardstick, by name';

/** Files of the cold set: four times the service's default cache; 256 MiB if it has none. */
function coldFiles(): number {
  const settings = Object.entries(SETTINGS.properties as Record<string, { default?: unknown }>);
  const cache = settings.find(([name]) => /CACHE.*BYTES|BYTES.*CACHE/.test(name))?.[1].default;
  return Math.ceil((4 * (typeof cache === 'number' ? cache : 64 * MIB)) / BYTES['100 KB']);
}

export async function downloadSuite(stage: Stage): Promise<Section> {
  const both = await startBoth(stage);
  const nginx = await startNginx(stage, both.mediakeep.files);
  const servers = { ...both, nginx };
  const cold = coldFiles();
  const rows = [
    await downloadRow(stage, servers, '100 KB', 20, 'download 100 KB, hot'),
    await downloadRow(stage, servers, '100 KB', cold, 'download 100 KB, cold'),
    await downloadRow(stage, servers, '1 MB', 60, 'download 1 MB'),
    await downloadRow(stage, servers, '50 MB', 8, 'download 50 MB'),
  ];
  await nginx?.stop();
  await stopBoth(servers);
  const about =
    'Private items with a token, checked on every request, at concurrency 8; each answer has the right length, and the right SHA-256 ' +
    `before the measuring. Hot: 20 files; cold: ${cold} files, each once before any comes again (all of them in the page cache of the ` +
    'system). The yardstick and nginx check no token; nginx reads the same folder as mediakeep. The static route of the yardstick lists ' +
    'its folder, which holds only the files of the row, for each request; `yardstick, by name` is the same server without that.';
  return { title: 'Downloads', about, rows };
}

export async function downloadRow(
  stage: Stage,
  { mediakeep, yardstick, nginx }: DownloadServers,
  size: Size,
  files: number,
  work: string,
): Promise<Row> {
  stage.log(`${work} …`);
  const contender = async (server: Server, targets: readonly Target[]): Promise<Contender> => {
    await prepare(stage, server, { kind: 'get', targets, digest: true }, { maxRequests: targets.length });
    return { name: server.name, servers: [server], work: { kind: 'get', targets } };
  };
  const kept = await fill(stage, mediakeep, size, files);
  await clearFiles(yardstick.files);
  const listed = await fill(stage, yardstick, size, files);
  const byName = listed.map((target) => ({ ...target, path: target.path.replace('/file/', '/named/') }));
  const contenders = [
    await contender(mediakeep, kept),
    await contender(yardstick, listed),
    await contender({ ...yardstick, name: BY_NAME }, byName),
  ];
  const plain = kept.map((target) => ({ ...target, path: `/${target.file}` }));
  if (nginx) contenders.push(await contender(nginx, plain));
  const measured = await measure(stage, work, contenders, { concurrency: 8 });
  const unit = { unit: size === '50 MB' ? 'MB/s' : 'req/s' } as const;
  const ratios = [
    ...ratioOf(measured, unit, 'mediakeep', 'yardstick', WANTED[work]),
    ...ratioOf(measured, unit, 'mediakeep', BY_NAME),
  ];
  return { work, ...unit, measured, ratios };
}
