// Case numbers in titles are those of the table in docs/threat-model.md.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { GithubOptions } from '../../../src/storage/github/options.ts';
import { isDotGit } from '../../../src/storage/github/names.ts';
import { createRequestPace } from '../../../src/storage/github/pacing.ts';
import { chunked, readAll } from '../../support/bodies.ts';
import { type FakeGithub, READ_ONLY_TOKEN, createFakeGithub } from '../../support/github/fake-github.ts';
import { type GithubStores, createGithubStores } from '../../support/github/github-store.ts';

let fake: FakeGithub;
let stores: GithubStores;
beforeAll(async () => {
  stores = await createGithubStores();
});
beforeEach(async () => {
  fake = await createFakeGithub();
});
afterEach(async () => {
  await fake.git.check();
  await fake.close();
});
afterAll(() => stores.close());

const PNG = { contentType: 'image/png' };
const app = (): Partial<GithubOptions> => ({
  token: undefined,
  appId: fake.tokens.appId,
  appPrivateKey: fake.tokens.privateKey,
});

test.each([
  'a..b',
  'x.lock',
  'x.lock/y',
  '@{u}',
  '@',
  '-rf',
  'refs/heads/x',
  'HEAD',
  '/a',
  'a/',
  'a//b',
  '.a',
  'a/.b',
  'a.',
  'a b',
  'a~1',
  'a^',
  'a:b',
  'a?',
  'a*',
  'a[b',
  'a\\b',
  'a\nb',
  '',
])('case 87: the branch %j is refused by the name of its setting, and nothing is asked', async (branch) => {
  const opening = stores.open(fake, { branch });
  await expect(opening).rejects.toMatchObject({ code: 'MISCONFIGURED' });
  await expect(opening).rejects.toThrow('GITHUB_BRANCH: ');
  expect(fake.requests).toEqual([]);
});

test.each(['main', 'media/kept', 'a.b', 'ä', 'x-1_2', '@a', 'refs'])(
  'case 87: the branch %j is taken as git takes it',
  async (branch) => {
    await fake.git.git('check-ref-format', '--branch', branch);
    await expect(stores.open(fake, { branch })).resolves.toBeDefined();
  },
);

test.each(['', '/', 'a/', '..', 'a/../b', '.', '.github', '.git', 'git~1', 'a\nb', 'a\\b', 'a\0b'])(
  'case 88: the directory %j is refused by the name of its setting',
  async (directory) => {
    await expect(stores.open(fake, { directory })).rejects.toThrow('GITHUB_DIRECTORY: ');
  },
);

test.each(['library', 'a/b/c', '../b', 'a/..', 'somebody/library.git', '-a/b', 'a b/c', 'https://github.com/a/b'])(
  'the repository %j is refused by the name of its setting',
  async (repository) => {
    await expect(stores.open(fake, { repository })).rejects.toThrow('GITHUB_REPOSITORY: ');
  },
);

test('case 88: a name that a file system takes for .git is refused, since git would refuse the whole commit', async () => {
  for (const name of [
    '.git',
    '.GIT',
    'git~1',
    'GIT~1',
    '.git ',
    '.git...',
    '.git::$INDEX_ALLOCATION',
    '\u200c.git',
    '.g\u200cit',
  ])
    expect(isDotGit(name)).toBe(true);
  for (const name of ['git', '.gitx', 'git~12', 'a.git', 'x.git~1']) expect(isDotGit(name)).toBe(false);
  const driver = await stores.open(fake);
  await expect(driver.put('a/git~1', chunked(Buffer.from('x')), PNG)).rejects.toMatchObject({ code: 'NOT_A_FILE' });
});

test.each([
  ['neither a token nor an App', { token: undefined }, 'GITHUB_TOKEN: is missing'],
  ['both', { appId: '1', appPrivateKey: 'x' }, 'GITHUB_TOKEN: is given beside an App'],
  ['an App without a key', { token: undefined, appId: '1' }, 'GITHUB_APP_PRIVATE_KEY: is missing'],
  ['a key without an App', { token: undefined, appPrivateKey: 'x' }, 'GITHUB_APP_ID: is missing'],
  [
    'a key that is none',
    { token: undefined, appId: '1', appPrivateKey: 'hunter2' },
    'GITHUB_APP_PRIVATE_KEY: cannot be read',
  ],
])('%s is refused by name', async (_name, options, message) => {
  const opening = stores.open(fake, options);
  await expect(opening).rejects.toMatchObject({ code: 'MISCONFIGURED' });
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.not.toThrow('hunter2');
});

test('a valid repository, branch and token pass the check, which leaves no trace in the branch', async () => {
  const driver = await stores.open(fake);
  const before = await fake.git.commits('main');
  await driver.check?.();
  expect(await fake.git.commits('main')).toEqual(before);
});

