// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { sweepIntents } from '../../../src/domain/staging/sweep.ts';
import { AUDIO } from '../../media/made-audio.ts';
import { IMAGES } from '../../media/made-images.ts';
import { MODELS } from '../../media/made-models.ts';
import { VIDEOS } from '../../media/made-video.ts';
import { filesBelow } from '../../support/storage/local-volume.ts';
import { bigPng, png } from '../../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';
import { expectNoSecretsLogged } from '../../support/traces.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const begin = (payload: object, headers = asUser('a')) =>
  t.app.inject({ method: 'POST', url: '/v1/uploads', headers, payload });
const put = (url: string, payload: Buffer, headers: Record<string, string> = { 'content-type': 'image/png' }) =>
  t.app.inject({ method: 'PUT', url: url.slice(new URL(url).origin.length), headers, payload });
const complete = (id: string, headers = asUser('a')) =>
  t.app.inject({ method: 'POST', url: `/v1/uploads/${id}/complete`, headers });
const intents = () => t.deps.db.selectFrom('storage_intents').selectAll().execute();
async function begun(bytes: Buffer, fields: object = {}) {
  return (await begin({ contentType: 'image/png', bytes: bytes.length, ...fields })).json();
}

test('an upload is begun, sent without a token, completed, and only then visible, with all of its fields', async () => {
  const bytes = bigPng(300_000, 7);
  const fields = { prompt: 'a fox', tags: ['fox'], filename: 'fox.png', metadata: { seed: 7 }, visibility: 'public' };
  const response = await begin({ contentType: 'image/png', bytes: bytes.length, sha256: sha256(bytes), ...fields });
  expect(response.statusCode).toBe(201);
  const { id, method, url, headers, expiresAt } = response.json();
  expect([method, headers]).toEqual(['PUT', { 'content-type': 'image/png' }]);
  expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
  expect(url).toMatch(/^http:\/\/media\.test\/v1\/uploads\//);
  expect((await put(url, bytes, headers)).statusCode).toBe(204);
  expect((await t.app.inject({ url: '/v1/media', headers: asUser('a') })).json().items).toEqual([]);

  const completed = await complete(id);
  expect(completed.statusCode).toBe(201);
  const item = completed.json();
  expect(completed.headers.location).toBe(`/v1/media/${item.id}`);
  expect(item).toMatchObject({ ...fields, userId: 'a', bytes: bytes.length, sha256: sha256(bytes), width: 2 });
  expect(item.storageKey).toMatch(/^outputs\/a\/fox-.*\.png$/);
  expect((await t.app.inject(`/v1/media/${item.id}/content`)).rawPayload.equals(bytes)).toBe(true);
  const again = await complete(id);
  expect([again.statusCode, again.json().id]).toEqual([200, item.id]);
  expect(await intents()).toEqual([]);
});

test('twenty concurrent completions make one item', async () => {
  const bytes = bigPng(50_000, 3);
  const { id, url } = await begun(bytes);
  await put(url, bytes);
  const answers = await Promise.all(Array.from({ length: 20 }, () => complete(id)));
  expect(new Set(answers.map((answer) => answer.json().id)).size).toBe(1);
  expect(answers.filter((answer) => answer.statusCode === 201)).toHaveLength(1);
});

test.each([
  ['too few bytes', { bytes: 5000 }, bigPng(4000), 422, 'length_mismatch'],
  ['too many bytes', { bytes: 5000 }, bigPng(6000), 422, 'length_mismatch'],
  ['another digest', { bytes: 4000, sha256: 'a'.repeat(64) }, bigPng(4000), 422, 'digest_mismatch'],
  ['another type', { bytes: 4000, contentType: 'image/webp' }, bigPng(4000), 415, 'unsupported_media'],
  ['no media', { bytes: 4000 }, Buffer.alloc(4000, 'x'), 415, 'unsupported_media'],
])('%s than announced are refused and nothing is kept', async (_name, fields, bytes, status, code) => {
  const upload = (await begin({ contentType: 'image/png', ...fields })).json();
  const before = await filesBelow(t.volume);
  expect((await put(upload.url, bytes)).json()).toMatchObject({ status, code });
  expect(await filesBelow(t.volume)).toEqual(before);
  expect((await complete(upload.id)).json()).toMatchObject({ status: 409, code: 'upload_incomplete' });
});

test('an object written to the store by other means is compared at completion, and removed if it differs', async () => {
  for (const [fields, bytes, code] of [
    [{ bytes: 5000 }, bigPng(4000), 'length_mismatch'],
    [{ bytes: 4000, sha256: 'a'.repeat(64) }, bigPng(4000), 'digest_mismatch'],
    [{ bytes: 4000, contentType: 'image/webp' }, bigPng(4000), 'unsupported_media'],
    [{ bytes: 4000 }, Buffer.alloc(4000, 'x'), 'unsupported_media'],
  ] as const) {
    const { id } = (await begin({ contentType: 'image/png', ...fields })).json();
    const row = await t.deps.db.selectFrom('uploads').select('key').where('id', '=', id).executeTakeFirstOrThrow();
    const before = await filesBelow(t.volume);
    await t.deps.stores.primary.put(row.key, {
      body: (async function* () {
        yield bytes;
      })(),
      contentType: 'image/png',
    });
    expect((await complete(id)).json()).toMatchObject({ code });
    expect(await filesBelow(t.volume)).toEqual(before);
    expect((await complete(id)).json()).toMatchObject({ status: 404 });
  }
});

test('bytes are accepted once; a second upload is told to complete', async () => {
  const bytes = bigPng(9000, 5);
  const { id, url } = await begun(bytes);
  await put(url, bytes);
  expect((await put(url, bigPng(9000, 6))).json()).toMatchObject({ status: 409, code: 'object_taken' });
  expect((await complete(id)).json().sha256).toBe(sha256(bytes));
  expect((await put(url, bytes)).json()).toMatchObject({ status: 409, code: 'object_taken' });
});

test('an interrupted upload can be sent again', async () => {
  const bytes = bigPng(9000, 8);
  const { id, url } = await begun(bytes);
  expect((await put(url, bytes.subarray(0, 5000))).json()).toMatchObject({ code: 'length_mismatch' });
  expect((await put(url, bytes)).statusCode).toBe(204);
  expect((await complete(id)).statusCode).toBe(201);
});

test('case 68: a token opens one upload, in one direction, until its time is over', async () => {
  const bytes = png();
  const [one, two] = [await begun(bytes), await begun(bytes)];
  const token = (url: string) => new URL(url).searchParams.get('token') ?? '';
  const other = `http://media.test/v1/uploads/${two.id}/content?token=${token(one.url)}`;
  expect((await put(other, bytes)).json()).toMatchObject({ status: 403, code: 'signature_invalid' });
  const download = await t.app.inject(`/v1/signed/${token(one.url)}`);
  expect(download.json()).toMatchObject({ status: 403, code: 'signature_invalid' });
  const { id } = (
    await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { ...asUser('a'), 'content-type': 'image/png' },
      payload: bytes,
    })
  ).json();
  const signed = await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: asUser('a') });
  const read = new URL(signed.json().url).pathname.split('/')[3];
  const reverse = `http://media.test/v1/uploads/${two.id}/content?token=${read}`;
  expect((await put(reverse, bytes)).json()).toMatchObject({ status: 403, code: 'signature_invalid' });
  expect(
    (
      await put(
        one.url.replace(/.$/, (last: string) => (last === 'A' ? 'B' : 'A')),
        bytes,
      )
    ).statusCode,
  ).toBe(403);
  const past = t.deps.signer.sign({ method: 'PUT', itemId: two.id, variant: 'upload', download: false, expires: 1 });
  const late = `http://media.test/v1/uploads/${two.id}/content?token=${past}`;
  expect((await put(late, bytes)).json()).toMatchObject({ status: 403, code: 'signature_expired' });
});

