import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../../src/config/load-config.ts';
import { type FakeGithub, READ_ONLY_TOKEN, TOKEN, createFakeGithub } from '../../support/github/fake-github.ts';
import { bigPng, png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let fake: FakeGithub;
let t: TestApp;
const settings = (): Record<string, string> => ({
  STORAGE_PRIMARY: 'github',
  GITHUB_REPOSITORY: 'somebody/library',
  GITHUB_TOKEN: TOKEN,
  GITHUB_API_URL: fake.apiUrl,
  GITHUB_WRITES_PER_MINUTE: '0',
  GITHUB_BATCH_WINDOW_MS: '20',
});
beforeAll(async () => {
  fake = await createFakeGithub();
  t = await createTestApp(settings());
});
afterAll(async () => {
  await t.close();
  await fake.git.check();
  await fake.close();
});

const store = (payload: Buffer) =>
  t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { 'content-type': 'image/png', ...asUser('alice') },
    payload,
  });

test('the service stores, serves, ranges and purges an image in a repository', async () => {
  const bytes = png(4, 4);
  const response = await store(bytes);
  expect(response.statusCode).toBe(201);
  const { id, storageKey } = response.json();
  expect(response.json()).toMatchObject({ storageProvider: 'github', bytes: bytes.length });
  expect(await fake.git.files('main', 'file-library/outputs')).toEqual([`file-library/${storageKey}`]);
  const url = `/v1/media/${id}/content`;
  const whole = await t.app.inject({ url, headers: asUser('alice') });
  expect(whole.rawPayload.equals(bytes)).toBe(true);
  expect(whole.headers['x-storage-provider']).toBe('github');
  const part = await t.app.inject({ url, headers: { ...asUser('alice'), range: 'bytes=1-3' } });
  expect([part.statusCode, part.payload]).toEqual([206, 'PNG']);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}?purge=true`, headers: asUser('alice') });
  expect(await fake.git.files('main', 'file-library/outputs')).toEqual([]);
});

test("a file beyond the store’s limit gets 413, and a rate limit 503 with GitHub's time", async () => {
  expect((await store(bigPng(26 * 1024 ** 2))).statusCode).toBe(413);
  fake.fail({
    match: /POST/,
    answer: { status: 403, message: 'secondary rate limit', headers: { 'retry-after': '77' } },
  });
  const limited = await store(png(5, 5));
  expect([limited.statusCode, limited.json().code]).toEqual([503, 'store_unavailable']);
  expect(limited.headers['retry-after']).toBe('77');
  expect(limited.payload + t.logged()).not.toContain(TOKEN);
});

test('a wrong setting stops the start with its name; an unreachable GitHub only where no other store can write', async () => {
  const wrong = createTestApp({ ...settings(), GITHUB_TOKEN: READ_ONLY_TOKEN });
  await expect(wrong).rejects.toBeInstanceOf(ConfigError);
  await expect(wrong).rejects.toThrow(/GITHUB_TOKEN: may not write/);
  fake.fail({ match: /GET/, times: 4, answer: { status: 503, message: 'Unicorn' } });
  await expect(createTestApp(settings())).rejects.toThrow(/store 'github' cannot be reached: .*503/);
  fake.fail({ match: /GET/, times: 4, answer: { status: 503, message: 'Unicorn' } });
  const started = await createTestApp({ ...settings(), STORAGE_FALLBACKS: 'local' });
  expect(started.logged()).toMatch(/store '[^']+' cannot be reached: .*; starting without it/);
  await started.close();
});

test('a store of another name reads its own settings, and messages show no secret', () => {
  const named = { STORES: 'mirror:github', MIRROR_REPOSITORY: 'a/b', MIRROR_TOKEN: 'hunter2' };
  expect(loadConfig(named).stores.find((store) => store.name === 'mirror')?.settings).toMatchObject({
    REPOSITORY: 'a/b',
    BRANCH: 'main',
    DIRECTORY: 'file-library',
    PUBLIC: false,
    API_URL: 'https://api.github.com',
    MAX_OBJECT_BYTES: 25 * 1024 ** 2,
  });
  const load = () => loadConfig({ ...named, MIRROR_REPOSITORY: '', MIRROR_API_URL: 'github', MIRROR_PUBLIC: 'maybe' });
  expect(load).toThrow(/MIRROR_REPOSITORY is missing[^]*MIRROR_PUBLIC[^]*MIRROR_API_URL/);
  expect(load).not.toThrow(/hunter2/);
});
