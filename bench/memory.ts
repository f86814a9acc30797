import { setTimeout as sleep } from 'node:timers/promises';
import { s3Settings } from '../test/support/s3/service.ts';
import { startRadosGateway } from '../test/support/s3/radosgw.ts';
import { fill } from './items.ts';
import type { Outcome, Target, Work } from './jobs.ts';
import { figure, markdown } from './report.ts';
import { type Server, TOKEN, USER, startMediakeep } from './servers.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';
import { watchMemory } from './usage.ts';

const MIB = 1024 ** 2;
const WANTED_MIB = 64;
const WANTED_SLOW_MIB = 200;
const SLOW = 200;
/** Enough to run every code path once, too little to fill what a large one fills. */
const WARM_UP_BYTES = 8 * MIB;
/** Lets garbage be freed before the baseline is read. */
const SETTLE_MS = 1000;

/** How much streaming bytes increases the service's resident memory. */
export async function memorySuite(stage: Stage): Promise<Section> {
  const lines: string[][] = [];
  // A fetch from the load process may take as long as it needs.
  const fetches = { FETCH_TRUSTED_HOSTS: '127.0.0.1', FETCH_TIMEOUT_SECONDS: '3600' };
  const local = await startMediakeep(stage, { name: 'mediakeep-local', env: fetches });
  await hugeFiles(stage, local, 'local', lines);
  await local.stop();
  const fresh = await startMediakeep(stage, { name: 'mediakeep-slow' });
  await slowOnes(stage, fresh, lines);
  await fresh.stop();
  const gateway = await startRadosGateway(stage.log);
  if (gateway) {
    stage.atEnd(() => gateway.stop());
    const { env } = await s3Settings(gateway.s3);
    // Otherwise the bytes of a download would bypass the service.
    const s3 = await startMediakeep(stage, { name: 'mediakeep-s3', env: { ...env, ...fetches, DELIVERY: 'proxy' } });
    await hugeFiles(stage, s3, 'S3', lines);
    await s3.stop();
    await gateway.stop();
  } else {
    stage.log('S3: left out, radosgw is not installed or does not start');
  }
  const size = figure(stage.hugeBytes / MIB);
  return {
    title: 'Memory',
    about:
      `Resident memory of the service above its level before, sampled every 50 ms, for one file of ${size} MiB at a time after smaller ` +
      `ones of ${WARM_UP_BYTES / MIB} MiB, and for ${SLOW} slow readers and ${SLOW} slow writers at once. S3 is radosgw on this machine, with \`DELIVERY=proxy\`.`,
    text: markdown([['what', 'store', 'before', 'peak', 'moved by', 'wanted', 'reached', 'MB/s', 'errors'], ...lines]),
  };
}

async function hugeFiles(stage: Stage, server: Server, store: string, lines: string[][]): Promise<void> {
  const size = `${figure(stage.hugeBytes / MIB)} MiB`;
  const forms = ['raw', 'multipart', 'url'] as const;
  const upload = (form: (typeof forms)[number], bytes: number): Work => ({
    kind: 'huge',
    form,
    bytes,
    path: `/v1/media?userId=${USER}`,
  });
  for (const form of forms) {
    await remove(server, await once(stage, server, upload(form, WARM_UP_BYTES)));
    const watched = await watchedRun(stage, server, upload(form, stage.hugeBytes));
    lines.push(line(stage, `upload of ${size}, ${form === 'url' ? 'URL' : form}`, store, watched, WANTED_MIB));
    // The last one stays for the download.
    if (form !== 'url') await remove(server, watched.outcome);
    else await hugeDownload(stage, server, store, watched.outcome, lines);
  }
}

async function hugeDownload(
  stage: Stage,
  server: Server,
  store: string,
  uploaded: Outcome,
  lines: string[][],
): Promise<void> {
  const small = await once(stage, server, {
    kind: 'huge',
    form: 'raw',
    bytes: WARM_UP_BYTES,
    path: `/v1/media?userId=${USER}`,
  });
  await once(stage, server, { kind: 'get', targets: targets(small), digest: true });
  const watched = await watchedRun(stage, server, { kind: 'get', targets: targets(uploaded), digest: true });
  lines.push(line(stage, `download of ${figure(stage.hugeBytes / MIB)} MiB`, store, watched, WANTED_MIB));
  await remove(server, small);
  await remove(server, uploaded);
}

async function slowOnes(stage: Stage, server: Server, lines: string[][]): Promise<void> {
  const files = await fill(stage, server, '50 MB', 10);
  const slow = (clients: number, seconds: number): Work => ({
    kind: 'slow',
    readers: clients,
    writers: clients,
    targets: files,
    path: `/v1/media?userId=${USER}`,
    seconds,
    bytesPerTick: 32 * 1024,
  });
  await once(stage, server, slow(8, 2));
  const watched = await watchedRun(stage, server, slow(SLOW, 20));
  lines.push(line(stage, `${SLOW} slow readers and ${SLOW} slow writers`, 'local', watched, WANTED_SLOW_MIB));
}

interface Watched {
  outcome: Outcome;
  before: number;
  peak: number;
}

async function watchedRun(stage: Stage, server: Server, work: Work): Promise<Watched> {
  await sleep(SETTLE_MS);
  const memory = watchMemory([server.pid], 50);
  const outcome = await once(stage, server, work);
  return { outcome, ...memory() };
}

function once(stage: Stage, server: Server, work: Work): Promise<Outcome> {
  return stage.load.run({
    work,
    origins: [server.origin],
    token: TOKEN,
    concurrency: 1,
    maxRequests: 1,
    maxSeconds: 3600,
  });
}

function targets({ kept }: Outcome): Target[] {
  return kept.map(({ body, bytes, sha256 }) => ({
    path: `/v1/media/${(JSON.parse(body) as { id: string }).id}/content`,
    bytes,
    sha256,
  }));
}

async function remove(server: Server, { kept, errors }: Outcome): Promise<void> {
  const [problem] = Object.keys(errors);
  if (problem !== undefined) throw new Error(`${server.name}: ${problem}`);
  for (const { body } of kept) {
    const { id } = JSON.parse(body) as { id: string };
    const answer = await fetch(`${server.origin}/v1/media/${id}?purge=true`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    if (answer.status !== 204) throw new Error(`${server.name}: purge answered ${answer.status}`);
  }
}

function line(stage: Stage, what: string, store: string, { outcome, before, peak }: Watched, wanted: number): string[] {
  const moved = peak - before;
  const errors = Object.entries(outcome.errors).map(([told, times]) => `${times} × ${told}`);
  const cells = [
    what,
    store,
    `${figure(before)} MiB`,
    `${figure(peak)} MiB`,
    `${figure(moved)} MiB`,
    `< ${wanted} MiB`,
    moved < wanted && errors.length === 0 ? 'yes' : 'NO',
    figure(outcome.bytes / 1e6 / outcome.seconds),
    errors.length === 0 ? '0' : errors.join('; '),
  ];
  stage.log(cells.join(' · '));
  return cells;
}