test('case 67: another user can neither complete an upload nor name a parent that is not theirs', async () => {
  const bytes = png();
  const { id, url } = await begun(bytes);
  await put(url, bytes);
  expect((await complete(id, asUser('b'))).statusCode).toBe(404);
  const { id: item } = (await complete(id)).json();
  const foreign = await begin({ contentType: 'image/png', bytes: 10, parentId: item }, asUser('b'));
  expect(foreign.json()).toMatchObject({ status: 404, field: 'parentId' });
  expect((await begin({ contentType: 'image/png', bytes: 10, userId: 'a' }, asUser('b'))).statusCode).toBe(403);
  expect((await begin({ contentType: 'image/png', bytes: 10 }, asAdmin())).statusCode).toBe(400);
});

test.each([
  ['an unsupported type', { contentType: 'text/html', bytes: 10 }, 415, 'unsupported_media'],
  ['no size', { contentType: 'image/png' }, 400, 'invalid_request'],
  ['no byte', { contentType: 'image/png', bytes: 0 }, 400, 'invalid_request'],
  ['too many bytes', { contentType: 'image/png', bytes: 2 ** 50 }, 413, 'too_large'],
  ['an unknown field', { contentType: 'image/png', bytes: 10, source: {} }, 400, 'invalid_request'],
  ['an unknown store', { contentType: 'image/png', bytes: 10, store: 'nowhere' }, 400, 'unknown_store'],
])('an upload of %s is refused before it begins', async (_name, payload, status, code) => {
  const before = await intents();
  expect((await begin(payload)).json()).toMatchObject({ status, code });
  expect(await intents()).toEqual(before);
});

