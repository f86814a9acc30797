import { afterAll, beforeAll, expect, test } from 'vitest';
import { once } from '../../../src/domain/bytes/incoming-body.ts';
import type { Source } from '../../../src/domain/bytes/source.ts';
import type { Caller } from '../../../src/domain/caller.ts';
import { type BatchEntry, ingestBatch } from '../../../src/domain/ingest/ingest-batch.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const caller: Caller = { sub: 'alice', scopes: new Set(['media:read', 'media:write']) };
const { signal } = new AbortController();
const bytes = (salt: number): Source => ({ type: 'bytes', via: 'raw', body: once(png(3, 3, salt)) });
const entry = (prompt: string, source: () => Source, more: Partial<BatchEntry> = {}): BatchEntry => ({
  read: async () => ({ input: { prompt }, source: source() }),
  ...more,
});
const outcomes = (results: Awaited<ReturnType<typeof ingestBatch>>) =>
  results.map((each) => ('item' in each ? each.item.prompt : (each.error as { code: string }).code));

test('the results keep the order of the entries, and one that fails leaves the others alone', async () => {
  const entries = [
    entry('first', () => bytes(1)),
    entry('broken', () => ({ type: 'bytes', via: 'raw', body: once(Buffer.alloc(0)) })),
    {
      read: () => Promise.reject(Object.assign(new Error('unreadable'), { code: 'unreadable' })),
    },
    entry('last', () => bytes(2)),
  ];
  const results = await ingestBatch(t.deps, { caller, entries, signal });
  expect(outcomes(results)).toEqual(['first', expect.any(String), 'unreadable', 'last']);
  expect(results.map((each) => 'item' in each)).toEqual([true, false, false, true]);
});

test('the URL that expires first is fetched first, those without an expiry last, and few at once', async () => {
  const begun: string[] = [];
  let [running, most] = [0, 0];
  const waiting = (name: string, expires?: number): BatchEntry => ({
    url: expires === undefined ? undefined : { url: `https://x.example/a?expires=${expires}`, provider: undefined },
    async read() {
      begun.push(name);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
      throw new Error('enough');
    },
  });
  const now = Math.floor(Date.now() / 1000);
  const plain = ['a', 'b', 'c', 'd', 'e'].map((name) => waiting(name));
  await ingestBatch(t.deps, {
    caller,
    entries: [...plain, waiting('late', now + 900), waiting('soon', now + 60)],
    signal,
  });
  expect(begun.slice(0, 2)).toEqual(['soon', 'late']);
  expect(begun.slice(2).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(most).toBe(4);
});

test('each entry has a key of its own: a repeated batch answers the same items', async () => {
  const run = (idempotencyKey?: string) =>
    ingestBatch(t.deps, {
      caller,
      entries: [entry('a', () => bytes(5)), entry('b', () => bytes(6))],
      idempotencyKey,
      signal,
    });
  const ids = async (key?: string) => (await run(key)).map((each) => 'item' in each && each.item.id);
  const first = await ids('batch-1');
  expect(new Set(first).size).toBe(2);
  expect(await ids('batch-1')).toEqual(first);
  expect(await ids('batch-2')).not.toEqual(first);
  expect(await ids()).not.toEqual(await ids());
});

test('with `keepPending` an entry whose address does not answer is kept for later; without it the entry fails', async () => {
  const lost = [entry('later', () => ({ type: 'url', url: 'https://media.invalid/a.png' }))];
  const [kept] = await ingestBatch(t.deps, { caller, entries: lost, keepPending: true, signal });
  expect(kept).toMatchObject({ item: { prompt: 'later', status: 'pending' } });
  const [failed] = await ingestBatch(t.deps, { caller, entries: lost, signal });
  expect(failed).toHaveProperty('error');
});
