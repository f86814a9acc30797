// Case numbers in titles are those of the table in docs/threat-model.md.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Part, multipart, png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asUser, createTestApp } from '../support/test-app.ts';
import { type Traces, expectNoSecretsLogged, expectTraces, traces } from '../support/traces.ts';

let t: TestApp;
let before: Traces;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});
beforeEach(async () => {
  before = await traces(t);
});
afterEach(() => expectTraces(t, before));

const FILE: Part = { name: 'file', value: png(2, 2, 3), filename: 'a.png' };
const send = (payload: Buffer | string, type: string) =>
  t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { 'content-type': type, ...asUser('alice') },
    payload,
  });
const sendForm = (parts: Part[]) => {
  const form = multipart(parts);
  return send(form.payload, form.headers['content-type'] ?? '');
};
const FORM = 'multipart/form-data; boundary=b';

test.each([
  ['no boundary', 'multipart/form-data'],
  ['an empty boundary', 'multipart/form-data; boundary='],
  ['another boundary', 'multipart/form-data; boundary=other'],
  ['a boundary of 5,000 characters', `multipart/form-data; boundary=${'x'.repeat(5000)}`],
])('case 37: a form with %s is refused', async (_name, type) => {
  const response = await send(multipart([FILE]).payload, type);
  expect(response.statusCode).toBe(400);
  expect(response.json().code).toMatch(/^(invalid_multipart|file_missing)$/);
});

test.each([
  ['without its last boundary', (body: Buffer) => body.subarray(0, -'--b--\r\n'.length)],
  ['cut in its last boundary', (body: Buffer) => body.subarray(0, -4)],
  ['cut in its file', (body: Buffer) => body.subarray(0, body.length - 30)],
  ['cut in a part’s head', (body: Buffer) => body.subarray(0, 20)],
  ['with a part without a name', () => Buffer.from('--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n')],
  [
    'with a file without a name',
    () => Buffer.from('--b\r\nContent-Disposition: form-data; filename="a.png"\r\n\r\nx\r\n--b--\r\n'),
  ],
  ['with a part without a head', () => Buffer.from('--b\r\n\r\nx\r\n--b--\r\n')],
  ['with nothing but its end', () => Buffer.from('--b--\r\n')],
  ['that is only text', () => Buffer.from('hello')],
])('case 37: a form %s is refused', async (_name, cut) => {
  const response = await send(cut(multipart([FILE], 'b').payload), FORM);
  expect(response.statusCode).toBe(400);
  expect(response.json().code).toMatch(/^(invalid_multipart|file_missing)$/);
});

test.each([
  ['image/png', ''],
  ['application/octet-stream', ''],
  ['application/json', ''],
  ['application/json', ' \n'],
  [FORM, ''],
])('case 38: an empty body of type %s is refused', async (type, payload) => {
  const response = await send(payload, type);
  expect(response.statusCode).toBe(400);
  expect(response.json().code).toMatch(/^(file_missing|invalid_json|invalid_multipart)$/);
});

test('case 38: a form with an empty file, with no file, or with no parts is refused', async () => {
  for (const parts of [[{ ...FILE, value: '' }], [{ name: 'prompt', value: 'x' }], []])
    expect((await sendForm(parts)).json()).toMatchObject({ status: 400, code: 'file_missing' });
});

test('case 39: a field’s name of 5,000 characters is refused, before and after the file', async () => {
  const field = { name: 'x'.repeat(5000), value: 'y' };
  expect((await sendForm([field, FILE])).json()).toMatchObject({ status: 400, code: 'invalid_multipart' });
  expect((await sendForm([FILE, field])).json()).toMatchObject({ status: 400, code: 'invalid_multipart' });
});

test('case 39: 10,000 parts are refused, before and after the file', async () => {
  const many = Array.from({ length: 10_000 }, (_value, index) => ({ name: 'tags', value: `t${index}` }));
  expect((await sendForm([...many, FILE])).json()).toMatchObject({ status: 400, code: 'invalid_multipart' });
  expect((await sendForm([FILE, ...many])).json()).toMatchObject({ status: 400, code: 'invalid_multipart' });
});

test('case 39: a part with 10,000 headers is refused or taken without them', async () => {
  const headers = Array.from({ length: 10_000 }, (_value, index) => `X-${index}: y\r\n`).join('');
  const body = `--b\r\n${headers}Content-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nx\r\n--b--\r\n`;
  expect((await send(body, FORM)).statusCode).toBe(400);
});

test.each([
  ['prompt', 310 * 1024, 413],
  ['metadata', 310 * 1024, 413],
  ['tags', 310 * 1024, 413],
  ['model', 3000, 400],
  ['prompt', 262_145, 400],
])('case 40: a field %s of %i bytes is refused, not cut', async (name, bytes, status) => {
  const field = { name, value: 'x'.repeat(bytes) };
  expect((await sendForm([field, FILE])).statusCode).toBe(status);
  expect((await sendForm([FILE, field])).statusCode).toBe(status);
});

test.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__', 'then'])(
  'case 41: a field or a file called %s is refused',
  async (name) => {
    for (const parts of [
      [{ name, value: 'x' }, FILE],
      [FILE, { name, value: 'x' }],
      [{ ...FILE, name }],
      [FILE, { ...FILE, name }],
      [{ name: `${name}[x]`, value: '1' }, FILE],
    ]) {
      const response = await sendForm(parts);
      expect(response.statusCode).toBe(400);
      expect(response.json().code).toMatch(/^invalid_(multipart|request)$/);
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  },
);

test.each(['userId', 'subfolder', 'filename', 'store', 'projectId', 'sceneId'])(
  'case 42: %s after the file is refused and says where it belongs',
  async (name) => {
    expect((await sendForm([FILE, { name, value: 'alice' }])).json()).toMatchObject({
      status: 400,
      code: 'field_after_file',
      field: name,
    });
  },
);

test('case 43: two files are refused, whatever the second is called', async () => {
  for (const second of [FILE, { ...FILE, name: 'other' }, { name: 'file', value: 'text' }]) {
    expect((await sendForm([FILE, second])).json()).toMatchObject({ status: 400, code: 'invalid_multipart' });
    expect((await sendForm([second, FILE])).json()).toMatchObject({ status: 400, code: 'invalid_multipart' });
  }
});

test('case 43: a field that comes twice is refused, in the form and beside the query', async () => {
  const field = { name: 'prompt', value: 'x' };
  expect((await sendForm([field, field, FILE])).statusCode).toBe(400);
  expect((await sendForm([FILE, field, field])).statusCode).toBe(400);
});

test.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString'])(
  'case 44: a header called %s changes nothing',
  async (name) => {
    const response = await t.app.inject({
      url: '/v1/media',
      headers: { ...Object.fromEntries([[name, 'x']]), ...asUser('alice') },
    });
    expect(response.statusCode).toBe(200);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  },
);
