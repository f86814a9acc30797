import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { backoff } from '../../src/background/backoff.ts';
import { keepRunning } from '../../src/background/keep-running.ts';
import { measured, observed, onDemand } from '../../src/background/observe.ts';
import { BackgroundParts } from '../../src/background/parts.ts';
import { type Work, repeat } from '../../src/background/repeat.ts';

const FAST = { minMs: 1, maxMs: 5 };

function parts() {
  const lines: string[] = [];
  const restarts: string[] = [];
  const log = {
    warn: ({ part }: Record<string, unknown>, message: string) => void lines.push(`${String(part)}: ${message}`),
    info: ({ part }: Record<string, unknown>, message: string) => void lines.push(`${String(part)}: ${message}`),
  };
  const background = new BackgroundParts(log, { restarted: (name) => void restarts.push(name) });
  return {
    background,
    lines,
    restarts,
    stateOf: (name: string) => background.states().find((part) => part.name === name),
  };
}

const FAILED = 'part: background part failed; it is retried with back-off';
const RECOVERED = 'part: background part recovered';

/** Faults of a part's function; the third never settles. */
const FAULTS: Record<string, Work> = {
  'throws at once': () => {
    throw new Error('broken');
  },
  rejects: async () => {
    await sleep(1);
    throw new Error('broken');
  },
  'never settles': () => new Promise(() => {}),
};

test.each(Object.entries(FAULTS))(
  'a repeated part that %s is retried and recovers, with two log lines',
  async (_name, fault) => {
    const { background, lines, restarts, stateOf } = parts();
    let broken = false;
    let turns = 0;
    const work: Work = (turn) => {
      turns += 1;
      return broken ? fault(turn) : undefined;
    };
    const repeated = repeat(background, 'part', work, { everyMs: 1, retry: FAST, limitMs: 30 });
    await expect.poll(() => turns).toBeGreaterThan(2);
    expect(stateOf('part')).toMatchObject({ state: 'running', restarts: 0, lastError: undefined });
    broken = true;
    await expect.poll(() => stateOf('part')?.restarts).toBeGreaterThan(2);
    expect(stateOf('part')).toMatchObject({ state: 'failing', lastError: expect.any(Error) });
    broken = false;
    await expect.poll(() => stateOf('part')?.state).toBe('running');
    const before = turns;
    await expect.poll(() => turns).toBeGreaterThan(before + 2);
    expect(lines).toEqual([FAILED, RECOVERED]);
    expect(restarts.length).toBe(stateOf('part')?.restarts);
    await repeated.stop();
  },
);

test('the signal of a stuck turn fires, that of a turn with progress does not', async () => {
  const { background, stateOf } = parts();
  let aborted = 0;
  const stuck = repeat(
    background,
    'stuck',
    ({ signal }) => new Promise<void>(() => signal.addEventListener('abort', () => (aborted += 1))),
    { everyMs: 1, retry: FAST, limitMs: 10 },
  );
  let ended = 0;
  const slow = repeat(
    background,
    'slow',
    async ({ progress }) => {
      for (let step = 0; step < 8; step += 1) {
        await sleep(20);
        progress();
      }
      ended += 1;
    },
    { everyMs: 1, retry: FAST, limitMs: 100 },
  );
  await expect.poll(() => aborted).toBeGreaterThan(1);
  await expect.poll(() => ended).toBeGreaterThan(0);
  expect(stateOf('slow')).toMatchObject({ state: 'running', restarts: 0 });
  await Promise.all([stuck.stop(), slow.stop()]);
});

test('a stopped part runs no further turn and no longer counts as failing', async () => {
  const { background, stateOf } = parts();
  let turns = 0;
  const repeated = repeat(background, 'part', () => Promise.reject(new Error(`${(turns += 1)}`)), {
    everyMs: 1,
    retry: FAST,
  });
  await expect.poll(() => stateOf('part')?.state).toBe('failing');
  await repeated.stop();
  expect(stateOf('part')?.state).toBe('running');
  const before = turns;
  repeated.soon(0);
  await repeated.now();
  await sleep(30);
  expect(turns).toBe(before);
});

