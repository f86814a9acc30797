// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Grant, type SigningKey, createSigner, derivedSigningKeys } from '../../src/domain/delivery/signing.ts';
import { png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asUser, createTestApp, token } from '../support/test-app.ts';
import { expectNoSecretsLogged } from '../support/traces.ts';

const OLD: SigningKey = { id: 'old', secret: 'o'.repeat(32) };
const NEW: SigningKey = { id: 'new', secret: 'n'.repeat(32) };
let clock = Date.now();
let keys = [OLD];
/** The service's own signer with a clock and keys that the tests change. */
const signer = {
  sign: (grant: Grant) => createSigner(keys, () => clock).sign(grant),
  verify: (text: string) => createSigner(keys, () => clock).verify(text),
  seal: (text: string) => createSigner(keys, () => clock).seal(text),
  unseal: (text: string) => createSigner(keys, () => clock).unseal(text),
};
let t: TestApp;
const alice = asUser('alice');
const seen: string[] = [];
beforeAll(async () => {
  t = await createTestApp({}, { signer });
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET, OLD.secret, NEW.secret, ...seen]);
  await t.close();
});

async function makeItem(): Promise<string> {
  const payload = { source: { type: 'base64', data: png().toString('base64') } };
  return (await t.app.inject({ method: 'POST', url: '/v1/media', headers: alice, payload })).json().id;
}
async function signedPath(id: string, body: object = {}): Promise<string> {
  const response = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: alice, payload: body });
  // Without the name of the file, which says nothing.
  const path = new URL(response.json().url).pathname.replace(/\/[^/]*$/, '');
  seen.push(path.split('/').at(-1) ?? '');
  return path;
}
const get = (url: string) => t.app.inject({ url });
const flip = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

test('case 68: a signed URL with any one character changed is refused', async () => {
  const path = await signedPath(await makeItem());
  expect((await get(path)).statusCode).toBe(200);
  const start = '/v1/signed/'.length;
  for (let at = start; at < path.length; at += 1) {
    const response = await get(flip(path, at));
    expect(response.json(), `character ${at}`).toMatchObject({ status: 403, code: 'signature_invalid' });
  }
});

test('case 68: the name behind the token may be any, and only one may follow', async () => {
  const path = await signedPath(await makeItem());
  for (const name of ['fox.png', 'any%20other', '%2e%2e%2fetc'])
    expect((await get(`${path}/${name}`)).statusCode).toBe(200);
  expect((await get(`${path}/a/b`)).statusCode).toBe(404);
  expect((await get(`${flip(path, 15)}/fox.png`)).json()).toMatchObject({ status: 403, code: 'signature_invalid' });
});

test('case 68: parts left out, doubled, exchanged or re-encoded are refused', async () => {
  const [one, other] = [await signedPath(await makeItem()), await signedPath(await makeItem())];
  const [id = '', payload = '', mac = ''] = one.slice('/v1/signed/'.length).split('~');
  const [, otherPayload = '', otherMac = ''] = other.slice('/v1/signed/'.length).split('~');
  const wrong = [
    `${id}~${otherPayload}~${mac}`,
    `${id}~${payload}~${otherMac}`,
    `${id}~${payload}`,
    `${id}~${payload}~`,
    `${id}~~${mac}`,
    `~${payload}~${mac}`,
    `${id}~${payload}~${mac}~${mac}`,
    `${id}~${payload}~${mac}=`,
    `${id}~${payload}=~${mac}`,
    `${id.toUpperCase()}~${payload}~${mac}`,
    `${id}~${payload}~${Buffer.from(mac, 'base64url').toString('hex')}`,
    `mku___proto__~${payload}~${mac}`,
    // The form of earlier versions, which signed it otherwise.
    `${id.slice(4)}.${payload}.${mac}`,
    `mkc_${id.slice(4)}~${payload}~${mac}`,
    token({ sub: 'alice', scope: 'media:admin' }),
    '...',
    'x'.repeat(2000),
  ];
  for (const text of wrong)
    expect((await get(`/v1/signed/${text}`)).json()).toMatchObject({ status: 403, code: 'signature_invalid' });
});

