// Case numbers in titles are those of the table in docs/threat-model.md.
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkKey } from '../../src/storage/keys.ts';
import { multipart, png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged, expectTraces, traces } from '../support/traces.ts';

let t: TestApp;
let salt = 0;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});

const json = { 'content-type': 'application/json' };
const source = () => ({ type: 'base64', data: png(1, 1, (salt += 1)).toString('base64') });
const postJson = (payload: object, headers: Record<string, string> = asUser('alice')) =>
  t.app.inject({ method: 'POST', url: '/v1/media', headers: { ...json, ...headers }, payload });
const bytesOf = (text: string) => Buffer.byteLength(text);

/** Cases 1 to 12, by number: values that a caller may put where a path is built from them. */
const HOSTILE: readonly (readonly [number, string])[] = [
  [1, '../../../../etc/passwd'],
  [1, '../'],
  [2, '..\\..\\windows'],
  [3, '%2e%2e%2fetc'],
  [4, '..%252f..%252fetc'],
  [5, '/etc/passwd'],
  [5, 'C:\\Windows\\x'],
  [5, '\\\\server\\share\\x'],
  [5, '//server/share'],
  [6, 'a%00b.png'],
  [7, '.'],
  [7, '..'],
  [8, 'name. '],
  [8, 'CON'],
  [8, 'con.png'],
  [8, 'a:b'],
  [8, 'COM\u00b9'],
  [9, 'x'.repeat(255)],
  [9, '\u{1f98a}'.repeat(60)],
  [10, '.git'],
  [10, '.mediakeep-volume'],
  [10, '.0123456789abcdef.part'],
  [12, 'gpj\u202egnp.exe'],
  [12, 'a\u200bb\u2060c\ufeff'],
  [18, '*'],
  [18, '[a-z]?'],
  [18, '{a,b}'],
];

/** A generated key: valid, below its folder, with only letters, digits, - and _ of the caller's text. */
function expectOwnKey(key: string, folder: RegExp): void {
  expect(() => checkKey(key)).not.toThrow();
  expect(key).toMatch(folder);
  for (const segment of key.split('/')) {
    expect(bytesOf(segment)).toBeLessThanOrEqual(255);
    expect(segment).toMatch(/^[\p{L}\p{M}\p{N}_-]+(\.[a-z0-9]+)?$/u);
    expect(segment).not.toMatch(/^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/iu);
    expect(segment).toBe(segment.normalize('NFC'));
  }
}

async function volumeEntries(): Promise<string[]> {
  return (await readdir(t.volume)).toSorted();
}

test.each(HOSTILE)('case %i: userId %j gets a folder of its own below outputs/', async (_case, userId) => {
  const response = await postJson({ userId, source: source() }, asAdmin());
  expect(response.statusCode).toBe(201);
  expect(response.json().userId).toBe(userId);
  expectOwnKey(response.json().storageKey, /^outputs\/[a-z0-9_-]+\/media-[0-9a-f]{16}\.png$/);
  expect(await volumeEntries()).toEqual(['.mediakeep-volume', 'outputs']);
});

test.each(HOSTILE)('case %i: the subject %j of a token gets a folder of its own and no other', async (_case, sub) => {
  const response = await postJson({ source: source() }, asUser(sub));
  expect(response.statusCode).toBe(201);
  expectOwnKey(response.json().storageKey, /^outputs\/[a-z0-9_-]+\/media-[0-9a-f]{16}\.png$/);
  const own = await t.app.inject({ url: `/v1/media/${response.json().id}/content`, headers: asUser(sub) });
  expect(own.statusCode).toBe(200);
  const stranger = await t.app.inject({
    url: `/v1/media/${response.json().id}/content`,
    headers: asUser(Array.from(sub).slice(1).join('') + '2'),
  });
  expect(stranger.json()).toMatchObject({ status: 404, code: 'not_found' });
});

test.each(HOSTILE)(
  'case %i: filename %j stays one harmless name in the folder of its user',
  async (_case, filename) => {
    const response = await postJson({ filename, source: source() });
    expect(response.statusCode).toBe(201);
    expectOwnKey(response.json().storageKey, /^outputs\/alice\/[^/]+-[0-9a-f]{16}\.png$/);
  },
);

test.each(HOSTILE.filter(([, name]) => !name.includes('"')))(
  'case %i: the file name %j of a multipart part stays one harmless name',
  async (_case, filename) => {
    const form = multipart([{ name: 'file', value: png(1, 1, (salt += 1)), filename, type: 'image/png' }]);
    const response = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { ...form.headers, ...asUser('alice') },
      payload: form.payload,
    });
    expect(response.statusCode).toBe(201);
    expectOwnKey(response.json().storageKey, /^outputs\/alice\/[^/]+-[0-9a-f]{16}\.png$/);
  },
);

