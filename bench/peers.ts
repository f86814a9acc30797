import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { startRadosGateway } from '../test/support/s3/radosgw.ts';
import { fill, uploadWork } from './items.ts';
import type { Work } from './jobs.ts';
import { type Contender, measure } from './measure.ts';
import { type Row, ratioOf } from './report.ts';
import { type Server, startMediakeep } from './servers.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';

const CEPH = 'Ceph gateway';
const RAW = 'mediakeep, raw';
const BUCKET = 'bench';
/** URLs are signed before the measurement; each key is written a few times at most. */
const KEYS = 4000;
const HOT_FILES = 20;
const ABOUT =
  "Ceph's RADOS gateway from Debian (`apt-get install radosgw ceph-mon ceph-osd ceph-common`) with one monitor and one disk in memory: it writes nothing " +
  'durably, where mediakeep syncs each file, its folder and its rows. URLs are presigned before the measurement, and the gateway checks them. ' +
  "Look up: a record with its locations beside the gateway's HEAD of an object.";

/** Measures mediakeep beside Ceph's gateway. Left out where that is not installed or this is not root. */
export async function peersSuite(stage: Stage): Promise<Section> {
  const title = "Beside Ceph's gateway";
  const gateway = await startRadosGateway((reason) => stage.log(reason));
  if (!gateway) return { title, about: 'Not measured: radosgw and ceph must be installed, and run as root.' };
  stage.atEnd(() => gateway.stop());
  const mediakeep = await startMediakeep(stage);
  const { endpoint, region, accessKeyId, secretAccessKey } = gateway.s3;
  const { server: pid = -1, storage: database } = gateway.pids ?? {};
  const ceph: Server = { name: CEPH, origin: endpoint, pid, database, files: '', stop: () => gateway.stop() };
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const keys = Array.from({ length: KEYS }, (_, n) => `outputs/bench/${n}.png`);
  const hot = keys.slice(0, HOT_FILES);
  const signed = (keysOf: readonly string[], command: (Key: string) => PutObjectCommand) =>
    Promise.all(
      keysOf.map(async (Key) => {
        const url = new URL(await getSignedUrl(client, command(Key), { expiresIn: 3600 }));
        return url.pathname + url.search;
      }),
    );
  const at = (Key: string) => ({ Bucket: BUCKET, Key });
  const rows = [
    await upload(stage, mediakeep, ceph, await signed(keys, (key) => new PutObjectCommand(at(key)))),
    await download(stage, mediakeep, ceph, await signed(hot, (key) => new GetObjectCommand(at(key)))),
    await lookUp(stage, mediakeep, ceph, await signed(hot, (key) => new HeadObjectCommand(at(key)))),
  ];
  client.destroy();
  await mediakeep.stop();
  return { title, about: ABOUT, rows };
}

const contender = (name: string, server: Server, work: Work): Contender => ({ name, servers: [server], work });

async function upload(stage: Stage, mediakeep: Server, ceph: Server, paths: readonly string[]): Promise<Row> {
  const work = 'upload 100 KB beside Ceph';
  stage.log(`${work} …`);
  const measured = await measure(
    stage,
    work,
    [
      contender('mediakeep', mediakeep, uploadWork(mediakeep, '100 KB', 'multipart')),
      contender(CEPH, ceph, { kind: 'put', paths, size: '100 KB' }),
      contender(RAW, mediakeep, uploadWork(mediakeep, '100 KB', 'raw')),
    ],
    { concurrency: 8 },
  );
  return rowOf(work, measured, ['mediakeep', RAW]);
}

async function download(stage: Stage, mediakeep: Server, ceph: Server, paths: readonly string[]): Promise<Row> {
  const work = 'download 100 KB beside Ceph';
  stage.log(`${work} …`);
  const items = await fill(stage, mediakeep, '100 KB', HOT_FILES);
  const measured = await measure(
    stage,
    work,
    [
      contender('mediakeep', mediakeep, { kind: 'get', targets: items }),
      // Their lengths are those of whichever body was sent last.
      contender(CEPH, ceph, { kind: 'open', method: 'GET', paths, leastBytes: 90_000 }),
    ],
    { concurrency: 8 },
  );
  return rowOf(work, measured, ['mediakeep']);
}

async function lookUp(stage: Stage, mediakeep: Server, ceph: Server, paths: readonly string[]): Promise<Row> {
  const work = 'look up one item beside Ceph';
  stage.log(`${work} …`);
  const items = await fill(stage, mediakeep, '10 KB', HOT_FILES);
  const measured = await measure(
    stage,
    work,
    [
      contender('mediakeep', mediakeep, {
        kind: 'json',
        paths: items.map(({ id }) => `/v1/media/${id}`),
        leastBytes: 300,
      }),
      contender(CEPH, ceph, { kind: 'open', method: 'HEAD', paths, leastBytes: 0 }),
    ],
    { concurrency: 32 },
  );
  return rowOf(work, measured, ['mediakeep']);
}

function rowOf(work: string, measured: Row['measured'], names: readonly string[]): Row {
  const unit = { unit: 'req/s' } as const;
  return { work, ...unit, measured, ratios: names.flatMap((name) => ratioOf(measured, unit, name, CEPH)) };
}