/** A token as earlier versions issued it. */
function formerToken(key: SigningKey, purpose: 'url' | 'cursor', text: string): string {
  const payload = Buffer.from(text).toString('base64url');
  const mac = createHmac('sha256', key.secret).update(`${purpose}\n${key.id}\n${payload}`).digest('base64url');
  return `${key.id}.${payload}.${mac}`;
}

test('case 68: a signed URL, an upload and a cursor of an earlier version work until they expire', async () => {
  const id = await makeItem();
  const expires = Math.floor(clock / 1000) + 60;
  const former = formerToken(OLD, 'url', JSON.stringify(['GET', id, 'content', 0, expires]));
  seen.push(former);
  expect((await get(`/v1/signed/${former}`)).statusCode).toBe(200);
  expect((await get(`/v1/signed/${flip(former, former.length - 5)}`)).statusCode).toBe(403);
  const late = formerToken(OLD, 'url', JSON.stringify(['GET', id, 'content', 0, expires - 120]));
  expect((await get(`/v1/signed/${late}`)).json()).toMatchObject({ status: 403, code: 'signature_expired' });

  const begun = await t.app.inject({
    method: 'POST',
    url: '/v1/uploads',
    headers: alice,
    payload: { contentType: 'image/png', bytes: png().length },
  });
  const grant = JSON.stringify(['PUT', begun.json().id, 'upload', 0, expires]);
  const sent = await t.app.inject({
    method: 'PUT',
    url: `/v1/uploads/${begun.json().id}/content?token=${formerToken(OLD, 'url', grant)}`,
    headers: { 'content-type': 'image/png' },
    payload: png(),
  });
  expect(sent.statusCode).toBe(204);

  await makeItem();
  const page = await t.app.inject({ url: '/v1/media?limit=1', headers: alice });
  const place = signer.unseal(page.json().nextCursor) ?? '';
  const cursor = formerToken(OLD, 'cursor', place);
  expect((await t.app.inject({ url: `/v1/media?limit=1&cursor=${cursor}`, headers: alice })).statusCode).toBe(200);
});

test('case 68: keys derived from the JWT secret accept what earlier versions signed, and sign in the new form', () => {
  const derived = derivedSigningKeys('s'.repeat(32));
  const [, former] = derived;
  if (!former) throw new Error('no former key');
  const own = createSigner(derived);
  const expires = Math.floor(Date.now() / 1000) + 60;
  const grant: Grant = { method: 'GET', itemId: '1', variant: 'content', download: false, expires };
  expect(own.verify(formerToken(former, 'url', JSON.stringify(['GET', '1', 'content', 0, expires])))).toEqual(grant);
  expect(own.verify(own.sign(grant))).toEqual(grant);
  expect(own.sign(grant)).toMatch(/^mku_derived~/);
});

test('no token or cursor of ours looks like a JWT, whatever it says', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.nat(),
      fc.boolean(),
      (text, itemId, expires, download) => {
        const grant: Grant = { method: 'GET', itemId, variant: 'content', download, expires };
        for (const made of [signer.sign(grant), signer.seal(text)]) {
          expect(made).toMatch(/^mk[uc]_[\w-]+~[\w-]*~[\w-]{43}$/);
          expect(made).not.toContain('.');
        }
        expect(signer.unseal(signer.seal(text))).toBe(Buffer.from(text).toString());
      },
    ),
  );
});

test('case 68: a signed URL cannot be changed to a download or to another item, and a query changes nothing', async () => {
  const path = await signedPath(await makeItem(), { download: false });
  expect((await get(path)).headers['content-disposition']).toMatch(/^inline/);
  expect((await get(`${path}?download=1`)).headers['content-disposition']).toMatch(/^inline/);
  const saving = await signedPath(await makeItem(), { download: true });
  expect((await get(`${saving}?download=0`)).headers['content-disposition']).toMatch(/^attachment/);
});

test('case 68: a signed URL reads its item, and no other method or route accepts it', async () => {
  const path = await signedPath(await makeItem());
  for (const method of ['PUT', 'POST', 'PATCH', 'DELETE'] as const)
    expect((await t.app.inject({ method, url: path })).statusCode).toBe(405);
  expect((await t.app.inject({ method: 'HEAD', url: path })).statusCode).toBe(200);
});

