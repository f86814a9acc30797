// Case numbers in titles are those of the table in docs/threat-model.md.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { chunked, readAll } from '../../support/bodies.ts';
import { type FakeGithub, createFakeGithub } from '../../support/github/fake-github.ts';
import { type GithubStores, createGithubStores } from '../../support/github/github-store.ts';
import type { WriterOrder } from '../../support/github/github-writer.ts';

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

const body = (text: string) => chunked(Buffer.from(text));
const PNG = { contentType: 'image/png' };
/** Longer than a dozen blobs take on a busy machine. */
const WINDOW = { batchWindowMs: 2000 };
const commits = async () => (await fake.git.commits('main')).length;

test('case 103: a thousand small images stored by two processes at once are all there, and no commit is lost', async () => {
  const run = promisify(execFile);
  const started = performance.now();
  const script = fileURLToPath(new URL('../../support/github/github-writer.ts', import.meta.url));
  const { apiUrl, rawUrl } = fake;
  const outputs = await Promise.all(
    ['first', 'second'].map((name) => {
      const order: WriterOrder = { apiUrl, rawUrl, connectionString: stores.connectionString, name, count: 500 };
      return run(process.execPath, [script, JSON.stringify(order)]);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const stored = outputs.flatMap(({ stdout }) => Object.entries(JSON.parse(stdout) as Record<string, string>));
  expect(stored).toHaveLength(1000);
  const files = await fake.git.files('main', 'file-library');
  expect(files.toSorted()).toEqual(stored.map(([key]) => `file-library/${key}`).toSorted());
  const listed = (await fake.git.git('ls-tree', '-r', 'main')).trim().split('\n');
  const shas = new Map(listed.map((line) => [line.split('\t')[1] ?? '', line.split(/\s/)[2] ?? '']));
  for (const [key, sha256] of stored) {
    const object = await fake.git.read(shas.get(`file-library/${key}`) ?? '');
    expect(
      createHash('sha256')
        .update(object?.content ?? '')
        .digest('hex'),
    ).toBe(sha256);
  }
  const made = (await commits()) - 1;
  // One line of history, in which each commit has only added files.
  expect((await fake.git.git('log', '--diff-filter=DM', '--format=%H', 'main')).trim()).toBe('');
  expect((await fake.git.git('rev-list', '--merges', 'main')).trim()).toBe('');
  expect(made).toBeLessThan(100);
  process.stdout.write(`1,000 images by two processes: ${made} commits, ${seconds.toFixed(1)} s\n`);
});

test('writes within a window are one commit; its message contains only numbers', async () => {
  const driver = await stores.open(fake, WINDOW);
  const before = await commits();
  await Promise.all(Array.from({ length: 12 }, (_value, index) => driver.put(`a/${index}.png`, body(`${index}`), PNG)));
  expect(await commits()).toBe(before + 1);
  expect(await fake.git.git('log', '-1', '--format=%B', 'main')).toBe('mediakeep: store 12 files\n');
  await Promise.all([driver.delete('a/1.png'), driver.delete('a/2.png'), driver.put('a/12.png', body('x'), PNG)]);
  expect(await commits()).toBe(before + 2);
  expect((await fake.git.git('log', '-1', '--format=%B', 'main')).trim()).toBe('mediakeep: store 1 file, remove 2');
});

test('case 89: words of a caller never reach a commit message, so they forge no trailer', async () => {
  const driver = await stores.open(fake);
  const trailer = 'Co-authored-by: Mallory <m@example.com>';
  await driver.put(`a/${trailer}.png`, body(trailer), { contentType: `image/png\n\n${trailer}` });
  expect(await fake.git.git('log', '--format=%B', 'main')).not.toContain('Mallory');
  expect(await fake.git.git('log', '--format=%(trailers)', 'main').then((text) => text.trim())).toBe('');
});

test('deleting a missing file makes no commit', async () => {
  const driver = await stores.open(fake);
  const before = await commits();
  await driver.delete('none.png');
  await driver.delete('no/such/folder/none.png');
  expect(await commits()).toBe(before);
});

test('a deleted file is gone from the branch, and its bytes stay in the history', async () => {
  const driver = await stores.open(fake);
  await driver.put('a.png', body('secret'), PNG);
  await driver.delete('a.png');
  expect(await fake.git.files('main')).toEqual(['README.md']);
  expect(await fake.git.git('log', '-p', '--all')).toContain('secret');
});

test('of concurrent writers of one key, or of a key and one below it, exactly one wins', async () => {
  const driver = await stores.open(fake, WINDOW);
  const before = await commits();
  const results = await Promise.allSettled([
    driver.put('a.txt', body('one'), PNG),
    driver.put('a.txt', body('two'), PNG),
    driver.put('a.txt', body('three'), PNG),
  ]);
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  const nested = await Promise.allSettled(['b.txt', 'b.txt/c.txt'].map((key) => driver.put(key, body(key), PNG)));
  expect(nested.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  expect((await fake.git.files('main')).filter((file) => file.includes('b.txt'))).toHaveLength(1);
  expect(await commits()).toBe(before + 2);
});

test('a key whose bytes are there already is refused like any existing key', async () => {
  const [one, two] = [await stores.open(fake), await stores.open(fake)];
  await one.put('a.png', body('same'), PNG);
  await expect(one.put('a.png', body('same'), PNG)).rejects.toMatchObject({ code: 'EXISTS' });
  await expect(two.put('a.png', body('same'), PNG)).rejects.toMatchObject({ code: 'EXISTS' });
});

test('a key that leads through a file, or to a folder, is refused and nothing is replaced', async () => {
  const driver = await stores.open(fake);
  await driver.put('a/b.png', body('x'), PNG);
  await expect(driver.put('a/b.png/c.png', body('y'), PNG)).rejects.toMatchObject({ code: 'NOT_A_FILE' });
  await expect(driver.put('a', body('y'), PNG)).rejects.toMatchObject({ code: 'EXISTS' });
  await expect(driver.put('a', body('y'), { ...PNG, overwrite: true })).rejects.toMatchObject({ code: 'NOT_A_FILE' });
  await expect(driver.get('a')).rejects.toMatchObject({ code: 'NOT_A_FILE' });
  expect(await fake.git.files('main', 'file-library')).toEqual(['file-library/a/b.png']);
});

test('two drivers see each other’s files at once, and of their writes of one key one wins', async () => {
  const [one, two] = [await stores.open(fake), await stores.open(fake)];
  await one.put('a.png', body('one'), PNG);
  const found = await two.get('a.png');
  expect(found && String(await readAll(found.stream))).toBe('one');
  const results = await Promise.allSettled([one, two].map((driver) => driver.put('b.png', body('b'), PNG)));
  expect(results.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected']);
});

test('an abort while a file waits for its commit removes it; the others of the commit are stored', async () => {
  const driver = await stores.open(fake, WINDOW);
  const controller = new AbortController();
  const aborted = driver.put('gone.png', body('gone'), { ...PNG, signal: controller.signal });
  const kept = driver.put('kept.png', body('kept'), PNG);
  setTimeout(() => controller.abort(new Error('given up')), 150);
  await expect(aborted).rejects.toThrow('given up');
  // At once, without waiting for the commit.
  expect(await fake.git.files('main', 'file-library')).toEqual([]);
  await kept;
  expect(await fake.git.files('main', 'file-library')).toEqual(['file-library/kept.png']);
});

test('an abort while the commit is being made leaves nothing in the end', async () => {
  const driver = await stores.open(fake);
  const controller = new AbortController();
  fake.fail({ match: /^PATCH/, before: async () => controller.abort(new Error('given up')) });
  await expect(driver.put('a.png', body('x'), { ...PNG, signal: controller.signal })).rejects.toThrow('given up');
  expect(await fake.git.files('main', 'file-library')).toEqual([]);
});

test('an empty repository is read as empty, and the first file initialises it, even with several concurrent writers', async () => {
  await fake.close();
  fake = await createFakeGithub({ empty: true });
  const driver = await stores.open(fake, { branch: 'media/kept' });
  await driver.check?.();
  await driver.healthy();
  expect(await driver.get('a.png')).toBeUndefined();
  expect(await driver.stat('a.png')).toBeUndefined();
  expect((await driver.list('')).objects).toEqual([]);
  await driver.delete('a.png');
  const other = await stores.open(fake, { branch: 'media/kept' });
  await Promise.all(['a.png', 'b.png'].map((key) => driver.put(key, body(key), PNG)));
  await other.put('c.png', body('c'), PNG);
  expect((await driver.list('')).objects.map((object) => object.key)).toEqual(['a.png', 'b.png', 'c.png']);
});

test('a list reads folders one by one where GitHub truncates a recursive response', async () => {
  const driver = await stores.open(fake, { batchWindowMs: 100 });
  const keys = ['a/1', 'a/2', 'a/b/3', 'a/b/4', 'c.d/5', 'c/6', 'c/7', 'é'];
  await Promise.all(keys.map((key) => driver.put(key, body(key), PNG)));
  fake.state.treeLimit = 5;
  const fresh = await stores.open(fake);
  expect((await fresh.list('')).objects.map((object) => object.key)).toEqual(keys.toSorted());
  expect((await fresh.list('', 'a/b/3')).objects.map((object) => object.key)).toEqual(keys.toSorted().slice(3));
});

test('a folder that is too large for one response hides no existing file', async () => {
  const driver = await stores.open(fake, { batchWindowMs: 100 });
  await Promise.all(['1', '2', '3', '4'].map((key) => driver.put(`wide/${key}`, body(key), PNG)));
  fake.state.treeLimit = 2;
  const fresh = await stores.open(fake);
  await expect(fresh.put('wide/4', body('other'), PNG)).rejects.toMatchObject({ code: 'EXISTS' });
  await fresh.put('wide/5', body('5'), PNG);
  expect(await fake.git.files('main', 'file-library')).toHaveLength(5);
});

test('unchanged trees are not fetched again', async () => {
  const driver = await stores.open(fake);
  await driver.put('a/b/c/1.png', body('1'), PNG);
  await driver.list('');
  const before = fake.requests.length;
  await driver.list('');
  expect(fake.requests.slice(before)).toEqual(['GET /repos/somebody/library/git/ref/heads/main']);
});
