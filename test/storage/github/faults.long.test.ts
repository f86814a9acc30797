// Case numbers in titles are those of the table in docs/threat-model.md.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Driver } from '../../../src/storage/driver.ts';
import { chunked, readAll } from '../../support/bodies.ts';
import { type FakeGithub, type Fault, createFakeGithub } from '../../support/github/fake-github.ts';
import { type GithubStores, createGithubStores } from '../../support/github/github-store.ts';

let fake: FakeGithub;
let stores: GithubStores;
let driver: Driver;
beforeAll(async () => {
  stores = await createGithubStores();
});
beforeEach(async () => {
  fake = await createFakeGithub();
  driver = await stores.open(fake);
});
afterEach(async () => {
  await fake.git.check();
  await fake.close();
});
afterAll(() => stores.close());

const PNG = { contentType: 'image/png' };
const put = (key: string, text = key) => driver.put(key, chunked(Buffer.from(text)), PNG);
const read = async (key: string) => {
  const found = await driver.get(key);
  return found && String(await readAll(found.stream));
};
const mine = () => fake.git.files('main', 'file-library');
const SECONDARY = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';
const limit = (status: number, headers: Record<string, string>, message = SECONDARY) => ({
  answer: { status, message, headers },
});

const WRITES = ['POST .*/git/blobs', 'POST .*/git/trees', 'POST .*/git/commits', 'PATCH .*/git/refs'];
const TRANSIENT: [string, Omit<Fault, 'match'>][] = [
  ['403 with a short retry-after', limit(403, { 'retry-after': '1' })],
  ['429 with a short retry-after', limit(429, { 'retry-after': '1' }, 'Too many requests')],
  ['409', { answer: { status: 409, message: 'Conflict' } }],
  ['502', { answer: { status: 502, message: 'Bad Gateway' } }],
  ['a lost acknowledgement', { then: 'lose' }],
  ['an answer that is cut', { then: { cutAfter: 10 } }],
];

describe.each(WRITES)('case 101: %s', (route) => {
  test.each(TRANSIENT)('%s is got over, and the file is stored once', async (_name, fault) => {
    fake.fail({ match: new RegExp(route), ...fault });
    await put('a/b.png');
    expect(await mine()).toEqual(['file-library/a/b.png']);
    expect(await fake.git.commits('main')).toHaveLength(2);
    expect(await read('a/b.png')).toBe('a/b.png');
  });
});

test.each([
  ['a 403 with a long retry-after', limit(403, { 'retry-after': '120' }), 120],
  ['a 429 with a long retry-after', limit(429, { 'retry-after': '300' }, 'Too many requests'), 300],
  ['a secondary limit that names no time', limit(403, {}), 60],
])(
  'case 101: %s fails at once as unavailable, says when to come back, and is not asked again',
  async (_name, fault, wait) => {
    fake.fail({ match: /POST/, times: 100, ...fault });
    const started = performance.now();
    await expect(put('a.png')).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfter: wait });
    const before = fake.requests.length;
    await expect(put('b.png')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    // At once, without waiting even the shortest of these times.
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(fake.requests).toHaveLength(before);
    // Reads are not delayed by it.
    expect(await driver.get('a.png')).toBeUndefined();
    expect(await mine()).toEqual([]);
  },
);

