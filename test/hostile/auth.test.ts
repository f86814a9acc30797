// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KeyServer, type TestKey, makeKey, signWith, startKeyServer } from '../support/key-server.ts';
import { JWT_SECRET, type TestApp, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged } from '../support/traces.ts';

const ISSUER = 'https://issuer.test';
const AUDIENCE = 'mediakeep';
const now = () => Math.floor(Date.now() / 1000);
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const hs256 = (text: string, secret: string) => createHmac('sha256', secret).update(text).digest('base64url');
const good = () => ({ sub: 'alice', scope: 'media:read', exp: now() + 600, iss: ISSUER, aud: AUDIENCE });
/** A token built by hand, HS256 with the given secret. */
const forge = (header: object, claims: object, secret = JWT_SECRET) => {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${hs256(text, secret)}`;
};

const apps: Partial<Record<'secret' | 'keys' | 'both', TestApp>> = {};
let server: KeyServer;
const keys: Partial<Record<string, TestKey>> = {};
beforeAll(async () => {
  for (const alg of ['RS256', 'ES256', 'EdDSA']) keys[alg] = await makeKey(alg, `k-${alg}`);
  server = await startKeyServer(Object.values(keys).map((key) => key?.jwk ?? {}));
  const required = { JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE };
  const jwks = { ...required, JWT_JWKS_URL: server.url };
  const signing = `k1:${'s'.repeat(32)}`;
  apps.secret = await createTestApp(required);
  // An empty setting counts as unset.
  apps.keys = await createTestApp({ ...jwks, JWT_SECRET: '', URL_SIGNING_KEYS: signing });
  apps.both = await createTestApp(jwks);
});
afterAll(async () => {
  for (const t of Object.values(apps)) {
    expectNoSecretsLogged(t, [JWT_SECRET]);
    await t.close();
  }
  await server.close();
});

const key = (alg: string) => keys[alg] as TestKey;
async function ask(app: keyof typeof apps, jwt: string) {
  const t = apps[app] as TestApp;
  return t.app.inject({ url: '/v1/media', headers: { authorization: `Bearer ${jwt}` } });
}
async function expectRefused(app: keyof typeof apps, jwt: string): Promise<void> {
  const response = await ask(app, jwt);
  expect(response.json()).toMatchObject({ status: 401, code: 'token_invalid' });
  expect(response.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
  expect(response.body).not.toContain(jwt);
}

test('cases 60 to 65: valid tokens pass, of the secret and of each kind of published key', async () => {
  expect((await ask('secret', forge({ alg: 'HS256' }, good()))).statusCode).toBe(200);
  expect((await ask('both', forge({ alg: 'HS256' }, good()))).statusCode).toBe(200);
  for (const alg of ['RS256', 'ES256', 'EdDSA']) {
    expect((await ask('keys', await signWith(key(alg), good()))).statusCode, alg).toBe(200);
    expect((await ask('both', await signWith(key(alg), good()))).statusCode, alg).toBe(200);
  }
});

describe.each(['secret', 'keys', 'both'] as const)('with %s', (app) => {
  test.each(['none', 'None', 'NONE', 'nOnE', '', 'null'])('case 60: the algorithm %j is refused', async (alg) => {
    const text = `${part({ alg, typ: 'JWT' })}.${part(good())}`;
    for (const signature of ['', hs256(text, JWT_SECRET), hs256(text, ''), 'AA'])
      await expectRefused(app, `${text}.${signature}`);
    await expectRefused(app, text);
  });

  test.each(['HS384', 'HS512', 'RS384', 'PS256', 'ES384', 'ES256K', 'RS1', 'dir', 'A128KW', 1, null, {}, ['HS256']])(
    'case 60: the algorithm %j is not among the accepted ones',
    async (alg) => {
      await expectRefused(app, forge({ alg }, good()));
    },
  );

  test.each(['', '.', '..', '...', 'a.b.c', 'eyJ', '{}', 'x'.repeat(9000)])(
    'case 60: %j is no token and is refused',
    async (jwt) => {
      const response = await ask(app, jwt);
      expect(response.statusCode).toBe(401);
    },
  );

  test('case 61: a public key used as a secret, with any white space, is refused', async () => {
    for (const { pem, kid } of [key('RS256'), key('ES256'), key('EdDSA')]) {
      const body = pem.replace(/-----[^-]+-----|\s/g, '');
      for (const secret of [
        pem,
        `${pem}\n`,
        pem.trim(),
        ` ${pem}`,
        pem.replaceAll('\n', '\r\n'),
        body,
        pem.replaceAll('\n', ''),
      ]) {
        await expectRefused(app, forge({ alg: 'HS256', kid }, good(), secret));
        await expectRefused(app, forge({ alg: 'RS256', kid }, good(), secret));
      }
    }
  });

  test('case 61: a token of one kind of key that claims another is refused', async () => {
    for (const [alg, other] of [
      ['RS256', 'ES256'],
      ['ES256', 'EdDSA'],
      ['EdDSA', 'RS256'],
    ] as const) {
      const [, claims, signature] = (await signWith(key(alg), good())).split('.');
      await expectRefused(app, `${part({ alg: other, kid: key(other).kid })}.${claims}.${signature}`);
      await expectRefused(app, `${part({ alg: other, kid: key(alg).kid })}.${claims}.${signature}`);
    }
  });

  test.each([
    '../../../../dev/null',
    '/etc/passwd',
    'http://127.0.0.1:9/jwks.json',
    "' UNION SELECT 'secret' --",
    '__proto__',
    'constructor',
    '\u0000',
    'x'.repeat(5000),
    1,
    null,
    {},
    ['k-RS256'],
  ])('case 62: the kid %j finds no key', async (kid) => {
    const forged = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const text = `${part({ alg: 'RS256', kid })}.${part(good())}`;
    await expectRefused(app, `${text}.${sign('sha256', Buffer.from(text), forged.privateKey).toString('base64url')}`);
    for (const secret of ['', 'secret', 'null', 'undefined', ' '])
      await expectRefused(app, forge({ alg: 'HS256', kid }, good(), secret));
  });

  test('case 62: a key that the token brings along (jwk, x5c, jku, x5u) is neither used nor fetched', async () => {
    const thief = await makeKey('RS256', 'thief');
    const evil = await startKeyServer([thief.jwk, { ...thief.jwk, kid: 'k-RS256' }]);
    const brought = [
      { jwk: thief.jwk },
      { jku: evil.url },
      { x5u: evil.url },
      { x5c: [thief.pem.replace(/-----[^-]+-----|\s/g, '')] },
    ];
    for (const header of brought) {
      await expectRefused(app, await signWith(thief, good(), header));
      await expectRefused(app, await signWith(thief, good(), { ...header, kid: 'k-RS256' }));
      await expectRefused(app, forge({ alg: 'HS256', ...header }, good(), thief.pem));
    }
    expect(evil.asked).toEqual([]);
    await evil.close();
  });

  test('case 62: a token with any critical header is refused', async () => {
    for (const crit of [['exp'], ['b64'], [], 'x', null, ['http://example.com']]) {
      const jwt = app === 'keys' ? undefined : forge({ alg: 'HS256', crit, exp: 1, b64: false }, good());
      if (jwt !== undefined) await expectRefused(app, jwt);
      const text = `${part({ alg: 'RS256', kid: 'k-RS256', crit, b64: true })}.${part(good())}`;
      const bytes = new Uint8Array(
        await crypto.subtle.sign('RSASSA-PKCS1-v1_5', key('RS256').privateKey, Buffer.from(text)),
      );
      await expectRefused(app, `${text}.${Buffer.from(bytes).toString('base64url')}`);
    }
  });

  const claims: readonly (readonly [string, Record<string, unknown>])[] = [
    ['63: expired', { exp: now() - 31 }],
    ['63: expired long ago', { exp: 0 }],
    ['63: expired before time', { exp: -1 }],
    ['63: not valid yet', { nbf: now() + 600 }],
    ['63: without an expiry', { exp: undefined }],
    ['63: with the expiry null', { exp: null }],
    ['63: with an expiry of text', { exp: '9999999999' }],
    ['63: with the expiry 1e308', { exp: 1e308 }],
    ['63: with the expiry true', { exp: true }],
    ['63: with an expiry in a list', { exp: [now() + 600] }],
    ['63: with an expiry in milliseconds', { exp: Date.now() * 1000 }],
    ['64: without a subject', { sub: undefined }],
    ['64: with a number for a subject', { sub: 42 }],
    ['64: with null for a subject', { sub: null }],
    ['64: with a list for a subject', { sub: ['alice'] }],
    ['64: with an object for a subject', { sub: { toString: 'alice' } }],
    ['64: with an empty subject', { sub: '' }],
    ['64: with a blank subject', { sub: ' \t' }],
    ['64: with a NUL in its subject', { sub: 'a\u0000b' }],
    ['64: with half of a surrogate pair', { sub: '\ud800' }],
    ['64: with a subject of 256 bytes', { sub: 'x'.repeat(256) }],
    ['65: of another issuer', { iss: 'https://evil.test' }],
    ['65: of an issuer that begins alike', { iss: `${ISSUER}.evil.test` }],
    ['65: without an issuer', { iss: undefined }],
    ['65: of several issuers', { iss: [ISSUER, 'https://evil.test'] }],
    ['65: for another audience', { aud: 'other' }],
    ['65: without an audience', { aud: undefined }],
    ['65: for no audience', { aud: [] }],
    ['65: for an audience in other capitals', { aud: 'MediaKeep' }],
  ];
  test.each(claims)('case %s, a token is refused', async (_name, wrong) => {
    const merged = { ...good(), ...wrong };
    const tokens = [
      ...(app === 'keys' ? [] : [forge({ alg: 'HS256' }, merged)]),
      ...(app === 'secret' ? [] : [await signWith(key('ES256'), merged)]),
    ];
    expect(tokens).not.toHaveLength(0);
    for (const jwt of tokens) await expectRefused(app, jwt);
  });

  test('case 65: a list of audiences that contains ours is accepted', async () => {
    const jwt =
      app === 'keys'
        ? await signWith(key('EdDSA'), { ...good(), aud: ['x', AUDIENCE] })
        : forge({ alg: 'HS256' }, { ...good(), aud: ['x', AUDIENCE] });
    expect((await ask(app, jwt)).statusCode).toBe(200);
  });
});

test('case 64: the subject ../admin is a user like any other, and no admin', async () => {
  const jwt = forge({ alg: 'HS256' }, { ...good(), sub: '../admin' });
  expect((await ask('secret', jwt)).json()).toEqual({ items: [], nextCursor: null });
});

test('case 60: a token counts only in the Authorization header, and only as Bearer', async () => {
  const t = apps.secret as TestApp;
  const jwt = forge({ alg: 'HS256' }, good());
  for (const authorization of [`Basic ${jwt}`, jwt, `Bearer ${jwt} x`, `Bearer ${jwt},${jwt}`, 'Bearer', 'Bearer '])
    expect((await t.app.inject({ url: '/v1/media', headers: { authorization } })).statusCode).toBe(401);
  for (const name of ['token', 'access_token', 'jwt', 'authorization'])
    expect((await t.app.inject({ url: `/v1/stats?${name}=${jwt}` })).statusCode).toBe(401);
  const cookie = await t.app.inject({ url: '/v1/media', headers: { cookie: `token=${jwt}; jwt=${jwt}` } });
  expect(cookie.statusCode).toBe(401);
});
