import { parse } from 'content-disposition';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { multipart, png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const ann = asUser('ann');
let salt = 0;
const bytes = () => png(2, 2, (salt += 1));

async function post(url: string, headers: Record<string, string>, payload: Buffer | object) {
  const answer = await t.app.inject({ method: 'POST', url, headers: { ...ann, ...headers }, payload });
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json();
}

async function byForm(disposition: string) {
  const form = multipart([{ name: 'file', value: bytes(), filename: 'x.png', type: 'image/png' }]);
  const payload = Buffer.from(
    form.payload.toString('latin1').replace('filename="x.png"', Buffer.from(disposition).toString('latin1')),
    'latin1',
  );
  return post('/v1/media', form.headers, payload);
}

/** Each way in which a file gets its name; returns the item. */
const WAYS: Readonly<Record<string, (name: string) => Promise<{ id: string; filename: string }>>> = {
  'filename of a form': (name) => byForm(`filename="${name}"`),
  'filename* of a form': (name) => byForm(`filename="x.png"; filename*=UTF-8''${encodeURIComponent(name)}`),
  'a field of a form': (name) =>
    (({ payload, headers }) => post('/v1/media', headers, payload))(
      multipart([
        { name: 'filename', value: name },
        { name: 'file', value: bytes(), filename: 'x.png' },
      ]),
    ),
  'the query of raw bytes': (name) =>
    post(`/v1/media?filename=${encodeURIComponent(name)}`, { 'content-type': 'image/png' }, bytes()),
  JSON: (name) =>
    post('/v1/media', {}, { filename: name, source: { type: 'base64', data: bytes().toString('base64') } }),
  PATCH: async (name) => {
    const { id } = await byForm('filename="x.png"');
    const url = `/v1/media/${id}`;
    return (await t.app.inject({ method: 'PATCH', url, headers: ann, payload: { filename: name } })).json();
  },
  'a direct upload': async (name) => {
    const file = bytes();
    const upload = await post('/v1/uploads', {}, { filename: name, contentType: 'image/png', bytes: file.length });
    const url = upload.url.slice(new URL(upload.url).origin.length);
    await t.app.inject({ method: 'PUT', url, headers: upload.headers, payload: file });
    return post(`/v1/uploads/${upload.id}/complete`, {}, {});
  },
};

async function downloadName(id: string): Promise<string | undefined> {
  const answer = await t.app.inject({ url: `/v1/media/${id}/content?download=true`, headers: ann });
  expect(answer.statusCode).toBe(200);
  return parse(String(answer.headers['content-disposition'])).parameters['filename'];
}

test.each(Object.entries(WAYS))('letters that joiners form stay as they were: %s', async (_way, store) => {
  for (const name of ['می\u200cروم.png', 'ක\u200d්\u200dය.png', '👩\u200d🚀.png', 'नमस्\u200dते.png', 'strength_0.5']) {
    const { id, filename } = await store(name);
    expect(filename).toBe(name);
    expect(await downloadName(id)).toBe(name.endsWith('.png') ? name : `${name}.png`);
  }
});

test.each(Object.entries(WAYS))('what would reorder a name is not in that of a download: %s', async (_way, store) => {
  for (const control of ['\u202e', '\u202a', '\u2066', '\u2069', '\u200e', '\u200f', '\u061c'])
    expect(await downloadName((await store(`fox${control}gnp.png`)).id)).toBe('foxgnp.png');
});

test('an empty `filename*` leaves the name to `filename`', async () => {
  expect((await byForm(`filename="fox.png"; filename*=UTF-8''`)).filename).toBe('fox.png');
});
