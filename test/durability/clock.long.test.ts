// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHash } from 'node:crypto';
import http from 'node:http';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clockOff } from '../support/clock.ts';
import { type Origin, startOrigin } from '../support/origin.ts';
import { bigPng, png } from '../support/sample-files.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { JWT_SECRET, asUser, token } from '../support/test-app.ts';
import { type TestDatabase, createTestDatabase } from '../support/database/test-database.ts';
import { until } from '../support/until.ts';
import { SIGNING_SECRET } from '../support/webhook-senders.ts';

const MINUTE = 60;
const user = asUser('alice');
const json = { ...user, 'content-type': 'application/json' };
const raw = { ...user, 'content-type': 'image/png' };

let database: TestDatabase;
let client: pg.Client;
let folder: string;
let origin: Origin;
/** Replicas whose clocks are ten minutes ahead and behind: twenty minutes apart. */
let ahead: ServiceProcess;
let behind: ServiceProcess;
let all: ServiceProcess[];

function start(seconds: number, env: Record<string, string> = {}): Promise<ServiceProcess> {
  const settings = {
    DATABASE_URL: database.connectionString,
    DATA_DIR: path.join(folder, 'data'),
    LOCAL_ROOT: path.join(folder, 'volume'),
    JWT_SECRET,
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    WEBHOOK_SECRET_GENERIC: SIGNING_SECRET,
    WEBHOOK_SECRET_RUNPOD: 'hook',
    LOG_LEVEL: 'warn',
    ...clockOff(seconds),
    ...env,
  };
  return startService({ env: settings });
}

beforeAll(async () => {
  origin = await startOrigin();
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.connectionString });
  await client.connect();
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-clock-'));
  ahead = await start(10 * MINUTE);
  behind = await start(-10 * MINUTE);
  all = [ahead, behind];
});
afterAll(async () => {
  for (const service of all) service.kill('SIGTERM');
  await Promise.all(all.map(({ ended }) => ended));
  await client.end();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
  origin.close();
});

interface Answer {
  status: number;
  body: Record<string, unknown> & { id: string };
}
async function ask(service: ServiceProcess, url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url.startsWith('http') ? url : `${service.address}${url}`, { headers: user, ...init });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : {} };
}
const post = (service: ServiceProcess, url: string, body: object, headers: Record<string, string> = json) =>
  ask(service, url, { method: 'POST', headers, body: JSON.stringify(body) });
const upload = (service: ServiceProcess, bytes: Buffer, headers: Record<string, string> = raw) =>
  ask(service, '/v1/media', { method: 'POST', headers, body: bytes as Buffer<ArrayBuffer> });
const shaOf = (bytes: Buffer | ArrayBuffer) => createHash('sha256').update(new Uint8Array(bytes)).digest('hex');

async function expectReadable(id: string, bytes: Buffer): Promise<void> {
  for (const service of [ahead, behind]) {
    const response = await fetch(`${service.address}/v1/media/${id}/content`, { headers: user });
    expect(response.status).toBe(200);
    expect(shaOf(await response.arrayBuffer())).toBe(shaOf(bytes));
  }
}

test('case 102: a token is valid by the clock of the replica that checks it, within 30 seconds', async () => {
  const now = Math.floor(Date.now() / 1000);
  const use = async (service: ServiceProcess, claims: Record<string, unknown>) => {
    const authorization = `Bearer ${token({ sub: 'alice', scope: 'media:read', ...claims })}`;
    const { status, body } = await ask(service, '/v1/stats', { headers: { authorization } });
    return status === 200 ? 200 : body['code'];
  };
  const long = { exp: now + 3600 };
  expect([await use(ahead, long), await use(behind, long)]).toEqual([200, 200]);
  const short = { exp: now + 5 * MINUTE };
  expect([await use(ahead, short), await use(behind, short)]).toEqual(['token_invalid', 200]);
  const over = { exp: now - 5 * MINUTE };
  expect([await use(ahead, over), await use(behind, over)]).toEqual(['token_invalid', 200]);
  const fresh = { exp: now + 3600, nbf: now, iat: now };
  expect([await use(ahead, fresh), await use(behind, fresh)]).toEqual([200, 'token_invalid']);
});

