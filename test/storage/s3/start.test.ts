import dns from 'node:dns';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { ConfigError, loadConfig } from '../../../src/config/load-config.ts';
import { StorageError } from '../../../src/storage/driver.ts';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { s3Options } from '../../../src/storage/s3/settings.ts';
import { chunked } from '../../support/bodies.ts';
import { createDataFolder } from '../../support/data-folder.ts';
import { createTestDatabase } from '../../support/database/test-database.ts';
import { createDriverContext } from '../../support/storage/driver-context.ts';
import { type TestBucket, createTestBucket } from '../../support/s3/bucket.ts';
import { type S3Server, type S3ServerOptions, TEST_KEYS, startS3Server } from '../../support/s3/server.ts';
import { freePort } from '../../../src/db/embedded/free-port.ts';
import { CHECKOUT, spawnService } from '../../support/service-process.ts';

let server: S3Server;
let bucket: TestBucket;
const opened: S3Server[] = [];

beforeEach(async () => {
  server = await start();
  bucket = await createTestBucket({ endpoint: server.endpoint, ...TEST_KEYS });
});
afterEach(async () => {
  await bucket.close();
  for (const each of opened.splice(0)) await each.close();
});

async function start(options: S3ServerOptions = {}): Promise<S3Server> {
  const made = await startS3Server(options);
  opened.push(made);
  return made;
}

/** The environment of a service whose only store is `s3`; undefined removes a setting. */
const environment = (more: Record<string, string | undefined> = {}) => ({
  STORAGE_PRIMARY: 's3',
  S3_BUCKET: bucket.name,
  S3_ENDPOINT: server.endpoint,
  S3_ACCESS_KEY_ID: TEST_KEYS.accessKeyId,
  S3_SECRET_ACCESS_KEY: TEST_KEYS.secretAccessKey,
  ...more,
});

