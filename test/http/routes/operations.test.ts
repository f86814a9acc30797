import fastifyUnderPressure from '@fastify/under-pressure';
import Fastify, { type FastifyBaseLogger } from 'fastify';
import { sql } from 'kysely';
import { afterEach, expect, test } from 'vitest';
import { registerErrorHandler } from '../../../src/http/errors/error-handler.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { png } from '../../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asAdmin, asUser, createTestApp, token } from '../../support/test-app.ts';

let t: TestApp;
afterEach(() => t.close());

async function store(userId = 'ops'): Promise<{ id: string }> {
  return (
    await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { 'content-type': 'image/png', ...asUser(userId) },
      payload: png(),
    })
  ).json();
}

interface LogLine {
  requestId?: string;
  url?: string;
  msg: string;
  status?: number;
}
const lines = () =>
  t
    .logged()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine);

test('a request is logged in one line with its id; tokens, secrets and signed URLs are not in the log', async () => {
  t = await createTestApp();
  const { id } = await store();
  const signed = (
    await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: asUser('ops'), payload: {} })
  ).json().url as string;
  const signature = signed.split('/signed/')[1]?.split('/')[0] ?? '';
  await t.app.inject({ url: `/v1/signed/${signature}` });
  await t.app.inject({
    url: `/v1/media/${id}/content?token=s3cret&X-Amz-Signature=s3cret&a=1`,
    headers: asUser('ops'),
  });
  const jwt = token({ sub: 'x', scope: 'media:read' });
  await t.app.inject({ url: '/v1/media', headers: { authorization: `Bearer ${jwt}x` } });
  const answer = await t.app.inject({ url: '/v1/media', headers: { ...asUser('ops'), 'x-request-id': 'caller-id.1' } });
  expect(answer.headers['x-request-id']).toBe('caller-id.1');
  expect(lines().filter((line) => line.requestId === 'caller-id.1' && line.msg === 'answered')).toHaveLength(1);
  const log = t.logged();
  for (const secret of [signature, signature.split('~')[2] ?? '', 's3cret', jwt, JWT_SECRET, 'Bearer'])
    expect(log).not.toContain(secret);
  expect(lines().find((line) => line.url?.startsWith('/v1/signed/'))?.url).toBe('/v1/signed/[redacted]');
});

test('a request id that could forge a log line is replaced', async () => {
  t = await createTestApp();
  const answer = await t.app.inject({ url: '/health/live', headers: { 'x-request-id': 'a b"}{' } });
  expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
});

test('readiness is red while the database, the schema or the primary store fails, and liveness is not', async () => {
  t = await createTestApp();
  const ready = async () => {
    const answer = await t.app.inject({ url: '/health/ready' });
    const failed = answer.json().checks.filter((check: { ok: boolean }) => !check.ok) as {
      name: string;
      reason: string;
    }[];
    return { status: answer.statusCode, failed: failed.map((check) => check.name) };
  };
  expect(await ready()).toEqual({ status: 200, failed: [] });
  await sql`UPDATE kysely_migration SET name = '9999_future' WHERE name = '0001_baseline'`.execute(t.deps.db);
  expect(await ready()).toEqual({ status: 503, failed: ['schema'] });
  await sql`UPDATE kysely_migration SET name = '0001_baseline' WHERE name = '9999_future'`.execute(t.deps.db);
  const { rename } = await import('node:fs/promises');
  await rename(t.volume, `${t.volume}-away`);
  expect(await ready()).toEqual({ status: 503, failed: ['store:local'] });
  expect((await t.app.inject({ url: '/health/live' })).statusCode).toBe(200);
  await rename(`${t.volume}-away`, t.volume);
  expect(await ready()).toEqual({ status: 200, failed: [] });
});

test('metrics count requests by route, ingested bytes, failures by tool and provider, and store operations', async () => {
  t = await createTestApp();
  await store();
  await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: asUser('ops'),
    payload: { status: 'failed', error: 'x', toolName: 'paint', provider: 'fal' },
  });
  await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { 'content-type': 'image/png', ...asUser('ops') },
    payload: Buffer.from('no picture'),
  });
  const text = (await t.app.inject({ url: '/metrics' })).body;
  expect(text).toContain(
    'mediakeep_http_server_request_duration_seconds_count{http_request_method="POST",http_route="/v1/media",http_response_status_code="201"} 2',
  );
  expect(text).toContain(`mediakeep_ingest_bytes_total{source="raw",media_type="image"} ${png().length}`);
  expect(text).toContain(
    'mediakeep_ingest_duration_seconds_count{source="raw",outcome="unsupported_media",media_type="unknown"} 1',
  );
  expect(text).toContain('mediakeep_pending_fetches{state="overdue"} 0');
  expect(text).toContain('mediakeep_failed_generations_total{tool="paint",provider="fal"} 1');
  expect(text).toMatch(
    /mediakeep_storage_operation_duration_seconds_count\{store="local",operation="put",outcome="ok"\} 1/,
  );
});