test('case 102: a signed URL of one replica is valid at the other until it has expired by either clock', async () => {
  const { body } = await upload(ahead, png(3, 3, 1));
  const sign = async (service: ServiceProcess, expiresIn: number) => {
    const signed = await post(service, `/v1/media/${body.id}/url`, { expiresIn });
    return new URL(String(signed.body['url'])).pathname;
  };
  const read = async (service: ServiceProcess, target: string) => {
    const answer = await ask(service, target, { headers: {} });
    return answer.status === 200 ? 200 : answer.body['code'];
  };
  // By each replica's own clock.
  expect(await read(behind, await sign(behind, 60))).toBe(200);
  expect(await read(ahead, await sign(ahead, 60))).toBe(200);
  // Longer than the clocks differ by.
  expect(await read(ahead, await sign(behind, 25 * MINUTE))).toBe(200);
  expect(await read(behind, await sign(ahead, 60))).toBe(200);
  // Shorter: by the other clock it has expired.
  expect(await read(ahead, await sign(behind, 15 * MINUTE))).toBe('signature_expired');
});

test("case 102: a webhook's timestamp may differ from the replica's clock by five minutes, and a secret has no timestamp", async () => {
  const deliver = async (service: ServiceProcess, seconds: number) => {
    const body = JSON.stringify({ jobId: `job-${seconds}-${service.pid}`, status: 'succeeded', user_id: 'alice' });
    const at = new Date(Date.now() + seconds * 1000);
    const id = `msg_${seconds}_${service.pid}`;
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(SIGNING_SECRET).sign(id, at, body),
    };
    return (await ask(service, '/v1/webhooks/generic', { method: 'POST', headers, body })).status;
  };
  expect([await deliver(ahead, 0), await deliver(behind, 0)]).toEqual([401, 401]);
  for (const minutes of [6, 10, 14]) {
    expect(await deliver(ahead, minutes * MINUTE)).toBe(200);
    expect(await deliver(behind, -minutes * MINUTE)).toBe(200);
  }
  for (const minutes of [4, 16]) {
    expect(await deliver(ahead, minutes * MINUTE)).toBe(401);
    expect(await deliver(behind, -minutes * MINUTE)).toBe(401);
  }
  for (const service of [ahead, behind]) {
    const body = { id: `secret-${service.pid}`, status: 'IN_PROGRESS', user_id: 'alice' };
    expect(
      (await post(service, '/v1/webhooks/runpod?secret=hook', body, { 'content-type': 'application/json' })).status,
    ).toBe(200);
  }
});

/** An upload that has sent half of its bytes. */
async function halfUpload(service: ServiceProcess, bytes: Buffer) {
  const request = http.request(`${service.address}/v1/media`, {
    method: 'POST',
    headers: { ...raw, 'content-length': bytes.length },
  });
  const answer = new Promise<Answer>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
    });
  });
  const half = bytes.length >> 1;
  await new Promise<void>((resolve) => request.write(bytes.subarray(0, half), () => resolve()));
  return { answer, end: () => request.end(bytes.subarray(half)) };
}

test("case 102: sweeps of replicas with wrong clocks remove what has expired by the database's clock, and nothing that is being written", async () => {
  const files = [bigPng(3_000_000, 1), bigPng(3_000_000, 2)];
  const uploads = [await halfUpload(ahead, files[0] as Buffer), await halfUpload(behind, files[1] as Buffer)];
  const seconds = 'extract(epoch FROM leased_until - now())::float8 AS seconds';
  const leases = () => client.query<{ seconds: number }>(`SELECT ${seconds} FROM storage_intents`);
  await until(async () => (await leases()).rows.length === 2);
  for (const lease of (await leases()).rows) {
    expect(lease.seconds).toBeGreaterThan(60);
    expect(lease.seconds).toBeLessThanOrEqual(120);
  }
  for (const offset of [10 * MINUTE, -10 * MINUTE]) {
    await client.query(
      `INSERT INTO storage_intents (store, key, leased_until) VALUES ('local', 'outputs/a/left.png', now() - interval '1 second')`,
    );
    // A process sweeps when it starts.
    const sweeper = await start(offset);
    all.push(sweeper);
    await until(async () => (await leases()).rows.length === 2);
    sweeper.kill('SIGTERM');
    await sweeper.ended;
  }
  for (const [index, { answer, end }] of uploads.entries()) {
    end();
    const { status, body } = await answer;
    expect(status).toBe(201);
    await expectReadable(body.id, files[index] as Buffer);
  }
  expect((await leases()).rows).toEqual([]);
});