test('a part with several instances fails until none of them does', async () => {
  const { background, lines, stateOf } = parts();
  const [first, second] = [background.open('part', { itemId: '1' }), background.open('part')];
  first.failed(new Error('one'));
  second.failed(new Error('two'));
  first.worked();
  expect(stateOf('part')).toMatchObject({ state: 'failing', lastError: new Error('two') });
  second.close();
  expect(stateOf('part')?.state).toBe('running');
  expect(lines).toEqual([FAILED, RECOVERED]);
});

test.each(['throws at once', 'rejects', 'ends by itself', 'gives up its signal late'])(
  'a long-running part that %s restarts',
  async (name) => {
    const { background, restarts, stateOf } = parts();
    let runs = 0;
    const kept = keepRunning(
      background,
      'long',
      ({ signal, worked }) => {
        runs += 1;
        if (runs < 4) {
          if (name === 'throws at once') throw new Error('broken');
          if (name === 'rejects') return Promise.reject(new Error('broken'));
          if (name === 'ends by itself') return Promise.resolve();
        }
        worked();
        return new Promise((resolve) => {
          if (name !== 'gives up its signal late') signal.addEventListener('abort', () => resolve());
        });
      },
      { retry: FAST, giveUpMs: 20 },
    );
    const wanted = name === 'gives up its signal late' ? 1 : 4;
    await expect.poll(() => runs).toBe(wanted);
    await expect.poll(() => stateOf('long')?.state).toBe('running');
    expect(restarts.length).toBe(wanted - 1);
    await kept.stop();
    await sleep(20);
    expect(runs).toBe(wanted);
  },
);

test('a failure that a long-running part retries by itself shows until the part reports success', async () => {
  const { background, stateOf } = parts();
  const steps = Promise.withResolvers<void>();
  const kept = keepRunning(background, 'long', async ({ signal, worked, failed }) => {
    failed(new Error('not yet'));
    await steps.promise;
    worked();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  });
  await expect.poll(() => stateOf('long')?.state).toBe('failing');
  steps.resolve();
  await expect.poll(() => stateOf('long')?.state).toBe('running');
  await kept.stop();
});

test('several requests for work on demand run it once; it is retried until it succeeds', async () => {
  const { background, stateOf } = parts();
  let calls = 0;
  let broken = true;
  const wanted = onDemand(
    background,
    'demand',
    async () => {
      calls += 1;
      if (broken) throw new Error('away');
    },
    { everyMs: 40 },
  );
  await sleep(30);
  expect(calls).toBe(0);
  wanted.want();
  wanted.want();
  await expect.poll(() => stateOf('demand')?.state).toBe('failing');
  broken = false;
  await expect.poll(() => stateOf('demand')?.state).toBe('running');
  const done = calls;
  for (let wish = 0; wish < 5; wish += 1) wanted.want();
  await sleep(100);
  expect(calls).toBe(done + 1);
  await wanted.stop();
});

test('an unreadable value is undefined, and its part recovers without another read', async () => {
  const { background, stateOf } = parts();
  let broken = true;
  const value = measured(background, 'value', () => (broken ? Promise.reject(new Error('away')) : Promise.resolve(7)));
  expect(await value.read()).toBe(undefined);
  expect(stateOf('value')?.state).toBe('failing');
  broken = false;
  await expect.poll(() => stateOf('value')?.state).toBe('running');
  expect(await value.read()).toBe(7);
  await value.stop();
});

test('observed work keeps its outcome', async () => {
  const { background, stateOf } = parts();
  const half = observed(background, 'half', async (value: number) => {
    if (value % 2 === 1) throw new Error('odd');
    return value / 2;
  });
  await expect(half(3)).rejects.toThrow('odd');
  expect(stateOf('half')?.state).toBe('failing');
  expect(await half(4)).toBe(2);
  expect(stateOf('half')?.state).toBe('running');
});

test('back-off doubles up to its cap, and half of it is random', () => {
  const settings = { minMs: 100, maxMs: 1000 };
  const longest = (failures: number) => backoff(failures, settings, () => 1);
  expect([1, 2, 3, 4, 5, 500].map(longest)).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(backoff(3, settings, () => 0)).toBe(200);
});