/** Does what the service does at its start; returns the failure. */
async function failure(more: Record<string, string | undefined>, store = 's3'): Promise<StorageError> {
  const found = loadConfig(environment(more)).stores.find((each) => each.name === store);
  try {
    const driver = await DRIVERS['s3']?.create(found?.settings ?? {}, createDriverContext(store));
    await driver?.check?.();
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
  throw new Error('nothing was wrong');
}

function problems(more: Record<string, string | undefined>): string {
  try {
    loadConfig(environment(more));
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

test('a usable bucket passes the check, also twice, and nothing of the check is left', async () => {
  await bucket.driver.check?.();
  await bucket.driver.check?.();
  expect(await bucket.everything()).toEqual([]);
  // It knows that the server honours conditions, so a put takes one request.
  server.asked.length = 0;
  await bucket.driver.put('outputs/a', chunked(Buffer.from('x')), { contentType: 'text/plain' });
  expect(server.asked).toEqual(['PutObject']);
});

test('without a bucket the start stops with the setting’s name', () => {
  expect(problems({ S3_BUCKET: undefined })).toContain('S3_BUCKET is missing');
});

test.each([
  ['S3_ENDPOINT', 'minio:9000', 'an address like https://s3.example.com'],
  ['S3_ENDPOINT', 'http://user:pass@minio:9000', 'an address like https://s3.example.com'],
  ['S3_PREFIX', '../other', "folders joined by '/'"],
  ['S3_PREFIX', 'a//b', "folders joined by '/'"],
  ['S3_PRESIGN', 'perhaps', 'true or false'],
  // A byte less than one part.
  ['S3_UPLOAD_MEMORY_BYTES', '8388607', 'a whole number from 8388608 (one part)'],
])('%s=%s stops the start and says what is allowed', (name, value, allowed) => {
  expect(problems({ [name]: value })).toContain(`${name}: `);
  expect(problems({ [name]: value })).toContain(allowed);
});

test('a missing bucket is reported with the setting and both fixes', async () => {
  const { code, message } = await failure({ S3_BUCKET: 'nowhere' });
  expect(code).toBe('MISCONFIGURED');
  expect(message).toBe(
    `S3_BUCKET: the bucket 'nowhere' at ${server.endpoint} does not exist; create it, or set S3_CREATE_BUCKET=true`,
  );
});

test('another store’s settings are reported by their own names', async () => {
  const more = Object.entries(environment({ S3_BUCKET: 'nowhere' })).map(([name, value]) => [
    name.replace(/^S3_/, 'COLD_STORE_'),
    value,
  ]);
  const env = { ...Object.fromEntries(more), STORES: 'cold-store:s3' };
  expect((await failure(env, 'cold-store')).message).toMatch(
    /^COLD_STORE_BUCKET: .*set COLD_STORE_CREATE_BUCKET=true$/,
  );
});

test.each([
  ['another secret', { S3_SECRET_ACCESS_KEY: 'wrong-and-secret' }, 'SignatureDoesNotMatch'],
  ['an unknown key', { S3_ACCESS_KEY_ID: 'unknown-and-secret' }, 'InvalidAccessKeyId'],
  ['an invalid session token', { S3_SESSION_TOKEN: 'token-and-secret' }, 'InvalidToken'],
])('%s is reported as refused credentials, and never shown', async (_name, more, reason) => {
  const { code, message } = await failure(more);
  expect(code).toBe('MISCONFIGURED');
  expect(message).toMatch(/^S3_ACCESS_KEY_ID: the S3 server at .* does not take the credentials/);
  expect(message).toContain(reason);
  expect(message).toContain('S3_SECRET_ACCESS_KEY');
  expect(message).not.toContain('and-secret');
});

test.each([
  ['ListObjectsV2', 's3:ListBucket'],
  ['PutObject', 's3:PutObject'],
  ['ListMultipartUploads', 's3:ListBucketMultipartUploads'],
  ['DeleteObject', 's3:DeleteObject'],
] as const)('a key without permission for %s is reported with what it lacks', async (denied, action) => {
  const strict = await start({ denied: [denied] });
  strict.buckets.set(bucket.name, server.buckets.get(bucket.name) as never);
  const { code, message } = await failure({ S3_ENDPOINT: strict.endpoint });
  expect(code).toBe('MISCONFIGURED');
  expect(message).toMatch(/^S3_BUCKET: /);
  expect(message).toContain(`refuses ${action}`);
  expect(message).toContain('docs/operations.md');
});

test('a server that knows no conditions, and refuses a write without one, stops the start with what it lacks', async () => {
  server.break('PutObject', { kind: 'refuse', status: 501, code: 'NotImplemented' }, 1);
  server.break('PutObject', { kind: 'refuse', status: 403, code: 'AccessDenied' }, 1);
  const { code, message } = await failure({});
  expect([code, message]).toEqual(['MISCONFIGURED', expect.stringContaining('refuses s3:PutObject')]);
});

test('a wrong region is reported as one', async () => {
  const elsewhere = await start({ region: 'eu-central-1' });
  const { code, message } = await failure({ S3_ENDPOINT: elsewhere.endpoint });
  expect(code).toBe('MISCONFIGURED');
  expect(message).toMatch(/^S3_REGION: /);
});

test('an unreachable server may come back: UNAVAILABLE, with the address', async () => {
  const { code, message } = await failure({ S3_ENDPOINT: `http://127.0.0.1:${await freePort()}` });
  expect(code).toBe('UNAVAILABLE');
  expect(message).toMatch(/^S3_ENDPOINT: the S3 server at http:\/\/127.0.0.1:\d+ cannot be reached \(ECONNREFUSED\)/);
});

test.each([
  ['true', 'S3_ENDPOINT: the S3 server at http://nowhere.invalid:9000 cannot be reached'],
  ['false', "S3_FORCE_PATH_STYLE: no host of the bucket's name is found"],
])(
  'a host that is not found, with S3_FORCE_PATH_STYLE=%s, names the setting that can be wrong',
  async (style, message) => {
    vi.spyOn(dns, 'lookup').mockImplementation((_host: string, ...rest: unknown[]) => {
      const done = rest.at(-1) as (error: Error) => void;
      done(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }));
    });
    try {
      const found = await failure({ S3_ENDPOINT: 'http://nowhere.invalid:9000', S3_FORCE_PATH_STYLE: style });
      expect(found.message).toContain(message);
    } finally {
      vi.restoreAllMocks();
    }
  },
);

test('a full server does not stop the start, because stored objects can be read', async () => {
  server.break('PutObject', { kind: 'refuse', status: 507, code: 'XMinioStorageFull' }, 9);
  await expect(bucket.driver.check?.()).resolves.toBeUndefined();
});

test.each([
  [501, 'MethodNotAllowed'],
  [400, 'NotImplemented'],
])('a server that cannot list uploads, and says so with %s %s, is used all the same', async (status, code) => {
  server.break('ListMultipartUploads', { kind: 'refuse', status, code }, 9);
  await expect(bucket.driver.check?.()).resolves.toBeUndefined();
});

test.each([
  [{ S3_SECRET_ACCESS_KEY: undefined }, 'S3_SECRET_ACCESS_KEY is missing although S3_ACCESS_KEY_ID is set'],
  [{ S3_ACCESS_KEY_ID: undefined }, 'S3_ACCESS_KEY_ID is missing although S3_SECRET_ACCESS_KEY is set'],
  [
    { S3_ACCESS_KEY_ID: undefined, S3_SECRET_ACCESS_KEY: undefined, S3_SESSION_TOKEN: 't' },
    'S3_SESSION_TOKEN is set without keys',
  ],
  [{ S3_PRESIGN: 'false', S3_PUBLIC_ENDPOINT: 'https://x.example' }, 'S3_PUBLIC_ENDPOINT serves presigned URLs alone'],
])('settings that contradict each other are refused: %o', async (more, message) => {
  expect(await failure(more)).toMatchObject({ code: 'MISCONFIGURED', message: expect.stringContaining(message) });
});

test('S3_CREATE_BUCKET makes the bucket, whichever of several replicas comes first', async () => {
  const env = environment({ S3_BUCKET: `${bucket.name}-new`, S3_CREATE_BUCKET: 'true' });
  const [found] = loadConfig(env).stores;
  const options = s3Options(found?.settings ?? {}, 's3');
  const drivers = await Promise.all(Array.from({ length: 8 }, () => bucket.open(options)));
  await Promise.all(drivers.map((driver) => driver.check?.() ?? Promise.reject(new Error('no check'))));
  await expect(drivers[0]?.healthy()).resolves.toBeUndefined();
});

test('S3_CREATE_BUCKET works on the server that was chosen for tests', async ({ skip }) => {
  const chosen = inject('s3');
  skip(chosen.bucket !== undefined, 'only one bucket may be used there');
  const there = await createTestBucket(chosen);
  const driver = await there.open({ bucket: `${there.name}-new`, createBucket: true });
  await driver.check?.();
  await driver.check?.();
  await expect(driver.healthy()).resolves.toBeUndefined();
  await there.close();
});

test('the service itself stops with the message, and without the secret', { timeout: 60_000 }, async () => {
  const database = await createTestDatabase();
  const folder = await createDataFolder('s3-start');
  const env = environment({ S3_SECRET_ACCESS_KEY: 'wrong-and-secret' }) as Record<string, string>;
  const own = { DATA_DIR: folder.path, DATABASE_URL: database.connectionString, AUTO_MIGRATE: 'false', PORT: '0' };
  const service = spawnService({ env: { ...env, ...own } });
  expect(await service.ended).toBe(1);
  expect(service.output()).toContain('S3_ACCESS_KEY_ID: the S3 server at');
  expect(service.output()).not.toContain('wrong-and-secret');
  await database.drop();
  await folder.remove();
});

test('a service without an S3 store does not load the SDK', async () => {
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ resolve: (name, context, next) => (loaded.push(name), next(name, context)) });
    await import('./src/process/open-database.ts');
    console.log(loaded.some((name) => name.endsWith('/s3-driver.ts')), loaded.some((name) => name.startsWith('@aws-sdk')));
  `;
  const words = ['--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: CHECKOUT });
  expect(stdout).toBe('true false\n');
});
