import type { ChosenS3 } from './chosen-s3.ts';
import { startContainer } from './container.ts';
import { startRadosGateway } from './radosgw.ts';
import { TEST_KEYS, startS3Server } from './server.ts';

/**
 * The best available S3 server, unless TEST_S3=strict asks for the last of these: TEST_S3_ENDPOINT, MinIO in a container, an
 * installed RADOS gateway, else the strict one of this repository. An unavailable one is skipped, with the reason if there is
 * one.
 */
export async function chooseS3(env: Readonly<Record<string, string | undefined>>): Promise<ChosenS3> {
  const told = (message: string) => void process.stdout.write(`${message}\n`);
  const chosen =
    (env['TEST_S3'] === 'strict' ? await strictServer() : undefined) ??
    givenServer(env) ??
    (await startContainer(told)) ??
    (await startRadosGateway(told)) ??
    (await strictServer());
  const names = {
    given: 'TEST_S3_ENDPOINT',
    minio: 'MinIO in a container',
    radosgw: 'radosgw',
    strict: 'the strict in-process server',
  };
  told(`S3 for tests: ${names[chosen.s3.kind]}`);
  return chosen;
}

function givenServer(env: Readonly<Record<string, string | undefined>>): ChosenS3 | undefined {
  const endpoint = env['TEST_S3_ENDPOINT'];
  if (endpoint === undefined || endpoint === '') return undefined;
  const s3 = {
    kind: 'given' as const,
    endpoint,
    accessKeyId: env['TEST_S3_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: env['TEST_S3_SECRET_ACCESS_KEY'] ?? '',
    region: env['TEST_S3_REGION'] ?? 'us-east-1',
    bucket: env['TEST_S3_BUCKET'],
  };
  return { s3, stop: async () => {} };
}

async function strictServer(): Promise<ChosenS3> {
  const server = await startS3Server();
  const s3 = {
    kind: 'strict' as const,
    endpoint: server.endpoint,
    ...TEST_KEYS,
    region: 'us-east-1',
    bucket: undefined,
  };
  return { s3, stop: () => server.close() };
}
