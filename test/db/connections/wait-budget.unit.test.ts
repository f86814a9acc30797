import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WaitBudget } from '../../../src/db/connections/wait-budget.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const wait = (ms: number) => () => new Promise<void>((resolve) => setTimeout(resolve, ms));
const during = async <T>(budget: WaitBudget, work: () => Promise<T>): Promise<T> => {
  const begun = budget.begin();
  return work().finally(() => budget.end(begun));
};
const left = (budget: WaitBudget) => Math.round(budget.left(performance.now()) / 100) / 10;

test('waits add up; those at the same time count once, and short ones not at all', async () => {
  const budget = new WaitBudget(20_000);
  const three = Promise.all([during(budget, wait(4000)), during(budget, wait(5000)), during(budget, wait(5000))]);
  await vi.advanceTimersByTimeAsync(3000);
  expect(left(budget)).toBe(17);
  await vi.advanceTimersByTimeAsync(2000);
  await three;
  expect(left(budget)).toBe(15);
  for (let n = 0; n < 100; n += 1) {
    const short = during(budget, wait(900));
    await vi.advanceTimersByTimeAsync(900);
    await short;
  }
  expect(left(budget)).toBe(15);
  const overlapping = [during(budget, wait(6000))];
  await vi.advanceTimersByTimeAsync(4000);
  overlapping.push(during(budget, wait(6000)));
  await vi.advanceTimersByTimeAsync(6000);
  await Promise.all(overlapping);
  expect(left(budget)).toBe(5);
});

test('nothing begins when nothing is left, until the answer has begun', async () => {
  const budget = new WaitBudget(2000);
  const long = during(budget, wait(3000));
  await vi.advanceTimersByTimeAsync(3000);
  await long;
  const work = vi.fn<() => Promise<number>>(async () => 7);
  await expect(during(budget, work)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  expect(work).not.toHaveBeenCalled();
  budget.lift();
  expect(await during(budget, work)).toBe(7);
});

test('a request stops waiting for shared work that goes on', async () => {
  const budget = new WaitBudget(3000);
  let ended = false;
  const shared = wait(10_000)().then(() => (ended = true));
  const failure = budget.race(() => shared).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(3000);
  expect(await failure).toMatchObject({ code: 'ETIMEDOUT' });
  await vi.advanceTimersByTimeAsync(7000);
  expect(ended).toBe(true);
});