test.each<[string, Partial<GithubOptions>, RegExp]>([
  [
    'a repository that is not there',
    { repository: 'somebody/other' },
    /^GITHUB_REPOSITORY: .*somebody\/other.*GITHUB_TOKEN/,
  ],
  ['a branch that is not there', { branch: 'other' }, /^GITHUB_BRANCH: .*no branch other.*default is main/],
  [
    'a token that GitHub does not know',
    { token: 'wrong' },
    /^GITHUB_TOKEN: .*Bad credentials.*Contents: read and write/,
  ],
  ['a token that may only read', { token: READ_ONLY_TOKEN }, /^GITHUB_TOKEN: may not write.*Contents: read and write/],
  ['PUBLIC of a private repository', { public: true }, /^GITHUB_PUBLIC: .*private.*false/],
])('the check refuses %s and says what to do', async (_name, options, message) => {
  const driver = await stores.open(fake, options);
  const failure = await driver.check?.().catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'MISCONFIGURED', message: expect.stringMatching(message) });
});

test('the check refuses an archived repository, and an App that is not installed or whose key is another’s', async () => {
  fake.state.archived = true;
  await expect((await stores.open(fake)).check?.()).rejects.toThrow(/^GITHUB_REPOSITORY: .*archived/);
  const other = await stores.open(fake, { ...app(), appId: '1' });
  await expect(other.check?.()).rejects.toMatchObject({
    code: 'MISCONFIGURED',
    message: expect.stringMatching(/^GITHUB_APP_ID/),
  });
  const elsewhere = await stores.open(fake, { ...app(), repository: 'somebody/other' });
  await expect(elsewhere.check?.()).rejects.toMatchObject({ code: 'MISCONFIGURED' });
});

test('an unreachable GitHub during the check is unavailable, not a wrong setting', async () => {
  fake.fail({ match: /./, times: 100, answer: { status: 503, message: 'Unicorn' } });
  await expect((await stores.open(fake)).check?.()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('a public repository without PUBLIC is reported', async () => {
  fake.state.private = false;
  const log = vi.fn<(level: string, message: string) => void>();
  await (await stores.open(fake, {}, log)).check?.();
  expect(log).toHaveBeenCalledWith('warn', expect.stringContaining('is public'));
});

test('raw URLs are returned exactly when PUBLIC is set, and lead to the bytes', async () => {
  fake.state.private = false;
  expect((await stores.open(fake)).publicUrl).toBeUndefined();
  const driver = await stores.open(fake, { public: true });
  await driver.check?.();
  expect(driver.capabilities.publicUrl.able).toBe(true);
  const key = 'outputs/ü ser/a b#c?%41&+.png';
  await driver.put(key, chunked(Buffer.from('bytes')), PNG);
  const response = await fetch(driver.publicUrl?.(key) ?? '');
  expect([response.status, await response.text()]).toEqual([200, 'bytes']);
  fake.state.private = true;
  expect((await fetch(driver.publicUrl?.(key) ?? '')).status).toBe(404);
});

test('an App finds its installation, requests a token once, and another when that one has expired', async () => {
  const driver = await stores.open(fake, { ...app(), appPrivateKey: fake.tokens.privateKey.replaceAll('\n', '\\n') });
  await driver.check?.();
  await driver.put('installation', chunked(Buffer.from('x')), PNG);
  const found = await driver.get('installation');
  expect(found && String(await readAll(found.stream))).toBe('x');
  expect(fake.tokens.issued()).toBe(1);
  fake.tokens.endAll();
  // Octokit takes the refusal of a young token for replication delay at GitHub, and waits for some seconds.
  await driver.put('b.png', chunked(Buffer.from('y')), PNG);
  expect(fake.tokens.issued()).toBe(2);
  expect(await fake.git.files('main', 'file-library')).toHaveLength(2);
});

test('writes pass at once up to a quarter of a minute’s budget, then one per second, and a long queue is refused', async () => {
  let now = 0;
  const waits: number[] = [];
  const pace = createRequestPace(
    80,
    () => now,
    async (milliseconds) => waits.push(milliseconds),
  );
  for (let index = 0; index < 20; index += 1) await pace.next();
  expect(waits).toEqual([]);
  for (let index = 0; index < 40; index += 1) await pace.next();
  expect(waits.slice(0, 3)).toEqual([1000, 2000, 3000]);
  expect(waits.at(-1)).toBe(40_000);
  expect(() => pace.assertRoom(10)).not.toThrow();
  expect(() => pace.assertRoom(30)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }) as Error);
  now = 60_000;
  waits.length = 0;
  for (let index = 0; index < 20; index += 1) await pace.next();
  expect(waits).toEqual([]);
});
