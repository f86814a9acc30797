import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createGate, createRequestPace } from '../../../src/storage/github/pacing.ts';

/** A pace with a clock of its own. `write` resolves with the time at which the write may be sent. */
function paced(perMinute: number) {
  const clock = { now: 1_000_000 };
  const waits: number[] = [];
  const pace = createRequestPace(
    perMinute,
    () => clock.now,
    async (milliseconds) => void waits.push(milliseconds),
  );
  return {
    clock,
    pace,
    async write() {
      waits.length = 0;
      await pace.next();
      return clock.now + (waits[0] ?? 0);
    },
  };
}
const asked = async (pace: ReturnType<typeof paced>['pace'], queued: number): Promise<number | undefined> => {
  try {
    pace.assertRoom(queued);
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    return (error as { retryAfter: number }).retryAfter;
  }
};

test('no minute has more writes than were allowed, however they arrive', async () => {
  const pauses = fc.array(fc.oneof(fc.constant(0), fc.nat(3000), fc.nat(120_000)), { minLength: 1, maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 90 }), pauses, async (perMinute, gaps) => {
      const { clock, write } = paced(perMinute);
      const sent: number[] = [];
      for (const gap of gaps) {
        clock.now += gap;
        sent.push(await write());
      }
      for (const [at, first] of sent.entries()) {
        const inMinute = sent.slice(at).filter((time) => time < first + 60_000 - 1).length;
        expect(inMinute).toBeLessThanOrEqual(perMinute);
      }
      expect(sent).toEqual(sent.toSorted((a, b) => a - b));
    }),
  );
});

test('a quarter of the writes of a minute is sent at once, the others evenly; after a pause again', async () => {
  const { clock, write } = paced(80);
  const start = clock.now;
  for (let count = 0; count < 20; count += 1) expect(await write()).toBe(start);
  for (let count = 1; count <= 5; count += 1) expect(await write()).toBe(start + count * 1000);
  clock.now += 60_000;
  for (let count = 0; count < 20; count += 1) expect(await write()).toBe(start + 60_000);
  expect(await write()).toBe(start + 61_000);
});

test('a write that would wait for more than a minute is refused, and told when there is room', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 4, max: 90 }), fc.nat(200), async (perMinute, before) => {
      const { clock, pace, write } = paced(perMinute);
      for (let count = 0; count < before; count += 1) await write();
      const seconds = await asked(pace, 1);
      if (seconds === undefined) return;
      clock.now += seconds * 1000;
      expect(await asked(pace, 1)).toBeUndefined();
      // And not much earlier.
      clock.now -= 2001;
      expect(await asked(pace, 1)).toBeDefined();
    }),
  );
});

test('sixty seconds of waiting are room, and a second more is not', async () => {
  const { clock, pace, write } = paced(80);
  expect(await asked(pace, 80)).toBeUndefined();
  expect(await asked(pace, 81)).toBe(2);
  for (let count = 0; count < 80; count += 1) await write();
  expect(await asked(pace, 0)).toBeUndefined();
  expect(await asked(pace, 10)).toBe(11);
  clock.now += 11_000;
  expect(await asked(pace, 10)).toBeUndefined();
});

test('without a limit nothing waits', async () => {
  const { clock, pace, write } = paced(0);
  for (let count = 0; count < 1000; count += 1) expect(await write()).toBe(clock.now);
  expect(await asked(pace, 1e6)).toBeUndefined();
});

test('a gate lets few in at once, in their order, and one whose signal fires leaves the queue', async () => {
  const gate = createGate(2);
  const entered: number[] = [];
  const leave: (() => void)[] = [];
  const gone = new AbortController();
  const tasks = Array.from({ length: 6 }, (_, number) =>
    gate.run(
      () => {
        entered.push(number);
        return new Promise<void>((resolve) => (leave[number] = resolve));
      },
      number === 3 ? gone.signal : undefined,
    ),
  );
  const refused = Promise.allSettled([tasks[3]]);
  await turn();
  expect([entered, gate.waiting()]).toEqual([[0, 1], 4]);
  gone.abort(new Error('gone'));
  expect(await refused).toMatchObject([{ status: 'rejected', reason: { message: 'gone' } }]);
  expect(gate.waiting()).toBe(3);
  for (const number of [1, 0, 2, 4, 5]) {
    leave[number]?.();
    await tasks[number];
    await turn();
  }
  expect(entered).toEqual([0, 1, 2, 4, 5]);
  await expect(gate.run(async () => 'in', AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
  expect(await gate.run(async () => 'in', undefined)).toBe('in');
});

test('a place whose task has failed goes to the next, whenever the one before that gives up', async () => {
  for (let steps = 0; steps < 20; steps += 1) {
    const gate = createGate(1);
    const { promise, reject } = Promise.withResolvers<void>();
    const gone = new AbortController();
    const outcomes = Promise.allSettled([
      gate.run(() => promise, undefined),
      gate.run(async () => {}, gone.signal),
      gate.run(async () => {}, undefined),
    ]);
    await turn();
    reject(new Error('failed'));
    // Before, at and after the moment at which the second is let in.
    for (let step = 0; step < steps; step += 1) await Promise.resolve();
    gone.abort(new Error('gone'));
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', expect.any(String), 'fulfilled']);
    expect(await gate.run(async () => 'in', undefined)).toBe('in');
  }
});
