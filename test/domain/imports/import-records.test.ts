import type { ImportRecord } from '../../../src/domain/imports/import-record.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../../src/db/database.ts';
import { type Line, importRecords } from '../../../src/domain/imports/import-records.ts';
import { freePort } from '../../../src/db/embedded/free-port.ts';
import { type Origin, startOrigin } from '../../support/origin.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, createTestApp } from '../../support/test-app.ts';

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
  expect(await run({ userId: 'v', externalId: 'once', source: bytes(1) })).toMatchObject({ stored: 1 });
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
