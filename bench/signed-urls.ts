import { startS3Server, TEST_KEYS } from '../test/support/s3/server.ts';
import { s3Settings } from '../test/support/s3/service.ts';
import { fill } from './items.ts';
import { measure, prepare } from './measure.ts';
import { ratioOf } from './report.ts';
import { startMediakeep } from './servers.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';
import { WANTED } from './wanted.ts';

const IDS = 100;
const BARE = 'getSignedUrl';
const WORK = 'presigned URLs';

/** The batch route against the SDK's own function. Signing contacts no server, so the in-memory one, which has the items, is idle. */
export async function signedUrlsSuite(stage: Stage): Promise<Section> {
  const s3 = await startS3Server();
  stage.atEnd(() => s3.close());
  const { env, bucket } = await s3Settings({ endpoint: s3.endpoint, ...TEST_KEYS });
  const mediakeep = await startMediakeep(stage, { env });
  const items = await fill(stage, mediakeep, '10 KB', IDS);
  stage.log(`${WORK} …`);
  const body = JSON.stringify({ ids: items.map(({ id }) => id), expiresIn: 900 });
  const batch = { kind: 'json', paths: ['/v1/signed-urls'], body, leastBytes: IDS * 200 } as const;
  const { kept } = await prepare(stage, mediakeep, { ...batch, keep: true }, { concurrency: 1, maxRequests: 1 });
  const signed = (JSON.parse(kept[0]?.body ?? '') as { results: { url?: string }[] }).results;
  if (!signed.every(({ url }) => url?.includes('X-Amz-Signature='))) throw new Error('not every URL is presigned');
  const measured = await measure(
    stage,
    WORK,
    [
      { name: 'mediakeep', servers: [mediakeep], work: batch },
      {
        name: BARE,
        servers: [],
        origins: [s3.endpoint],
        work: { kind: 'presign', bucket, keys: items.map(({ file }) => file) },
      },
    ],
    { concurrency: 8 },
  );
  await mediakeep.stop();
  const unit = { unit: 'URLs/s', perRequest: IDS } as const;
  const ratios = ratioOf(measured, unit, 'mediakeep', BARE, WANTED[WORK]);
  const about =
    `\`POST /v1/signed-urls\` with ${IDS} ids at concurrency 8, items of an S3 store; beside it, in the column of the yardstick, ` +
    '`getSignedUrl` of the AWS SDK in a loop in one process, without any server.';
  return { title: 'Presigned URLs', about, rows: [{ work: WORK, ...unit, measured, ratios }] };
}