test('case 101: a limit without a wait is got over a few times, not for ever', async () => {
  fake.fail({ match: /POST/, times: 100, ...limit(429, { 'retry-after': '0' }) });
  await expect(put('a.png')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(fake.requests).toHaveLength(4);
});

test.each([
  ['ten seconds are waited for', 10, false],
  ['eleven seconds are not', 11, true],
])('case 101: %s', async (_name, seconds, refused) => {
  fake.fail({ match: /POST/, ...limit(429, { 'retry-after': String(seconds) }) });
  const gone = new Error('the client went away');
  const leaving = new AbortController();
  const putting = driver.put('a.png', chunked(Buffer.from('x')), { ...PNG, signal: leaving.signal });
  putting.catch(() => {});
  while (fake.requests.length === 0) await sleep(5);
  await sleep(300);
  leaving.abort(gone);
  await expect(putting).rejects.toMatchObject(refused ? { code: 'UNAVAILABLE', retryAfter: seconds } : gone);
});

test.each([
  ['a file that is too large for GitHub', 422, 'Sorry, your input was too large to process', 'TOO_LARGE'],
  ['a token that may not write', 403, 'Resource not accessible by personal access token', 'UNAVAILABLE'],
])('%s is sent once', async (_name, status, message, code) => {
  fake.fail({ match: /POST .*blobs/, answer: { status, message } });
  await expect(put('a.png')).rejects.toMatchObject({ code });
  expect(fake.requests).toEqual(['POST /repos/somebody/library/git/blobs']);
});

test('case 101: a used-up hourly limit tells the seconds until it is reset', async () => {
  const reset = String(Math.floor(Date.now() / 1000) + 900);
  const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset };
  fake.fail({ match: /GET/, times: 10, ...limit(403, headers, 'API rate limit exceeded for user ID 1.') });
  const failure = await driver.get('a.png').catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'UNAVAILABLE' });
  expect((failure as { retryAfter: number }).retryAfter).toBeGreaterThan(890);
});

test('case 101: a push by somebody else between the read of the branch and its move loses nothing', async () => {
  let pushes = 0;
  const push = () => fake.git.push('main', { [`theirs-${(pushes += 1)}.txt`]: 'theirs' });
  fake.fail({ match: /PATCH/, times: 3, before: push });
  await Promise.all(['a.png', 'b.png'].map((key) => put(key)));
  expect((await fake.git.files('main')).toSorted()).toEqual([
    'README.md',
    'file-library/a.png',
    'file-library/b.png',
    'theirs-1.txt',
    'theirs-2.txt',
    'theirs-3.txt',
  ]);
});

test('case 101: a foreign push of the same key in that moment wins, and ours hears that it exists', async () => {
  fake.fail({ match: /PATCH/, before: () => fake.git.push('main', { 'file-library/a.png': 'theirs' }) });
  await expect(put('a.png')).rejects.toMatchObject({ code: 'EXISTS' });
  expect(await read('a.png')).toBe('theirs');
});

