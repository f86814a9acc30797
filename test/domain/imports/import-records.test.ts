import type { ImportRecord } from '../../../src/domain/imports/import-record.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../../src/db/database.ts';
import { type Line, importRecords } from '../../../src/domain/imports/import-records.ts';
import { freePort } from '../../../src/db/embedded/free-port.ts';
import { chunked } from '../../support/bodies.ts';
import { createDataFolder } from '../../support/data-folder.ts';
import { type Origin, startOrigin } from '../../support/origin.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let origin: Origin;
beforeAll(async () => {
  origin = await startOrigin();
  t = await createTestApp({ FETCH_TRUSTED_HOSTS: '127.0.0.1', DATABASE_POOL_MAX: '10' });
});
afterAll(async () => {
  await t.close();
  origin.close();
});

async function* lines(records: ImportRecord[]): AsyncGenerator<Line> {
  for (const [index, record] of records.entries()) yield { line: index + 1, record };
}
const options = { concurrency: 8, signal: new AbortController().signal, onProgress: () => {} };
const run = (...records: ImportRecord[]) => importRecords(t.deps, lines(records), options);
const bytes = (salt: number) => ({ type: 'base64' as const, data: png(3, 3, salt).toString('base64') });

test('lines with one externalId, and equal lines, are stored once, even concurrently', async () => {
  const records = Array.from({ length: 6 }, () => ({ userId: 'u', externalId: 'once', source: bytes(1) }));
  const equal = Array.from({ length: 6 }, () => ({ userId: 'u', source: bytes(2) }));
  expect(await run(...records, ...equal)).toMatchObject({ stored: 2, present: 10, failed: [] });
  // Another user's id is another id.
  const other = await run({ userId: 'v', externalId: 'once', source: bytes(1) });
  expect(other).toMatchObject({ stored: 1 });
  expect(other.seconds).toBeLessThan(60);
});

test.each<[string, ImportRecord, ImportRecord, ImportRecord]>([
  ['bytes', { source: bytes(11) }, { source: bytes(11), prompt: 'a fox' }, { source: bytes(12) }],
  [
    'an address',
    { source: { type: 'url', url: '/ok/a.png?X-Amz-Signature=1' } },
    { source: { type: 'url', url: '/ok/a.png?X-Amz-Signature=2' } },
    { source: { type: 'url', url: '/ok/b.png' } },
  ],
  [
    'a record only',
    { source: { type: 'external', storageUrl: 'https://cdn.example.com/a.png', storageProvider: 'cdn' } },
    { source: { type: 'external', storageUrl: 'https://cdn.example.com/a.png', storageProvider: 'cdn' } },
    { source: { type: 'external', storageUrl: 'https://cdn.example.com/b.png', storageProvider: 'cdn' } },
  ],
])(
  'two old systems with the same ids: %s that differs from the known file is reported, not skipped',
  async (name, first, same, other) => {
    const own = ({ source, ...more }: ImportRecord): ImportRecord => ({
      ...more,
      userId: 'w',
      externalId: `7 ${name}`,
      source: source?.type === 'url' ? { type: 'url', url: origin.url + source.url } : source,
    });
    expect(await run(own(first))).toMatchObject({ stored: 1, failed: [] });
    expect(await run(own(same))).toMatchObject({ stored: 0, present: 1, failed: [] });
    const outcome = await run(own(other));
    expect(outcome).toMatchObject({ stored: 0, present: 0, failed: [{ line: 1 }] });
    expect(outcome.failed[0]?.reason).toMatch(/another file; put the name of the old system before its ids/);
    expect(await run({ ...own(other), externalId: `scene-images:7 ${name}` })).toMatchObject({ stored: 1, failed: [] });
  },
);

test('an object known under another key is the same if its bytes are', async () => {
  const put = async (key: string, salt: number) => {
    const body = (async function* () {
      yield png(3, 3, salt);
    })();
    await t.deps.stores.primary.put(key, { body, contentType: 'image/png', overwrite: false });
    return { userId: 'o', externalId: '8', source: { type: 'path' as const, path: key } };
  };
  const [first, copy, other] = [await put('old/a.png', 21), await put('new/a.png', 21), await put('other/8.png', 22)];
  expect(await run(first)).toMatchObject({ stored: 1, failed: [] });
  expect(await run(first)).toMatchObject({ present: 1, failed: [] });
  expect(await run(copy)).toMatchObject({ present: 1, failed: [] });
  expect(await run(other)).toMatchObject({ present: 0, failed: [{ line: 1 }] });
});

test('an object known by its bytes is found even when an older place of it has gone', async () => {
  const put = async (key: string, salt: number) => {
    const body = (async function* () {
      yield png(3, 3, salt);
    })();
    await t.deps.stores.primary.put(key, { body, contentType: 'image/png', overwrite: false });
    return { userId: 'g', externalId: '9', source: { type: 'path' as const, path: key } };
  };
  expect(await run(await put('gone/a.png', 31))).toMatchObject({ stored: 1, failed: [] });
  const missing = { userId: 'g', externalId: '9', source: { type: 'path' as const, path: 'gone/never.png' } };
  const outcome = await run(missing);
  expect(outcome).toMatchObject({ stored: 0, present: 0 });
  expect(outcome.failed[0]?.reason).toMatch(/another file/);
});

