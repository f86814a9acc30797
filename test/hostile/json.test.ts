// Case numbers in titles are those of the table in docs/threat-model.md.
import { afterAll, beforeAll, expect, test } from 'vitest';
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

const alice = asUser('alice');
const data = () => png(1, 1, (salt += 1)).toString('base64');
/** Sends a body verbatim: what JSON.stringify cannot write. `SOURCE` stands for a picture. */
const postText = (text: string | Buffer, headers: Record<string, string> = alice) =>
  t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof text === 'string' ? text.replace('SOURCE', `"source":{"type":"base64","data":"${data()}"}`) : text,
  });
const postJson = (payload: object, headers: Record<string, string> = alice) =>
  postText(JSON.stringify({ source: { type: 'base64', data: data() }, ...payload }), headers);
const postForm = (fields: { name: string; value: string | Buffer }[]) => {
  const form = multipart([...fields, { name: 'file', value: png(1, 1, (salt += 1)), filename: 'a.png' }]);
  return t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...form.headers, ...alice },
    payload: form.payload,
  });
};
const get = (url: string, headers: Record<string, string> = alice) => t.app.inject({ url, headers });
const patch = async (body: string) => {
  const item = (await postJson({})).json();
  return t.app.inject({
    method: 'PATCH',
    url: `/v1/media/${item.id}`,
    headers: { 'content-type': 'application/json', ...alice },
    payload: body,
  });
};
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

async function expectRefused(response: { json(): unknown }, status: number, ...codes: string[]): Promise<void> {
  const problem = response.json() as { status: number; code: string };
  expect(problem.status).toBe(status);
  expect(codes).toContain(problem.code);
}

test.each([
  ['31: base64 with white space', 201, (text: string) => ` ${text.replace(/(.{7})/g, '$1\r\n\t ')}\n`],
  ['31: base64 with the URL-safe alphabet', 201, (text: string) => text.replaceAll('+', '-').replaceAll('/', '_')],
  ['31: base64 without padding', 201, (text: string) => text.replace(/=+$/, '')],
  ['31: base64 with too much padding', 400, (text: string) => `${text.replace(/=+$/, '')}===`],
  ['31: base64 with padding in the middle', 400, (text: string) => `${text.slice(0, 10)}==${text.slice(10)}`],
  ['31: base64 of a length that no bytes have', 400, (text: string) => `${text.replace(/=+$/, '')}AAAAA`.slice(0, 41)],
  ['31: base64 with a NUL in it', 400, (text: string) => `${text.slice(0, 8)}\u0000${text.slice(8)}`],
  ['31: base64 with a non-breaking space in it', 400, (text: string) => `${text.slice(0, 8)}\u00a0${text.slice(8)}`],
  ['31: a data URI whose type lies', 201, (text: string) => `data:text/html;charset=utf-8;base64,${text}`],
  ['31: a data URI without a comma', 400, (text: string) => `data:image/png;base64${text}`],
  ['31: an empty data URI', 400, () => 'data:image/png;base64,'],
  ['31: base64 of nothing but white space', 400, () => ' \n'],
])('case %s is answered %i', async (_name, status, encode) => {
  const before = await traces(t);
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: alice,
    payload: { source: { type: 'base64', data: encode(data()) } },
  });
  expect(response.statusCode).toBe(status);
  if (status === 201) expect(response.json()).toMatchObject({ mimeType: 'image/png', width: 1 });
  else await expectTraces(t, before);
});

