import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { coalesced } from '../../src/db/coalesce.ts';
import type { Db } from '../../src/db/database.ts';

const db = {} as Db;

test('requests that arrive during a statement share the next one, and each gets its own result', async () => {
  const batches: number[][] = [];
  const double = coalesced<number, number>(
    async (_db, numbers) => {
      batches.push([...numbers]);
      await sleep(5);
      return numbers.map((number) => number * 2);
    },
    { running: 2, most: 5 },
  );
  const answers: Promise<number>[] = [];
  for (let n = 0; n < 30; n += 1) {
    answers.push(double(db, n));
    if (n < 2) await sleep(1);
  }
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 30 }, (_, n) => n * 2));
  expect(batches.length).toBeLessThan(10);
  expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(5);
});

test('a request that breaks the statement fails alone; a lost connection fails all, and nothing is sent twice', async () => {
  const runs: number[][] = [];
  const picky = coalesced<number, number>(
    async (_db, numbers) => {
      runs.push([...numbers]);
      if (numbers.includes(-1)) throw Object.assign(new Error('refused'), { code: '23505' });
      if (numbers.includes(-2)) throw Object.assign(new Error('gone'), { code: '08006' });
      return numbers.map((number) => number);
    },
    { running: 1, most: 10 },
  );
  const outcome = await Promise.allSettled([1, -1, 2].map((number) => picky(db, number)));
  expect(outcome.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  runs.length = 0;
  const gone = await Promise.allSettled([1, -2, 2].map((number) => picky(db, number)));
  expect(gone.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(runs).toEqual([[1, -2, 2]]);
  // The slot is free again.
  expect(await picky(db, 7)).toBe(7);
});

test('a statement that waits for a lock does not block others, and its slot is reused once', async () => {
  let release = () => {};
  const locked = new Promise<void>((resolve) => (release = resolve));
  let running = 0;
  let most = 0;
  const work = coalesced<string, string>(
    async (_db, names) => {
      running += 1;
      most = Math.max(most, running);
      await (names.includes('locked') ? locked : sleep(5));
      running -= 1;
      return [...names];
    },
    { running: 1, most: 1 },
  );
  const first = work(db, 'locked');
  const others = await Promise.all(['a', 'b', 'c'].map((name) => work(db, name)));
  expect(others).toEqual(['a', 'b', 'c']);
  expect(running).toBe(1);
  release();
  expect(await first).toBe('locked');
  most = 0;
  await Promise.all(['d', 'e', 'f'].map((name) => work(db, name)));
  expect(most).toBe(1);
});