test.each(HOSTILE)(
  'case %i: subfolder %j is refused or stays below the folder of its user',
  async (_case, subfolder) => {
    const before = await traces(t);
    const response = await postJson({ subfolder, source: source() });
    if (response.statusCode === 201) {
      expectOwnKey(response.json().storageKey, /^outputs\/alice\/([^/]+\/){1,8}media-[0-9a-f]{16}\.png$/);
    } else {
      expect(response.json()).toMatchObject({ status: 400, code: 'invalid_request', field: 'subfolder' });
      await expectTraces(t, before);
    }
  },
);

test.each([
  [1, 'a/../../b'],
  [2, 'a\\..\\b'],
  [7, 'a/./b'],
  [7, 'a//b'],
  [7, '/a'],
  [7, 'a/'],
  [9, Array.from({ length: 9 }, () => 'a').join('/')],
  [12, '\u202e'],
])('case %i: subfolder %j is refused and names the field', async (_case, subfolder) => {
  const before = await traces(t);
  const response = await postJson({ subfolder, source: source() });
  expect(response.json()).toMatchObject({ status: 400, code: 'invalid_request', field: 'subfolder' });
  await expectTraces(t, before);
});

test.each(['userId', 'filename', 'subfolder'] as const)(
  'case 6: a NUL in %s is refused in JSON, in a form and in a query',
  async (field) => {
    const before = await traces(t);
    const inJson = await postJson({ userId: 'bob', [field]: 'a\u0000b', source: source() }, asAdmin());
    const form = multipart([
      ...(field === 'userId' ? [] : [{ name: 'userId', value: 'bob' }]),
      { name: field, value: 'a\u0000b' },
      { name: 'file', value: png(), filename: 'a.png' },
    ]);
    const inForm = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { ...form.headers, ...asAdmin() },
      payload: form.payload,
    });
    const inQuery = await t.app.inject({
      method: 'POST',
      url: `/v1/media?${field === 'userId' ? '' : 'userId=bob&'}${field}=a%00b`,
      headers: { 'content-type': 'image/png', ...asAdmin() },
      payload: png(),
    });
    for (const response of [inJson, inForm, inQuery])
      expect(response.json()).toMatchObject({ status: 400, code: 'invalid_text' });
    await expectTraces(t, before);
  },
);

test('case 7: an empty userId is refused', async () => {
  const before = await traces(t);
  for (const userId of ['', ' ', '\u3000'])
    expect((await postJson({ userId, source: source() }, asAdmin())).json()).toMatchObject({
      status: 400,
      field: 'userId',
    });
  expect((await postJson({ source: source() }, asUser(''))).json()).toMatchObject({ status: 401 });
  await expectTraces(t, before);
});

test('case 9: a userId of 256 bytes is refused, one of 255 bytes is kept', async () => {
  expect((await postJson({ userId: 'é'.repeat(128), source: source() }, asAdmin())).json()).toMatchObject({
    status: 413,
    code: 'too_large',
    field: 'userId',
  });
  expect((await postJson({ userId: `${'é'.repeat(127)}x`, source: source() }, asAdmin())).statusCode).toBe(201);
});

test('case 11: NFC and NFD twins of a userId are two users with two folders', async () => {
  const [composed, decomposed] = ['Zo\u00eb', 'Zoe\u0308'];
  const first = (await postJson({ source: source() }, asUser(composed))).json();
  const second = (await postJson({ source: source() }, asUser(decomposed))).json();
  expect(first.storageKey.split('/')[1]).not.toBe(second.storageKey.split('/')[1]);
  const other = await t.app.inject({ url: `/v1/media/${first.id}`, headers: asUser(decomposed) });
  expect(other.statusCode).toBe(404);
});

test('case 13: users that differ only in case get folders that differ even where case is ignored', async () => {
  const folders = await Promise.all(
    ['Bob', 'bob', 'BOB', '_42ob'].map(async (sub) => (await postJson({ source: source() }, asUser(sub))).json()),
  );
  const names = folders.map((item) => item.storageKey.split('/')[1].toLowerCase());
  expect(new Set(names).size).toBe(4);
});

test('case 13: the same file name in another case never collides with the first file', async () => {
  const first = (await postJson({ filename: 'Fox.png', source: source() })).json();
  const second = (await postJson({ filename: 'fOX.PNG', source: source() })).json();
  expect(first.storageKey.toLowerCase()).not.toBe(second.storageKey.toLowerCase());
});
