// Case numbers in titles are those of the table in docs/threat-model.md.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { multipart, png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged, traces } from '../support/traces.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});

const picture = png();
const json = { 'content-type': 'application/json' };
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.constantFrom(
    '\u0000',
    '\ud800',
    '../',
    '%00',
    '{x}',
    'NULL',
    '\\',
    "'",
    '"',
    '1e400',
    'infinity',
    'x'.repeat(3000),
  ),
);
const anyValue = fc.oneof(
  anyText,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(anyText, { maxLength: 3 }),
  fc.jsonValue({ maxDepth: 3 }),
);
const TEXTS = [
  'username',
  'toolName',
  'prompt',
  'model',
  'provider',
  'size',
  'quality',
  'style',
  'messageId',
  'requestId',
  'jobId',
  'runId',
  'sceneId',
  'externalId',
  'originalUrl',
  'filename',
  'subfolder',
  'store',
  'sha256',
  'parentId',
  'projectId',
  'generatedAt',
  'expiresAt',
  'visibility',
  'status',
  'error',
  'userId',
] as const;
const FIELDS = [...TEXTS, 'n', 'tags', 'metadata', 'generation', 'id', '__proto__'] as const;
const FILTERS = [
  'userId',
  'toolName',
  'model',
  'provider',
  'status',
  'storageProvider',
  'mediaType',
  'mimeType',
  'jobId',
  'runId',
  'requestId',
  'messageId',
  'externalId',
  'projectId',
  'sceneId',
  'seed',
  'sampler',
  'tag',
  'tagMode',
  'metadata',
  'q',
  'createdAfter',
  'createdBefore',
  'sort',
  'limit',
  'cursor',
  'includeTotal',
  'prefix',
] as const;

const fieldsOf = (names: readonly string[], value: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 5 });

interface Answer {
  statusCode: number;
  headers: Record<string, unknown>;
  json(): { items?: { userId: string }[]; requestId?: string };
}

/** A success, or a problem that is the caller's fault. */
function expectNoFault(response: Answer): void {
  expect(response.statusCode).toBeLessThan(500);
  if (response.statusCode >= 400) expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
}

test('cases 45 to 58: no JSON in any field of an upload makes the service fail', async () => {
  await fc.assert(
    fc.asyncProperty(fieldsOf(FIELDS, anyValue), fc.boolean(), async (fields, admin) => {
      const payload = JSON.stringify({
        ...(admin && { userId: 'alice' }),
        ...fields,
        source: { type: 'base64', data: picture.toString('base64') },
      });
      const headers = { ...json, ...(admin ? asAdmin() : asUser('alice')) };
      const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload });
      expectNoFault(response);
    }),
    { numRuns: 300 },
  );
});

test('cases 45 to 58: each accepted text of an upload is returned and found unchanged', async () => {
  const kept = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(kept, kept, kept, async (model, externalId, tag) => {
      // That one is refused as a key of metadata; in a query, U+FFFD stands for bytes that were not UTF-8.
      fc.pre(
        tag.trim() !== '' && model !== '__proto__' && ![model, externalId, tag].some((text) => text.includes('\ufffd')),
      );
      const payload = { model, externalId, tags: [tag], metadata: { [model]: tag }, status: 'failed', error: 'x' };
      const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers: asUser('dora'), payload });
      expect(response.json()).toMatchObject({ model, externalId, tags: [tag.normalize('NFC').trim()] });
      expect(response.json().metadata).toEqual({ [model]: tag });
      const query = new URLSearchParams({ model, externalId, tag: tag.normalize('NFC').trim() }).toString();
      const found = await t.app.inject({ url: `/v1/media?${query}`, headers: asUser('dora') });
      expect(found.json().items.map((item: { id: string }) => item.id)).toContain(response.json().id);
    }),
    { numRuns: 60 },
  );
});

test('cases 45 to 58: no text in any field of a form makes the service fail', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...FIELDS), fc.oneof(anyText, fc.json())), { maxLength: 4 }),
      async (fields) => {
        const form = multipart([
          ...fields.map(([name, value]) => ({ name, value })),
          { name: 'file', value: picture, filename: 'a.png' },
        ]);
        const headers = { ...form.headers, ...asUser('alice') };
        expectNoFault(await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: form.payload }));
      },
    ),
    { numRuns: 200 },
  );
});

test('cases 52 to 59: no query makes a search fail, or shows what belongs to another', async () => {
  const value = fc.oneof(anyText, fc.json(), fc.integer().map(String), fc.date().map(String));
  await fc.assert(
    fc.asyncProperty(fieldsOf(FILTERS, value), async (query) => {
      const text = new URLSearchParams(query as Record<string, string>).toString();
      for (const path of ['/v1/media', '/v1/failures', '/v1/tags', '/v1/stats']) {
        const response = await t.app.inject({ url: `${path}?${text}`, headers: asUser('alice') });
        expectNoFault(response);
        for (const item of response.json().items ?? []) expect(item.userId).toBe('alice');
      }
    }),
    { numRuns: 200 },
  );
});

test('cases 45 to 58: no JSON in a change or in a request for URLs makes the service fail', async () => {
  const made = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: asUser('alice'),
    payload: { source: { type: 'base64', data: picture.toString('base64') } },
  });
  const { id } = made.json();
  await fc.assert(
    fc.asyncProperty(
      fieldsOf(
        ['tags', 'metadata', 'prompt', 'visibility', 'expiresAt', 'id', 'expiresIn', 'ids', 'download'],
        anyValue,
      ),
      async (fields) => {
        const headers = { ...json, ...asUser('alice') };
        const payload = JSON.stringify(fields);
        const change = { method: 'PATCH' as const, url: `/v1/media/${id}`, headers, payload };
        expectNoFault(await t.app.inject(change));
        expectNoFault(await t.app.inject({ ...change, method: 'POST', url: `/v1/media/${id}/url` }));
        expectNoFault(await t.app.inject({ ...change, method: 'POST', url: '/v1/signed-urls' }));
      },
    ),
    { numRuns: 200 },
  );
});

test('cases 30 to 58: no body of any bytes and no Content-Type make an upload fail', async () => {
  const types = fc.constantFrom(
    'application/json',
    'application/json; charset=utf-16',
    'application/x-json',
    'text/plain',
    'image/png',
    'image/',
    'application/octet-stream',
    'multipart/form-data',
    'multipart/form-data; boundary=x',
    'model/gltf+json',
    'multipart/form-data; boundary=""',
    '',
    ';',
    'application/vnd.api+json',
    '*/*',
    'x'.repeat(500),
    undefined,
  );
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
    fc.constantFrom(Buffer.alloc(0), Buffer.from('--x\r\n\r\n--x--\r\n'), Buffer.from('null'), Buffer.from('[]')),
  );
  await fc.assert(
    fc.asyncProperty(types, body, async (type, payload) => {
      const headers = { ...(type !== undefined && { 'content-type': type }), ...asUser('alice') };
      expectNoFault(await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload }));
      expectNoFault(await t.app.inject({ method: 'POST', url: '/v1/batches', headers, payload }));
    }),
    { numRuns: 300 },
  );
});

test('cases 45 to 58: refused requests leave no intent and no file without a row', async () => {
  const { intents, files, locations } = await traces(t);
  expect(intents).toBe(0);
  expect(files).toBe(locations);
});
