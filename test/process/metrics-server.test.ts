import { expect, test } from 'vitest';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { startMetricsServer } from '../../src/process/metrics-server.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createTestApp } from '../support/test-app.ts';

const TOKEN = 'a-token-for-metrics-only';
const WITH = { authorization: `Bearer ${TOKEN}` };

test('a port of its own serves the metrics, and nothing else', async () => {
  const port = await freePort();
  const server = await startMetricsServer({ host: '127.0.0.1', port, token: TOKEN, metrics: createMetrics('1.2.3') });
  const get = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init);
  const served = await get('/metrics', { headers: WITH });
  expect(served.status).toBe(200);
  expect(served.headers.get('content-type')).toContain('text/plain; version=');
  expect(await served.text()).toContain('version="1.2.3"');
  expect((await get('/metrics', { method: 'HEAD', headers: WITH })).status).toBe(200);
  for (const [path, init, status] of [
    ['/metrics', {}, 401],
    ['/metrics', { headers: { authorization: 'Bearer wrong' } }, 401],
    ['/metrics', { headers: { authorization: `Basic ${TOKEN}` } }, 401],
    ['/metrics', { method: 'POST', headers: WITH }, 405],
    ['/v1/media', { headers: WITH }, 404],
    ['/', {}, 404],
  ] as const)
    expect((await get(path, init)).status, `${path} ${JSON.stringify(init)}`).toBe(status);
  await expect(
    startMetricsServer({ host: '127.0.0.1', port, token: undefined, metrics: createMetrics('1.2.3') }),
  ).rejects.toMatchObject({ code: 'EADDRINUSE' });
  server.close();
  server.closeAllConnections();
});

test('METRICS_TOKEN guards the metrics; METRICS_PORT takes them away from the main port', async () => {
  const guarded = await createTestApp({ METRICS_TOKEN: TOKEN });
  const status = async (headers: Record<string, string>) =>
    (await guarded.app.inject({ url: '/metrics', headers })).statusCode;
  expect(await status({})).toBe(401);
  expect(await status({ authorization: 'Bearer wrong' })).toBe(401);
  expect(await status(WITH)).toBe(200);
  await guarded.close();
  const apart = await createTestApp({ METRICS_PORT: '9464' });
  expect((await apart.app.inject({ url: '/metrics' })).statusCode).toBe(404);
  await apart.close();
});

test('an unknown path is answered with the address of the page, as callers reach it', async () => {
  const t = await createTestApp({ PUBLIC_BASE_URL: 'https://example.com/media' });
  const { detail } = (await t.app.inject('/v2/media')).json<{ detail: string }>();
  await t.close();
  expect(detail).toBe('There is no route of that path; see https://example.com/media/docs.');
});

test('DOCS=false serves neither the page nor the document', async () => {
  const t = await createTestApp({ DOCS: 'false' });
  for (const url of ['/docs', '/docs/', '/docs/json', '/docs/yaml', '/docs/static/index.html', '/openapi.json'])
    expect((await t.app.inject({ url })).statusCode, url).toBe(404);
  expect((await t.app.inject({ url: '/health/live' })).statusCode).toBe(200);
  expect((await t.app.inject('/docs')).json()).toMatchObject({ detail: 'There is no route of that path.' });
  await t.close();
});