test('case 101: 422 that stays is an error after some attempts, and nothing is visible', async () => {
  fake.fail({ match: /PATCH/, times: 100, answer: { status: 422, message: 'Update is not a fast forward' } });
  await expect(put('a.png')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(fake.requests.filter((request) => request.startsWith('PATCH')).length).toBeLessThan(10);
  expect(await mine()).toEqual([]);
  fake.heal();
  await put('a.png');
  expect(await read('a.png')).toBe('a.png');
});

test('case 101: one file that GitHub will not take does not fail the others of its commit', async () => {
  fake.state.refusedName = 'poison.png';
  const patient = await stores.open(fake, { batchWindowMs: 150 });
  const names = ['1.png', '2.png', '3.png', 'poison.png', '4.png', '5.png', '6.png'];
  const results = await Promise.allSettled(names.map((name) => patient.put(name, chunked(Buffer.from(name)), PNG)));
  expect(results.map((result) => result.status)).toEqual(
    names.map((name) => (name === 'poison.png' ? 'rejected' : 'fulfilled')),
  );
  expect(await mine()).toHaveLength(6);
});

test('case 101: 502 that stays is unavailable after some attempts', async () => {
  fake.fail({ match: /./, times: 100, answer: { status: 502, message: 'Bad Gateway' } });
  await expect(driver.get('a.png')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(fake.requests).toHaveLength(4);
  await expect(driver.healthy()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await expect(driver.list('')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test.each<Fault['then']>([{ cutAfter: 1_000_000 }, { shortenTo: 1_000_000 }])(
  'case 101: a body with %j is the error of its stream',
  async (then) => {
    const bytes = Buffer.alloc(3 * 1024 ** 2, 7);
    await driver.put('large.bin', chunked(bytes), PNG);
    fake.fail({ match: /GET .*\/git\/blobs/, then });
    const found = await driver.get('large.bin');
    expect(found?.bytes).toBe(bytes.length);
    await expect(readAll(found?.stream ?? chunked(Buffer.alloc(0)))).rejects.toThrow();
    fake.fail({ match: /GET .*\/git\/blobs/, then });
    const part = await driver.get('large.bin', { range: { start: 900_000, end: 1_100_000 } });
    await expect(readAll(part?.stream ?? chunked(Buffer.alloc(0)))).rejects.toThrow();
  },
);

test('case 101: a small file whose answer is cut is asked for again', async () => {
  await put('a.png', 'x'.repeat(5000));
  fake.fail({ match: /GET .*\/contents/, then: { cutAfter: 1000 } });
  expect(await read('a.png')).toBe('x'.repeat(5000));
});

test('case 101: acknowledgements lost of an overwrite and a delete leave what was asked for', async () => {
  await put('a.png', 'one');
  fake.fail({ match: /PATCH/, then: 'lose' });
  await driver.put('a.png', chunked(Buffer.from('two')), { ...PNG, overwrite: true });
  expect(await read('a.png')).toBe('two');
  fake.fail({ match: /PATCH/, then: 'lose' });
  await driver.delete('a.png');
  expect(await mine()).toEqual([]);
});

test('a signal ends an upload that GitHub does not answer', async () => {
  fake.fail({ match: /POST .*blobs/, then: 'hang' });
  const put = driver.put('a.png', chunked(Buffer.from('x')), { ...PNG, signal: AbortSignal.timeout(100) });
  await expect(put).rejects.toBeInstanceOf(Error);
  expect(await mine()).toEqual([]);
});

test('a missing repository or branch is an error, and never a missing object or an empty list', async () => {
  await put('a.png');
  const elsewhere = await stores.open(fake, { branch: 'gone' });
  const unavailable = { code: 'UNAVAILABLE' };
  for (const gone of [elsewhere, await stores.open(fake, { repository: 'somebody/gone' })]) {
    await expect(gone.get('a.png')).rejects.toMatchObject(unavailable);
    await expect(gone.stat('a.png')).rejects.toMatchObject(unavailable);
    await expect(gone.list('')).rejects.toMatchObject(unavailable);
    await expect(gone.delete('a.png')).rejects.toMatchObject(unavailable);
    await expect(gone.put('b.png', chunked(Buffer.from('x')), PNG)).rejects.toMatchObject(unavailable);
    await expect(gone.healthy()).rejects.toMatchObject(unavailable);
  }
});

test('a file that is too large is refused before anything is sent, announced or not', async () => {
  const small = await stores.open(fake, { maxObjectBytes: 1000 });
  const before = fake.requests.length;
  const bytes = Buffer.alloc(1001);
  await expect(small.put('a.png', chunked(bytes), { ...PNG, size: 1001 })).rejects.toMatchObject({ code: 'TOO_LARGE' });
  await expect(small.put('a.png', chunked(bytes), PNG)).rejects.toMatchObject({ code: 'TOO_LARGE' });
  expect(fake.requests).toHaveLength(before);
  await small.put('b.png', chunked(bytes.subarray(1)), PNG);
});

test('no failure shows a token or a body', async () => {
  fake.fail({ match: /POST/, times: 10, answer: { status: 403, message: 'Forbidden' } });
  const failure = await put('a.png', 'precious').catch((error: unknown) => error);
  const { inspect } = await import('node:util');
  const shown = inspect(failure, { depth: 10, showHidden: true });
  expect(shown).not.toContain('github_pat');
  expect(shown).not.toContain(Buffer.from('precious').toString('base64'));
  expect(shown).toContain('Forbidden');
});

test('a blob whose id is not that of the bytes sent is an error, and nothing is stored', async () => {
  const body = { sha: '0123456789abcdef0123456789abcdef01234567' };
  fake.fail({ match: /POST .*\/git\/blobs/, times: 10, answer: { status: 201, message: '', body } });
  await expect(put('other/bytes.png')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await mine()).toEqual([]);
});