test('a path that no store has, and a record without a user, are reported with their lines', async () => {
  const outcome = await run(
    { userId: 'p', source: { type: 'path', path: '/nowhere/a.png' } },
    { source: bytes(41) },
    { userId: 'p', source: { type: 'path', path: 'never/written.png' } },
    { userId: 'p', source: bytes(42) },
  );
  expect(outcome).toMatchObject({ records: 4, stored: 1, present: 0, interrupted: false });
  expect(outcome.failed.map(({ line }) => line).toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
  const reasons = Object.fromEntries(outcome.failed.map(({ line, reason }) => [line, reason]));
  expect(reasons[1]).toContain('No store of this service has that path or key');
  expect(reasons[2]).toContain("no 'userId'");
});

test('a path that the first store does not have is found in another one', async () => {
  const archive = await createDataFolder('archive');
  const own = await createTestApp({ STORES: 'archive:local', ARCHIVE_ROOT: archive.path });
  try {
    const body = chunked(png(3, 3, 61));
    await own.deps.stores.get('archive').put('old/owl.png', { body, contentType: 'image/png' });
    const record: ImportRecord = { userId: 'q', externalId: '1', source: { type: 'path', path: 'old/owl.png' } };
    expect(await importRecords(own.deps, lines([record]), options)).toMatchObject({ stored: 1, failed: [] });
    const places = await own.deps.db.selectFrom('media_locations').select(['store', 'key', 'owned']).execute();
    expect(places).toEqual([{ store: 'archive', key: 'old/owl.png', owned: false }]);
  } finally {
    await own.close();
    await archive.remove();
  }
});

test('a line that could not be read is reported as such', async () => {
  async function* problem(): AsyncGenerator<Line> {
    yield { line: 7, problem: 'no JSON' };
  }
  expect(await importRecords(t.deps, problem(), options)).toMatchObject({
    records: 1,
    failed: [{ line: 7, reason: 'no JSON' }],
  });
});

test('no more records run at once than was asked for, and each is counted as it ends', async () => {
  const seen: number[] = [];
  const onProgress = (done: number) => void seen.push(done);
  const records = Array.from({ length: 12 }, (_value, n) => ({ userId: 'c', source: bytes(100 + n) }));
  let [asked, most] = [0, 0];
  async function* counted(): AsyncGenerator<Line> {
    for await (const line of lines(records)) {
      asked += 1;
      most = Math.max(most, asked - seen.length);
      yield line;
    }
  }
  await importRecords(t.deps, counted(), { ...options, concurrency: 3, onProgress });
  expect(seen).toHaveLength(12);
  expect(seen.at(-1)).toBe(12);
  expect(most).toBe(3);
});

test('an interrupted run ends its running records, and says so', async () => {
  const abort = new AbortController();
  const records = Array.from({ length: 20 }, (_value, n) => ({ userId: 'i', source: bytes(200 + n) }));
  const outcome = await importRecords(t.deps, lines(records), {
    concurrency: 2,
    signal: abort.signal,
    // Two that end at the same moment are told as two at once.
    onProgress: (done) => done >= 3 && abort.abort(),
  });
  expect(outcome.interrupted).toBe(true);
  expect(outcome.stored).toBe(outcome.records);
  expect(outcome.records).toBeLessThan(20);
});

test('versions of a scene are stored in the order of the file, and the last that says so becomes the current one', async () => {
  const projectId = '7d444840-9dc0-4000-8000-00000000000a';
  const version = (salt: number, isCurrent?: boolean): ImportRecord => ({
    userId: 's',
    projectId,
    sceneId: 'opening',
    source: bytes(salt),
    prompt: `${salt}`,
    isCurrent,
  });
  expect(await run(version(51, true), version(52, true), version(53, false), version(54))).toMatchObject({ stored: 4 });
  const rows = await t.deps.db
    .selectFrom('generated_images')
    .select(['prompt', 'version', 'id'])
    .where('scene_id', '=', 'opening')
    .orderBy('version')
    .execute();
  expect(rows.map(({ prompt, version: number }) => [prompt, number])).toEqual([
    ['51', 1],
    ['52', 2],
    ['53', 3],
    ['54', 4],
  ]);
  const { items } = (
    await t.app.inject({ url: `/v1/projects/${projectId}/scenes/opening/versions`, headers: asUser('s') })
  ).json<{ items: { prompt: string; isCurrent: boolean }[] }>();
  expect(items.filter(({ isCurrent }) => isCurrent).map(({ prompt }) => prompt)).toEqual(['52']);
});

test('when the database is unavailable the run ends with that error, and so do running records', async () => {
  const { db, close } = openDatabase({
    connectionString: `postgres://nobody@127.0.0.1:${await freePort()}/none`,
    poolMax: 2,
    statementTimeoutMs: 0,
  });
  const records = Array.from({ length: 30 }, (_value, n) => ({ userId: 'u', externalId: `x${n}`, source: bytes(n) }));
  await expect(importRecords({ ...t.deps, db }, lines(records), options)).rejects.toMatchObject({
    code: 'database_unavailable',
  });
  await close();
});