test('case 102: what replicas with clocks 20 minutes apart acknowledge is readable at both, and one key makes one item', async () => {
  const files = Array.from({ length: 30 }, (_value, salt) => bigPng(50_000, salt));
  const answers = await Promise.all(files.map((bytes, index) => upload(index % 2 === 0 ? ahead : behind, bytes)));
  for (const [index, { status, body }] of answers.entries()) {
    expect(status).toBe(201);
    await expectReadable(body.id, files[index] as Buffer);
  }
  const keyed = { ...raw, 'idempotency-key': 'clocks' };
  const same = await Promise.all(
    Array.from({ length: 10 }, (_value, index) => upload(index % 2 === 0 ? ahead : behind, png(4, 4, 9), keyed)),
  );
  expect(new Set(same.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
  // Listings are ordered by the database's clock, not the replicas'.
  const first = await upload(ahead, png(2, 2, 1));
  const second = await upload(behind, png(2, 2, 2));
  const { body } = await ask(behind, '/v1/media?limit=2');
  expect((body['items'] as { id: string }[]).map(({ id }) => id)).toEqual([second.body.id, first.body.id]);
});

test('case 102: a direct upload that one replica has begun is received and completed by the other', async () => {
  const bytes = png(5, 5, 5);
  for (const [one, other] of [
    [ahead, behind],
    [behind, ahead],
  ] as const) {
    const begun = await post(one, '/v1/uploads', { contentType: 'image/png', bytes: bytes.length });
    const { pathname, search } = new URL(String(begun.body['url']));
    const headers = { 'content-type': 'image/png' };
    const put = await ask(other, `${pathname}${search}`, {
      method: 'PUT',
      headers,
      body: bytes as Buffer<ArrayBuffer>,
    });
    expect(put.status).toBe(204);
    const completed = await ask(one, `/v1/uploads/${begun.body.id}/complete`, { method: 'POST' });
    expect(completed.status).toBe(201);
    await expectReadable(completed.body.id, bytes);
  }
});

/** A URL that contains its expiry, as those of S3 do. */
function expiring(name: string, seconds: number): string {
  const date = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${origin.url}/ok/${name}?X-Amz-Date=${date}&X-Amz-Expires=${seconds}`;
}

test("case 102: a pending item is retried until its URL has expired by the database's clock, whatever the replica's", async () => {
  const pending: string[] = [];
  await rename(path.join(folder, 'volume'), path.join(folder, 'away'));
  try {
    for (const service of [ahead, behind]) {
      const url = `/v1/projects/a1b2c3d4-0000-4000-8000-000000000001/scenes/clock-${service.pid}`;
      const answer = await post(service, url, { source: { type: 'url', url: expiring(`${service.pid}`, 5 * MINUTE) } });
      expect([answer.status, answer.body['status']]).toEqual([201, 'pending']);
      pending.push(answer.body.id);
    }
    // Both replicas try both, and fail.
    await until(async () => {
      const { rows } = await client.query('SELECT 1 FROM fetches WHERE attempts >= 2');
      return rows.length === pending.length;
    }, 60);
  } finally {
    await rename(path.join(folder, 'away'), path.join(folder, 'volume'));
  }
  for (const id of pending) {
    const status = async () => (await ask(ahead, `/v1/media/${id}`)).body['status'];
    await until(async () => (await status()) === 'success', 90);
  }
});

test.each([
  ['ahead', 10 * MINUTE],
  ['behind', -10 * MINUTE],
])(
  'case 102: a replica whose clock is %s retries copies when the pause is over, neither at once nor minutes later',
  async (_name, offset) => {
    const own = await createTestDatabase();
    const place = await mkdtemp(path.join(tmpdir(), 'mediakeep-clock-'));
    const service = await start(offset, {
      DATABASE_URL: own.connectionString,
      DATA_DIR: place,
      LOCAL_ROOT: path.join(place, 'volume'),
      STORES: 'mirror:local',
      MIRROR_ROOT: path.join(place, 'mirror'),
      STORAGE_MIRRORS: 'mirror',
    });
    const queue = new pg.Client({ connectionString: own.connectionString });
    await queue.connect();
    try {
      await rename(path.join(place, 'mirror'), path.join(place, 'away'));
      expect((await upload(service, png(2, 2, 3))).status).toBe(201);
      const waits = await until(async () => {
        const { rows } = await queue.query<{ seconds: number; failed: boolean }>(
          `SELECT extract(epoch FROM run_at - created_at)::float8 AS seconds FROM graphile_worker.jobs
         WHERE key = 'copies' AND locked_at IS NULL AND run_at > now() + interval '2 seconds'`,
        );
        return rows[0]?.seconds;
      }, 30);
      expect(waits).toBeGreaterThan(5);
      expect(waits).toBeLessThan(60);
      await rename(path.join(place, 'away'), path.join(place, 'mirror'));
      await until(async () => {
        const { rows } = await queue.query(`SELECT 1 FROM media_locations WHERE store = 'mirror' AND state = 'stored'`);
        return rows.length === 1;
      }, 90);
    } finally {
      await queue.end();
      service.kill('SIGTERM');
      await service.ended;
      await own.drop();
      await rm(place, { recursive: true, force: true });
    }
  },
);