test.each([
  ['plain', '{SOURCE,"__proto__":{"scopes":["media:admin"]}}'],
  ['escaped', '{SOURCE,"\\u005f\\u005fproto\\u005f\\u005f":{"userId":"bob"}}'],
  ['in metadata', '{SOURCE,"metadata":{"a":{"__proto__":{"x":1}}}}'],
  ['constructor.prototype', '{SOURCE,"metadata":{"constructor":{"prototype":{"polluted":true}}}}'],
])('case 45: __proto__ %s is refused in a JSON body', async (_name, body) => {
  const before = await traces(t);
  await expectRefused(await postText(body), 400, 'invalid_json');
  await expectTraces(t, before);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test.each(['{"__proto__":{"x":1}}', '{"a":[{"constructor":{"prototype":{"x":1}}}]}', '{"\\u005f_proto__":1}'])(
  'case 45: %s is refused as metadata in a form, a query and a search, as in a JSON body',
  async (metadata) => {
    const before = await traces(t);
    const query = `metadata=${encodeURIComponent(metadata)}`;
    await expectRefused(await postForm([{ name: 'metadata', value: metadata }]), 400, 'invalid_json');
    const raw = await t.app.inject({
      method: 'POST',
      url: `/v1/media?${query}`,
      headers: { 'content-type': 'image/png', ...alice },
      payload: png(),
    });
    await expectRefused(raw, 400, 'invalid_json');
    await expectRefused(await get(`/v1/media?${query}`), 400, 'invalid_metadata');
    await expectTraces(t, before);
  },
);

test('case 45: __proto__ in a query is refused as an unknown field', async () => {
  await expectRefused(await get('/v1/media?__proto__=1'), 400, 'invalid_request');
  await expectRefused(await get('/v1/media?constructor=1'), 400, 'invalid_request');
});

test('case 46: duplicate keys count as their last value, for the check of the user as for the row', async () => {
  const refused = await postText('{SOURCE,"userId":"alice","userId":"bob"}');
  await expectRefused(refused, 403, 'user_mismatch');
  const kept = await postText('{SOURCE,"userId":"bob","userId":"alice","metadata":{"a":1,"a":2}}');
  expect(kept.json()).toMatchObject({ userId: 'alice', metadata: { a: 2 } });
});

test('case 47: JSON nested 100,000 deep is refused, wherever it stands', async () => {
  const before = await traces(t);
  const deep = nested(100_000);
  for (const body of [deep, `{SOURCE,"metadata":${deep}}`, `{SOURCE,"tags":${'['.repeat(1e5)}${']'.repeat(1e5)}}`])
    await expectRefused(await postText(body), 400, 'invalid_request', 'invalid_json');
  await expectRefused(await patch(`{"metadata":${deep}}`), 400, 'invalid_request');
  const array = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
  await expectRefused(await postForm([{ name: 'metadata', value: array }]), 400, 'invalid_request');
  await expectRefused(await get(`/v1/media?metadata=${encodeURIComponent(nested(600))}`), 400, 'invalid_metadata');
  expect((await traces(t)).intents).toBe(before.intents);
});

test('case 47: metadata 32 deep is kept, 33 deep is not', async () => {
  expect((await postText(`{SOURCE,"metadata":${nested(31)}}`)).statusCode).toBe(201);
  await expectRefused(await postText(`{SOURCE,"metadata":${nested(33)}}`), 400, 'invalid_request');
});

test.each([
  ['in a value', Buffer.from([0xff, 0xfe])],
  ['overlong', Buffer.from([0xc0, 0x80])],
  ['half of a surrogate pair', Buffer.from([0xed, 0xa0, 0x80])],
  ['cut', Buffer.from([0xf0, 0x9f, 0x98])],
])(
  'case 48: invalid UTF-8 (%s) is refused in a JSON body and a query, and read as Windows-1252 in a form',
  async (_name, bytes) => {
    const before = await traces(t);
    const body = Buffer.concat([Buffer.from('{"status":"failed","error":"'), bytes, Buffer.from('"}')]);
    await expectRefused(await postText(body), 400, 'invalid_json');
    const escaped = [...bytes].map((byte) => `%${byte.toString(16)}`).join('');
    for (const url of [`/v1/media?q=${escaped}`, `/v1/tags?prefix=${escaped}`, `/uploads/outputs/${escaped}`])
      expect((await get(url)).statusCode).toBe(400);
    await expectTraces(t, before);
    const kept = (await postForm([{ name: 'prompt', value: bytes }])).json() as { prompt: string };
    expect(kept.prompt).toHaveLength(bytes.length);
    expect(kept.prompt).not.toContain('\ufffd');
  },
);

test.each([
  ['a text', '"prompt":"a\\u0000b"'],
  ['a tag', '"tags":["a\\u0000"]'],
  ['a value of the metadata', '"metadata":{"a":["\\u0000"]}'],
  ['a key of the metadata', '"metadata":{"a\\u0000":1}'],
  ['a value of the generation', '"generation":{"seed":"\\u0000"}'],
])('case 49: U+0000 in %s is refused', async (_name, field) => {
  const before = await traces(t);
  await expectRefused(await postText(`{SOURCE,${field}}`), 400, 'invalid_text');
  await expectTraces(t, before);
  const [name] = field.split(':');
  if (name !== '"generation"') await expectRefused(await patch(`{${field}}`), 400, 'invalid_text');
});

test.each([
  ['a text', '"prompt":"\\ud800"'],
  ['a key of the metadata', '"metadata":{"\\udc00":1}'],
  ['a value of the metadata', '"metadata":{"a":"x\\ud83d"}'],
  ['a file name', '"filename":"\\udfff.png"'],
  ['a user', '"userId":"\\ud800"'],
])('case 50: half of a surrogate pair in %s is refused', async (_name, field) => {
  const before = await traces(t);
  await expectRefused(await postText(`{SOURCE,${field}}`, asAdmin()), 400, 'invalid_text', 'invalid_request');
  await expectTraces(t, before);
});

test.each([
  ['"metadata":{"a":1e400}', 400],
  ['"metadata":{"a":-1e400}', 400],
  ['"metadata":{"a":9007199254740993}', 400],
  ['"metadata":{"a":9007199254740991}', 201],
  ['"metadata":{"a":1e-400}', 201],
  ['"metadata":{"a":1.7976931348623157e308}', 400],
  ['"n":1e400', 400],
  ['"n":2147483648', 400],
  ['"n":-1', 400],
  ['"n":1.5', 400],
  ['"n":1e3', 201],
])('case 51: %s is answered %i', async (field, status) => {
  const before = await traces(t);
  expect((await postText(`{SOURCE,${field}}`)).statusCode).toBe(status);
  if (status !== 201) await expectTraces(t, before);
});

test.each(['99999999999999999999', '1e3', '1.5', '-1', '0', '01', '0x10', 'NaN', ' 1', '١'])(
  'case 52: the id %j is refused on every route that takes one',
  async (id) => {
    const path = encodeURIComponent(id);
    const json = { 'content-type': 'application/json', ...alice };
    const responses = [
      await get(`/v1/media/${path}`),
      await get(`/v1/media/${path}/content`),
      await t.app.inject({ method: 'DELETE', url: `/v1/media/${path}?purge=true`, headers: alice }),
      await t.app.inject({ method: 'POST', url: `/v1/media/${path}/restore`, headers: alice }),
      await t.app.inject({ method: 'PATCH', url: `/v1/media/${path}`, headers: json, payload: '{"prompt":"x"}' }),
      await t.app.inject({ method: 'POST', url: `/v1/media/${path}/url`, headers: json, payload: '{}' }),
      await t.app.inject({
        method: 'POST',
        url: '/v1/signed-urls',
        headers: json,
        payload: JSON.stringify({ ids: [id] }),
      }),
      await postJson({ parentId: id }),
    ];
    for (const response of responses) {
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({ code: 'invalid_request' });
    }
  },
);

test.each(['9223372036854775807', '9223372036854775808', '9999999999999999999'])(
  'case 52: the id %s, as large as ids get or larger, is not found',
  async (id) => {
    expect((await get(`/v1/media/${id}`)).statusCode).toBe(404);
    const signed = await t.app.inject({
      method: 'POST',
      url: '/v1/signed-urls',
      headers: { 'content-type': 'application/json', ...alice },
      payload: JSON.stringify({ ids: [id] }),
    });
    expect(signed.json().results).toMatchObject([{ id, status: 404 }]);
  },
);