test.each([{ method: 'PUT' }, { method: 'DELETE' }, { variant: 'thumbnail' }, { variant: 'upload' }])(
  'case 68: a token signed for %j reads nothing',
  async (other) => {
    const grant = { method: 'GET', itemId: await makeItem(), variant: 'content', download: false } as const;
    const expires = Math.floor(clock / 1000) + 60;
    expect((await get(`/v1/signed/${signer.sign({ ...grant, expires })}`)).statusCode).toBe(200);
    const signed = signer.sign({ ...grant, ...(other as object), expires });
    expect((await get(`/v1/signed/${signed}`)).json()).toMatchObject({ status: 403, code: 'signature_invalid' });
  },
);

test('case 68: a signed URL is valid until the second of its expiry, but not in it', async () => {
  const id = await makeItem();
  const signed = await t.app.inject({
    method: 'POST',
    url: `/v1/media/${id}/url`,
    headers: alice,
    payload: { expiresIn: 60 },
  });
  const path = new URL(signed.json().url).pathname;
  const expires = Date.parse(signed.json().expiresAt);
  const now = clock;
  clock = expires - 1;
  expect((await get(path)).statusCode).toBe(200);
  for (const late of [expires, expires + 1, expires + 1e12]) {
    clock = late;
    expect((await get(path)).json()).toMatchObject({ status: 403, code: 'signature_expired' });
  }
  clock = now;
});

test('case 68: a signed URL is valid while its key is configured, and not after that key was retired', async () => {
  const path = await signedPath(await makeItem());
  keys = [NEW, OLD];
  expect((await get(path)).statusCode).toBe(200);
  const renewed = await signedPath(await makeItem());
  expect(renewed).toMatch(/^\/v1\/signed\/mku_new~/);
  keys = [NEW];
  expect((await get(path)).json()).toMatchObject({ status: 403, code: 'signature_invalid' });
  expect((await get(renewed)).statusCode).toBe(200);
  // The same id with another secret is another key.
  keys = [{ id: 'new', secret: 'x'.repeat(32) }];
  expect((await get(renewed)).statusCode).toBe(403);
  keys = [OLD];
});

test('case 68: a signed URL reads nothing once its item was deleted or purged, and works again once restored', async () => {
  const id = await makeItem();
  const path = await signedPath(id);
  const remove = (query: string) => t.app.inject({ method: 'DELETE', url: `/v1/media/${id}${query}`, headers: alice });
  await remove('');
  expect((await get(path)).json()).toMatchObject({ status: 404, code: 'not_found' });
  const signing = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: alice, payload: {} });
  expect(signing.statusCode).toBe(404);
  await t.app.inject({ method: 'POST', url: `/v1/media/${id}/restore`, headers: alice });
  expect((await get(path)).statusCode).toBe(200);
  await remove('?purge=true');
  expect((await get(path)).statusCode).toBe(404);
});

test.each(['0', '-1', '604801', '1e12', '1e400', '1.5', '"60"', 'true', '[60]'])(
  'case 68: expiresIn %s is refused',
  async (expiresIn) => {
    const id = await makeItem();
    const headers = { 'content-type': 'application/json', ...alice };
    for (const [url, payload] of [
      [`/v1/media/${id}/url`, `{"expiresIn":${expiresIn}}`],
      ['/v1/signed-urls', `{"ids":["${id}"],"expiresIn":${expiresIn}}`],
    ] as const) {
      const response = await t.app.inject({ method: 'POST', url, headers, payload });
      expect(response.json()).toMatchObject({ status: 400, code: 'invalid_request' });
    }
  },
);

test('case 68: a signed URL opens no record and signs no other URL', async () => {
  const path = await signedPath(await makeItem());
  const signature = path.split('/').at(-1) ?? '';
  const headers = { authorization: `Bearer ${signature}` };
  for (const url of ['/v1/media', '/v1/media/1', '/v1/stats'])
    expect((await t.app.inject({ url, headers })).statusCode).toBe(401);
});