test('uploads that are never completed are swept after their expiry; unexpired ones and foreign objects stay', async () => {
  const bytes = bigPng(4000, 9);
  const [abandoned, inTime] = [await begun(bytes), await begun(bytes)];
  await put(abandoned.url, bytes);
  await put(inTime.url, bytes);
  await sweepIntents(t.deps);
  const before = await filesBelow(t.volume);
  const old = await t.deps.db
    .selectFrom('uploads')
    .selectAll()
    .where('id', '=', abandoned.id)
    .executeTakeFirstOrThrow();
  await t.deps.db
    .updateTable('storage_intents')
    .set({ leased_until: '2000-01-01' })
    .where('key', '=', old.key)
    .execute();
  await t.deps.db.updateTable('uploads').set({ expires_at: '2000-01-01' }).where('id', '=', abandoned.id).execute();
  expect((await sweepIntents(t.deps)).removed).toBe(1);
  expect(await filesBelow(t.volume)).toEqual(before.filter((file) => file !== old.key));
  expect((await complete(abandoned.id)).json().status).toBe(404);
  expect((await complete(inTime.id)).statusCode).toBe(201);
});

test('an upload that has expired without bytes is reported as expired, before a sweep, too', async () => {
  const { id } = await begun(bigPng(4000));
  expect((await complete(id)).json()).toMatchObject({ status: 409, code: 'upload_incomplete' });
  await t.deps.db.updateTable('uploads').set({ expires_at: '2000-01-01' }).where('id', '=', id).execute();
  expect((await complete(id)).json()).toMatchObject({ status: 410, code: 'upload_expired' });
});

test('an upload whose intent was just swept is reported as expired', async () => {
  const bytes = bigPng(4000, 9);
  const { id, url } = await begun(bytes);
  await put(url, bytes);
  const { key } = await t.deps.db.selectFrom('uploads').select('key').where('id', '=', id).executeTakeFirstOrThrow();
  await t.deps.db.updateTable('storage_intents').set({ leased_until: '2000-01-01' }).where('key', '=', key).execute();
  await sweepIntents(t.deps);
  expect((await complete(id)).json()).toMatchObject({ status: 410, code: 'upload_expired' });
});

test('the token of an upload expires with the upload', async () => {
  const { url, expiresAt } = await begun(bigPng(20_000, 41));
  const { expires } = t.deps.signer.verify(new URL(url).searchParams.get('token') ?? '');
  expect(expires).toBe(Math.floor(Date.parse(expiresAt) / 1000));
});

describe('what a browser can know of a file', () => {
  const made = [...IMAGES, ...AUDIO, ...VIDEOS, ...MODELS].map((each) => ({
    ...each,
    mime: mediaTypeByExtension(each.ext)?.mime ?? '',
  }));
  const send = async (bytes: Buffer, announced: object) => {
    const begun = await begin({ bytes: bytes.length, ...announced });
    if (begun.statusCode !== 201) return begun.json();
    const { id, url, headers } = begun.json();
    const sent = await put(url, bytes, headers);
    return sent.statusCode === 204 ? (await complete(id)).json() : sent.json();
  };

  const types = [...new Map(made.map((each) => [each.ext, each])).values()];

  test.each(types)(
    '.$ext is kept under its true type, with an empty type or octet-stream, by its name or its bytes',
    async ({ file, mime, ext }) => {
      const bytes = Buffer.from(file);
      const filename = `a.${ext}`;
      for (const announced of [
        { contentType: '', filename },
        { filename },
        { contentType: null, filename },
        { contentType: 'application/octet-stream', filename },
        { contentType: 'application/vnd.some-system', filename },
      ])
        expect([announced, (await send(bytes, announced)).mimeType]).toEqual([announced, mime]);
    },
  );

  const families = [
    ['image/png', 'image/apng'],
    ['video/webm', 'audio/webm', 'video/matroska'],
    ['video/mp4', 'video/quicktime', 'audio/mp4', 'video/3gpp', 'video/3gpp2'],
  ];
  test.each(types)(
    'of its family, any type may be announced for .$ext; of another one, it is refused',
    async ({ file, mime }) => {
      for (const family of families)
        for (const contentType of family.includes(mime) ? family : family.slice(0, 1)) {
          const answer = await send(Buffer.from(file), { contentType });
          if (family.includes(mime)) expect([contentType, answer.mimeType]).toEqual([contentType, mime]);
          else expect([contentType, answer.code]).toEqual([contentType, 'unsupported_media']);
        }
    },
  );

  test('without a type and a name the bytes tell, and what is no media is refused', async () => {
    expect((await send(png(5, 5), {})).mimeType).toBe('image/png');
    expect((await send(png(5, 6), { filename: 'no-ending' })).mimeType).toBe('image/png');
    for (const announced of [{}, { contentType: '' }, { filename: 'a.txt' }, { filename: 'a.png' }])
      expect((await send(Buffer.from('MZ no media at all'), announced)).code).toBe('unsupported_media');
    expect((await begin({ bytes: 9, contentType: 'text/html', filename: 'a.html' })).json()).toMatchObject({
      status: 415,
      field: 'contentType',
    });
  });
});
