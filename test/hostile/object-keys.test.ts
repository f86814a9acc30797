// Case numbers in titles are those of the table in docs/threat-model.md.
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLocalDriver } from '../../src/storage/local/local-driver.ts';
import { createDriverContext } from '../support/storage/driver-context.ts';
import { createStore } from '../../src/storage/stores/store.ts';
import { head, sendRaw } from '../support/raw-http.ts';
import { png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asAdmin, asUser, createTestApp, token } from '../support/test-app.ts';
import { expectNoSecretsLogged, expectTraces, traces } from '../support/traces.ts';

let t: TestApp;
let address: string;
let salt = 0;
beforeAll(async () => {
  t = await createTestApp();
  address = await t.listen();
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});

const source = () => ({ type: 'base64', data: png(1, 1, (salt += 1)).toString('base64') });
const postJson = (payload: object, headers: Record<string, string>) =>
  t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { 'content-type': 'application/json', ...headers },
    payload,
  });

const KEYS: readonly (readonly [number, string])[] = [
  [1, '../volume/outputs/x.png'],
  [1, 'outputs/../../etc/passwd'],
  [2, 'outputs\\..\\..\\x'],
  [5, '/etc/passwd'],
  [5, 'C:\\x'],
  [6, 'a\u0000b'],
  [7, '.'],
  [7, 'a//b'],
  [7, 'a/'],
  [9, `outputs/${'x'.repeat(256)}`],
  [10, '.mediakeep-volume'],
  [10, '.git/config'],
  [10, 'outputs/alice/.0123.part'],
];

test.each(KEYS)('case %i: source.key %j is refused', async (_case, key) => {
  const before = await traces(t);
  const response = await postJson({ userId: 'bob', source: { type: 'object', store: 'local', key } }, asAdmin());
  expect(response.json()).toMatchObject({ status: 400 });
  expect(['invalid_key', 'invalid_request', 'invalid_text']).toContain(response.json().code);
  await expectTraces(t, before);
});

test.each([
  [3, 'outputs/%2e%2e%2fetc%2fpasswd'],
  [4, '%252e%252e%252fetc'],
  [8, 'CON'],
  [8, 'outputs/name. '],
  [12, 'outputs/\u202e.png'],
  [18, 'outputs/*'],
  [18, 'outputs/alice/{a,b}.png'],
  [18, 'outputs/[a-z]*/media-????????????????.png'],
])('case %i: source.key %j is taken literally and names nothing', async (_case, key) => {
  const response = await postJson({ userId: 'bob', source: { type: 'object', store: 'local', key } }, asAdmin());
  expect(response.json()).toMatchObject({ status: 404, code: 'not_found' });
});

test.each([
  [1, '../../../etc/passwd', 400],
  [1, 'outputs/alice/../../../etc/passwd', 400],
  [2, '..%5c..%5cx', 400],
  [3, '%2e%2e%2fetc%2fpasswd', 400],
  [4, '..%252f..%252fetc%252fpasswd', 400],
  [4, '%252e%252e%252fetc', 404],
  [5, '/etc/passwd', 400],
  [5, 'C:%5cx', 400],
  [6, 'outputs/a%00.png', 400],
  [7, '.', 400],
  [7, '', 400],
  [9, 'x'.repeat(256), 400],
  [9, 'x/'.repeat(800), 400],
  [10, '.mediakeep-volume', 400],
  [12, 'outputs/%E2%80%AEgnp.png', 404],
  [18, 'outputs/*', 404],
  [18, 'outputs/%7Ba,b%7D', 404],
  [3, '%c0%ae%c0%ae/etc', 400],
])('case %i: /uploads/%s answers a 4xx as it stands on the wire', async (_case, key, status) => {
  const answer = await sendRaw(address, [
    head('GET', `/uploads/${key}`, [['Authorization', `Bearer ${token({ sub: 'alice', scope: 'media:read' })}`]]),
  ]);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toMatchObject({ status });
});

test('case 15: a key through a symbolic link out of the volume is refused, whoever made the link', async () => {
  const outside = `${t.volume}2`;
  await mkdir(`${outside}/secret`, { recursive: true });
  await mkdir(`${t.volume}/outputs`, { recursive: true });
  await writeFile(`${outside}/secret/pic.png`, png());
  await symlink(`${outside}/secret`, `${t.volume}/outputs/link`);
  await symlink(`${outside}/secret/pic.png`, `${t.volume}/outputs/pic.png`);
  for (const key of ['outputs/link/pic.png', 'outputs/pic.png']) {
    const response = await postJson({ userId: 'bob', source: { type: 'object', store: 'local', key } }, asAdmin());
    expect(response.json()).toMatchObject({ status: 400, code: 'invalid_key' });
  }
});

test('case 17: a volume whose name begins like another does not reach into it', async () => {
  const roots = [path.join(t.volume, '..', 'data'), path.join(t.volume, '..', 'data2')] as const;
  const [first] = await Promise.all(
    roots.map(async (root) =>
      createStore('twin', 'local', await createLocalDriver({ root, mountAliases: [] }, createDriverContext('twin'))),
    ),
  );
  await writeFile(path.join(roots[1], 'pic.png'), png());
  await symlink(roots[1], path.join(roots[0], 'link'));
  await expect(first?.get('link/pic.png')).rejects.toMatchObject({ code: 'invalid_key' });
  await expect(first?.delete('link/pic.png')).rejects.toMatchObject({ code: 'invalid_key' });
  expect(await readdir(roots[1])).toContain('pic.png');
});

test('case 17: users 1 and 10 never see or delete what is the other one’s', async () => {
  const one = (await postJson({ source: source() }, asUser('1'))).json();
  const ten = (await postJson({ source: source() }, asUser('10'))).json();
  const list = async (sub: string) =>
    (await t.app.inject({ url: '/v1/media', headers: asUser(sub) }))
      .json()
      .items.map((item: { id: string }) => item.id);
  expect(await list('1')).toEqual([one.id]);
  expect(await list('10')).toEqual([ten.id]);
  const keys = (await t.deps.stores.primary.list('outputs/1/')).objects.map((object) => object.key);
  expect(keys).toEqual([one.storageKey]);
  const denied = await t.app.inject({ method: 'DELETE', url: `/v1/media/${ten.id}?purge=true`, headers: asUser('1') });
  expect(denied.statusCode).toBe(404);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${one.id}?purge=true`, headers: asUser('1') });
  expect((await t.app.inject({ url: `/v1/media/${ten.id}/content`, headers: asUser('10') })).statusCode).toBe(200);
});

test('case 18: an object whose name holds glob characters is listed and served under its own name alone', async () => {
  await mkdir(`${t.volume}/theirs`, { recursive: true });
  await writeFile(`${t.volume}/theirs/[a].png`, png(1, 1, 200));
  await writeFile(`${t.volume}/theirs/a.png`, png(1, 1, 201));
  const adopted = await postJson(
    { userId: 'bob', source: { type: 'object', store: 'local', key: 'theirs/[a].png' } },
    asAdmin(),
  );
  expect(adopted.statusCode).toBe(201);
  const content = await t.app.inject({ url: '/uploads/theirs/[a].png', headers: asUser('bob') });
  expect(content.rawPayload.equals(png(1, 1, 200))).toBe(true);
  const listed = await t.deps.stores.primary.list('theirs/[a]');
  expect(listed.objects.map((object) => object.key)).toEqual(['theirs/[a].png']);
});
