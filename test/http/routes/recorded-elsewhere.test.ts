import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp({ EXTERNAL_URL_HOSTS: 'raw.githubusercontent.com' });
});
afterAll(() => t.close());

const post = async (payload: object, url = '/v1/media', headers = asAdmin()) => {
  const answer = await t.app.inject({ method: 'POST', url, headers, payload });
  return { ...answer.json(), answered: answer.statusCode };
};

const URL_THERE = 'https://raw.githubusercontent.com/thomasdavis/omega/main/file-library/user-image-1234567890.png';
/** As callers of `saveGeneratedImage` send it. */
const RECORD = {
  userId: 'user123',
  username: 'johndoe',
  toolName: 'generateUserImage',
  prompt: 'A beautiful sunset over mountains',
  model: 'gemini-3-pro-image-preview',
  size: '1024x1024',
  storageUrl: URL_THERE,
  storageProvider: 'github',
  mimeType: 'image/png',
  bytes: 524_288,
  status: 'success',
  metadata: { filename: 'user-image-1234567890.png', timestamp: '2025-12-11T01:00:00.000Z' },
  messageId: '1234567890',
};
const SHA = 'ab'.repeat(32);

test('a record of the older table is taken as it is, and its facts are kept', async () => {
  const made = await post({ ...RECORD, sha256: SHA.toUpperCase() });
  expect(made).toMatchObject({ ...RECORD, answered: 201, sha256: SHA, mediaType: 'image' });
  const read = await t.app.inject({ url: `/v1/media/${made.id}`, headers: asUser('user123') });
  expect(read.json()).toMatchObject({ ...RECORD, sha256: SHA, storageKey: null, locations: [] });
  const bytes = await t.app.inject({ url: `/v1/media/${made.id}/content`, headers: asUser('user123') });
  expect([bytes.statusCode, bytes.headers.location]).toEqual([302, URL_THERE]);
});

test('a record may name the older local storage, although a store here has that name', async () => {
  const storageUrl = 'https://omegaai.dev/uploads/old.png';
  expect(await post({ userId: 'u', storageUrl, storageProvider: 'local' })).toMatchObject({
    answered: 201,
    storageUrl,
    storageProvider: 'local',
    storageKey: null,
    bytes: null,
  });
  expect(await post({ userId: 'u', storageUrl })).toMatchObject({ storageProvider: 'external' });
});

test('a failure of the older table has an empty storage URL', async () => {
  const failed = { userId: 'u', status: 'failed', error: 'no image', storageUrl: '', storageProvider: 'github' };
  expect(await post(failed)).toMatchObject({ answered: 201, error: 'no image', storageUrl: null });
  expect(await post({ ...failed, storageUrl: null, storageProvider: null })).toMatchObject({ answered: 201 });
});

test('the same facts are recorded of an external source', async () => {
  const { storageUrl, storageProvider, mimeType, bytes, ...fields } = RECORD;
  const source = { type: 'external', storageUrl, storageProvider, mimeType, bytes };
  expect(await post({ ...fields, sha256: SHA, source })).toMatchObject({ ...RECORD, answered: 201, sha256: SHA });
});

test('records of the older table come in batches and into scenes, too', async () => {
  const project = '6f1c7f0e-0000-4000-8000-000000000009';
  for (const url of ['/v1/batches', `/v1/projects/${project}/scenes`]) {
    const { results } = await post(
      {
        items: [
          { ...RECORD, sceneId: 's', projectId: project },
          { userId: 'u', bytes: 1 },
        ],
      },
      url,
    );
    expect(results).toMatchObject([
      { status: 201, item: { storageUrl: URL_THERE, bytes: 524_288 } },
      { status: 400, problem: { field: 'bytes' } },
    ]);
  }
});

test('beside a source, what an answer said of other bytes does not count; alone it is refused by name', async () => {
  const source = { type: 'base64', data: png().toString('base64') };
  const { bytes } = RECORD;
  const stored = await post({ ...RECORD, userId: 'u', source, sha256: undefined });
  expect(stored).toMatchObject({ answered: 201, status: 'success', mimeType: 'image/png', bytes: png().length });
  expect([stored['storageUrl'] === URL_THERE, stored['bytes'] === bytes]).toEqual([false, false]);
  for (const field of ['mimeType', 'bytes', 'storageProvider'] as const)
    expect(await post({ userId: 'u', [field]: RECORD[field] })).toMatchObject({ answered: 400, field });
  for (const storageUrl of ['file:///etc/passwd', 'javascript:alert(1)', 'https://h/ a'])
    expect(await post({ userId: 'u', storageUrl })).toMatchObject({ answered: 400, field: 'storageUrl' });
  expect(await post({ userId: 'u', storageUrl: '' })).toMatchObject({ answered: 400, code: 'file_missing' });
});

test('whatever facts a record has, they are what it shows', async () => {
  const facts = fc.record(
    {
      mimeType: fc.constantFrom('image/png', 'image/jpeg', 'video/mp4', 'application/x-unknown'),
      bytes: fc.maxSafeNat(),
      sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
      storageProvider: fc.constantFrom('github', 'local', 'omega', 'database'),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(facts, async (said) => {
      const made = await post({ userId: 'u', storageUrl: URL_THERE, ...said });
      expect(made).toMatchObject({ storageUrl: URL_THERE, ...said, answered: 201 });
    }),
    { numRuns: 30 },
  );
});

test('an idempotency key tells records with other facts apart', async () => {
  const headers = { ...asAdmin(), 'idempotency-key': 'record-1' };
  const first = await post(RECORD, '/v1/media', headers);
  expect((await post(RECORD, '/v1/media', headers)).id).toBe(first.id);
  expect(await post({ ...RECORD, bytes: 1 }, '/v1/media', headers)).toMatchObject({ answered: 422 });
});
