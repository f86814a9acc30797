// Case numbers in titles are those of the table in docs/threat-model.md.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KeyServer, makeKey, signWith, startKeyServer } from '../support/key-server.ts';
import { type TestApp, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged } from '../support/traces.ts';

/** A little longer than the service waits between two fetches of a key set. */
const COOLDOWN_MS = 5200;
let server: KeyServer;
let t: TestApp;
const SIGNING = { JWT_SECRET: '', URL_SIGNING_KEYS: `k1:${'s'.repeat(32)}` };
beforeAll(async () => {
  server = await startKeyServer([]);
  t = await createTestApp({ ...SIGNING, JWT_JWKS_URL: server.url });
});
afterAll(async () => {
  expectNoSecretsLogged(t, ['s'.repeat(32)]);
  await t.close();
  await server.close();
});
const ask = async (jwt: string, app = t) =>
  (await app.app.inject({ url: '/v1/media', headers: { authorization: `Bearer ${jwt}` } })).statusCode;

test('case 62: a new key is taken up without a restart, an old one is dropped, and unknown ones cause no storm', async () => {
  const [old, next] = [await makeKey('ES256', 'old'), await makeKey('ES256', 'next')];
  const claims = { sub: 'alice' };
  server.publish([old.jwk]);
  expect(await ask(await signWith(old, claims))).toBe(200);
  expect(server.asked).toHaveLength(1);

  const strangers = await Promise.all(
    Array.from({ length: 50 }, (_value, index) => signWith(next, claims, { kid: `unknown-${index}` })),
  );
  expect(new Set(await Promise.all(strangers.map((jwt) => ask(jwt))))).toEqual(new Set([401]));
  expect(server.asked.length).toBeLessThanOrEqual(2);

  server.publish([next.jwk]);
  await sleep(COOLDOWN_MS);
  const asked = server.asked.length;
  const statuses = await Promise.all([...strangers.map((jwt) => ask(jwt)), ask(await signWith(next, claims))]);
  expect(statuses.at(-1)).toBe(200);
  expect(server.asked.length - asked).toBe(1);
  expect(await ask(await signWith(old, claims))).toBe(401);
  expect(new Set(server.asked)).toEqual(new Set(['/jwks.json']));
});

test('case 61: a published key is used for its own algorithm alone', async () => {
  const pair = await makeKey('RS256', 'ps');
  const app = await startKeyServer([
    { ...pair.jwk, alg: 'PS256' },
    { ...pair.jwk, kid: 'enc', use: 'enc' },
  ]);
  const other = await createTestApp({ ...SIGNING, JWT_JWKS_URL: app.url });
  expect(await ask(await signWith(pair, { sub: 'alice' }), other)).toBe(401);
  expect(await ask(await signWith(pair, { sub: 'alice' }, { kid: 'enc' }), other)).toBe(401);
  await other.close();
  await app.close();
});

test.each([
  ['symmetric keys', [{ kty: 'oct', kid: 'x', alg: 'HS256', k: 'c2VjcmV0' }]],
  ['keys of no kind', [{ kid: 'x' }]],
  ['no keys', []],
  ['texts', ['x'] as unknown as object[]],
])('case 62: a key set of %s verifies nothing and breaks nothing', async (_name, keys) => {
  const pair = await makeKey('ES256', 'x');
  const bad = await startKeyServer(keys);
  const other = await createTestApp({ ...SIGNING, JWT_JWKS_URL: bad.url });
  // 503 where the set itself is at fault: the token may be valid.
  expect([401, 503]).toContain(await ask(await signWith(pair, { sub: 'alice' }), other));
  expect((await other.app.inject({ url: '/health/ready' })).statusCode).toBe(200);
  await other.close();
  await bad.close();
});

test('a key set that cannot be fetched gives 503, because the token may be a good one', async () => {
  const pair = await makeKey('ES256', 'x');
  const gone = await startKeyServer([]);
  await gone.close();
  const other = await createTestApp({ ...SIGNING, JWT_JWKS_URL: gone.url });
  const answer = await other.app.inject({
    url: '/v1/media',
    headers: { authorization: `Bearer ${await signWith(pair, { sub: 'alice' })}` },
  });
  expect(answer.json()).toMatchObject({ status: 503, code: 'keys_unavailable' });
  expect(answer.headers['retry-after']).toBe('5');
  await other.close();
});