test('a caller over the rate limit gets 429 with Retry-After, and others do not', async () => {
  t = await createTestApp({ RATE_LIMIT_MAX: '3' });
  const ask = (sub: string) => t.app.inject({ url: '/v1/media', headers: asUser(sub) });
  for (let n = 0; n < 3; n += 1) expect((await ask('busy')).statusCode).toBe(200);
  const refused = await ask('busy');
  expect(refused.json()).toMatchObject({ status: 429, code: 'rate_limited' });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect((await ask('calm')).statusCode).toBe(200);
  expect((await t.app.inject({ url: '/health/ready' })).statusCode).toBe(200);
});

test('responses have protective headers, and pages of other origins may read only where that is allowed', async () => {
  t = await createTestApp({ CORS_ORIGINS: 'https://app.example.com' });
  const answer = await t.app.inject({ url: '/v1/media', headers: { ...asAdmin(), origin: 'https://app.example.com' } });
  expect(answer.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'access-control-allow-origin': 'https://app.example.com',
  });
  expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
  expect(answer.headers).not.toHaveProperty('x-powered-by');
  const stranger = await t.app.inject({ url: '/v1/media', headers: { ...asAdmin(), origin: 'https://evil.example' } });
  expect(stranger.headers['access-control-allow-origin']).not.toBe('https://evil.example');
});

test('a file over the limit is refused with 413 in every form, and so is a JSON body', async () => {
  t = await createTestApp({ MAX_UPLOAD_BYTES: '1000', MAX_JSON_BYTES: '2000' });
  const big = Buffer.concat([png(), Buffer.alloc(2000)]);
  const raw = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { 'content-type': 'image/png', ...asUser('a') },
    payload: big,
  });
  expect(raw.json()).toMatchObject({ status: 413, code: 'too_large' });
  const { multipart } = await import('../../support/sample-files.ts');
  const form = multipart([{ name: 'file', value: big, filename: 'a.png' }]);
  expect(
    (
      await t.app.inject({
        method: 'POST',
        url: '/v1/media',
        headers: { ...form.headers, ...asUser('a') },
        payload: form.payload,
      })
    ).json(),
  ).toMatchObject({ status: 413, code: 'too_large' });
  expect(
    (
      await t.app.inject({
        method: 'POST',
        url: '/v1/media',
        headers: asUser('a'),
        payload: { source: { type: 'base64', data: big.toString('base64') } },
      })
    ).json(),
  ).toMatchObject({ status: 413 });
  expect(await t.deps.db.selectFrom('storage_intents').selectAll().execute()).toEqual([]);
});

test('a response may take longer than the idle timeout of a connection', async () => {
  const { TIMING } = await import('../../../src/http/connections/timing.ts');
  const { createServer } = await import('node:http');
  const slow = createServer((_request, response) => setTimeout(() => response.end(png(2, 2)), 1500));
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  const port = (slow.address() as { port: number }).port;
  t = await createTestApp({ FETCH_TRUSTED_HOSTS: '127.0.0.1' }, { timing: { ...TIMING, idleMs: 500 } });
  const base = await t.listen();
  const answer = await fetch(`${base}/v1/media`, {
    method: 'POST',
    headers: { ...asUser('a'), 'content-type': 'application/json' },
    body: JSON.stringify({ source: { type: 'url', url: `http://127.0.0.1:${port}/a.png` } }),
  });
  expect(answer.status).toBe(201);
  await new Promise((resolve) => slow.close(resolve));
});

test('an error is logged without its attached objects', async () => {
  t = await createTestApp();
  const error = Object.assign(new Error('lost', { cause: new Error('cable') }), {
    code: '57P01',
    client: { secretKey: 'cancel-key', password: 'hunter2' },
  });
  t.deps.log.error({ err: error }, 'something');
  expect(t.logged()).toContain('"code":"57P01"');
  expect(t.logged()).toContain('cable');
  expect(t.logged()).not.toMatch(/cancel-key|hunter2/);
});

test('a refusal under load is a warning, not an error', async () => {
  t = await createTestApp();
  const logged: string[] = [];
  const log: FastifyBaseLogger = createLogger('info', { write: (line: string) => void logged.push(line) });
  const app = Fastify({ loggerInstance: log });
  registerErrorHandler(app);
  await app.register(fastifyUnderPressure, { healthCheck: async () => false, healthCheckInterval: 1000 });
  app.get('/', () => 'ok');
  const answer = await app.inject({ url: '/' });
  await app.close();
  expect([answer.statusCode, answer.json().code]).toEqual([503, 'overloaded']);
  const levels = logged.map((line) => JSON.parse(line) as { level: number; code?: string });
  expect(levels.filter(({ code }) => code === 'overloaded').map(({ level }) => level)).toEqual([40]);
});
