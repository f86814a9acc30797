import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand, settingsOf } from '../support/run-command.ts';
import { type TestApp, createTestApp } from '../support/test-app.ts';

const CLAIMS = { JWT_ISSUER: 'https://issuer.test', JWT_AUDIENCE: 'media' };
let t: TestApp;
let folder: string;
beforeAll(async () => {
  t = await createTestApp(CLAIMS);
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-token-'));
});
afterAll(async () => {
  await t.close();
  await rm(folder, { recursive: true, force: true });
});

const status = async (token: string, url: string) =>
  (await t.app.inject({ url, headers: { authorization: `Bearer ${token}` } })).statusCode;

test('a minted token is the only output, has the claims that the service requires, and is taken', async () => {
  const settings = { ...settingsOf(t), ...CLAIMS };
  const { code, stdout, stderr } = await runCommand(['token', '--sub', 'user-1', '--scope', 'media:read'], settings);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  expect(await status(stdout.trim(), '/v1/media')).toBe(200);
  // It has the one scope, and acts for its subject alone.
  expect(await status(stdout.trim(), '/v1/webhook-deliveries')).toBe(403);
  expect(await status(stdout.trim(), '/v1/media?userId=user-2')).toBe(403);
});

test('as JSON it comes with its claims; the lifetime is the one that was asked for', async () => {
  const before = Date.now();
  const args = ['token', '--sub', 'user-1', '--scope', 'media:write,media:read media:write', '--ttl', '2h', '--json'];
  const { stdout } = await runCommand(args, settingsOf(t));
  const { token, expiresAt, ...rest } = JSON.parse(stdout) as { token: string; expiresAt: string };
  expect(rest).toEqual({ sub: 'user-1', scope: 'media:write media:read' });
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, number>;
  expect(claims).toMatchObject({ sub: 'user-1', scope: 'media:write media:read' });
  expect(new Date((claims['exp'] ?? 0) * 1000).toISOString()).toBe(expiresAt);
  expect((claims['exp'] ?? 0) - (claims['iat'] ?? 0)).toBe(7200);
  expect(Math.abs((claims['iat'] ?? 0) * 1000 - before)).toBeLessThan(60_000);
});

test('in development it is signed with the secret that the service keeps, and says so', async () => {
  const { stdout, stderr } = await runCommand(['token', '--sub', 'dev'], { DATA_DIR: folder });
  const file = path.join(folder, 'jwt-secret');
  expect(stderr).toContain(file);
  const secret = (await readFile(file, 'utf8')).trim();
  const signed = await createTestApp({ JWT_SECRET: secret });
  const headers = { authorization: `Bearer ${stdout.trim()}` };
  expect((await signed.app.inject({ url: '/v1/media', headers })).statusCode).toBe(200);
  await signed.close();
});

test('where only a key set is trusted there is nothing to sign with', async () => {
  const settings = { NODE_ENV: 'production', JWT_JWKS_URL: 'https://issuer.test/keys', DATA_DIR: folder };
  const { code, stdout, stderr } = await runCommand(['token', '--sub', 'u'], settings);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('JWT_JWKS_URL');
});
