import { expect, test } from 'vitest';
import type { GenerationJob } from '../../../src/db/jobs/jobs.ts';
import { changeOf } from '../../../src/domain/answers/job-state.ts';
import type { ProviderAnswer } from '../../../src/sources/answers/answer.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const queued: GenerationJob = {
  provider: 'fal',
  jobId: 'j',
  userId: 'u',
  status: 'queued',
  progress: null,
  error: null,
  errorClass: null,
  fields: {},
  timings: {},
  startedAt: null,
  completedAt: null,
  createdAt: '2026-11-21T11:00:00Z',
  updatedAt: '2026-11-21T11:00:00Z',
};
const change = (job: Partial<GenerationJob>, answer: Partial<ProviderAnswer>) =>
  changeOf({ ...queued, ...job }, { state: 'queued', outputs: [], generation: {}, ...answer }, NOW);
const ended = { startedAt: '2026-11-21T11:10:00Z', completedAt: '2026-11-21T11:20:00Z' };

test('an answer that says nothing new changes nothing', () => {
  expect(change({}, {})).toBeUndefined();
  expect(change({ ...ended, status: 'succeeded', progress: 100 }, { state: 'succeeded' })).toBeUndefined();
});

test('a job starts and ends with the times of arrival, unless the provider says others', () => {
  expect(change({}, { state: 'running' })).toEqual({ status: 'running', startedAt: NOW.toISOString() });
  const said = { startedAt: '2026-11-21T11:10:00Z', completedAt: '2026-11-21T13:20:00+02:00' };
  expect(change({}, { state: 'succeeded', generation: said })).toMatchObject({
    status: 'succeeded',
    progress: 100,
    startedAt: '2026-11-21T11:10:00.000Z',
    completedAt: '2026-11-21T11:20:00.000Z',
  });
});

test.each(['no time', '2020-01-01T00:00:00Z', '2031-01-01T00:00:00Z', 1764000000])(
  'a time that cannot be right (%s) gives way to that of the arrival',
  (startedAt) => {
    expect(change({}, { state: 'running', generation: { startedAt } })?.startedAt).toBe(NOW.toISOString());
  },
);

test('a state that comes late does not replace a later one, nor its times', () => {
  expect(change({ ...ended, status: 'succeeded', progress: 100 }, { state: 'running', progress: 50 })).toBeUndefined();
  expect(
    change({ ...ended, status: 'failed', error: 'no' }, { state: 'canceled', error: { message: 'x' } }),
  ).toBeUndefined();
  expect(change({ ...ended, status: 'failed', error: 'no' }, { state: 'succeeded' })).toEqual({
    status: 'succeeded',
    progress: 100,
    error: null,
    errorClass: null,
  });
});

test.each([
  [null, 12.4, 12],
  [30, 20, undefined],
  [30, 40, 40],
  [null, -5, 0],
  [null, 300, 100],
  [30, undefined, undefined],
])('after %s %%, a progress of %s is kept as %s', (progress, said, expected) => {
  const job = { status: 'running' as const, progress, startedAt: ended.startedAt };
  expect(change(job, { state: 'running', progress: said })?.progress).toBe(expected);
});

test('the progress of an earlier state is ignored', () => {
  const job = { status: 'running' as const, progress: 30, startedAt: ended.startedAt };
  expect(change(job, { state: 'queued', progress: 90 })).toBeUndefined();
});

test('a failure keeps its message and class within their limits', () => {
  const made = change(
    {},
    { state: 'failed', error: { message: `a\u0000${'b'.repeat(20_000)}`, class: 'c'.repeat(300) } },
  );
  expect(made?.error).not.toContain('\u0000');
  expect(Buffer.byteLength(made?.error ?? '')).toBe(10_000);
  expect(made?.errorClass).toBe('c'.repeat(200));
  expect(change({}, { state: 'failed', error: { message: 'no' } })).toMatchObject({ error: 'no', errorClass: null });
});

test('an error is added to a state that has none, and does not replace one', () => {
  const failed = { ...ended, status: 'failed' as const };
  expect(change(failed, { state: 'failed', error: { message: 'late' } })).toMatchObject({ error: 'late' });
  expect(change({ ...failed, error: 'first' }, { state: 'failed', error: { message: 'late' } })).toBeUndefined();
});

test('timings are gathered over all answers, other facts are not', () => {
  const made = change({ timings: { delayTime: 1 } }, { generation: { executionTime: 2, seed: 7 } });
  expect(made).toEqual({ timings: { delayTime: 1, executionTime: 2 } });
  expect(change({ timings: { delayTime: 1 } }, { generation: { delayTime: 1 } })).toBeUndefined();
});
