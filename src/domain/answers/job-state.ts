import type { JsonObject } from '../../json/json.ts';
import type { GenerationJob, JobChange } from '../../db/jobs/jobs.ts';
import type { JobStatus } from '../../db/tables.ts';
import type { ProviderAnswer } from '../../sources/answers/answer.ts';
import { compactAnswer } from '../../sources/answers/compact-answer.ts';
import { storable } from '../../json/storable-text.ts';
import { cutBytes } from '../../storage/keys.ts';

/** An earlier state never overwrites a later one, so the order of arrival does not matter. */
const RANK: Readonly<Record<JobStatus, number>> = { queued: 0, running: 1, canceled: 2, failed: 3, succeeded: 4 };
const ENDED = new Set<JobStatus>(['canceled', 'failed', 'succeeded']);
const TIMINGS = new Set(['delayTime', 'executionTime', 'timings', 'metrics', 'startedAt', 'completedAt']);

function hasEnded(status: JobStatus): boolean {
  return ENDED.has(status);
}

/** What an answer changes about its job; undefined: nothing. */
export function changeOf(job: GenerationJob, answer: ProviderAnswer, now: Date): JobChange | undefined {
  const later = RANK[answer.state] > RANK[job.status];
  const status = later ? answer.state : job.status;
  const same = answer.state === status;
  const change: JobChange = {};
  if (later) change.status = status;
  const progress = status === 'succeeded' ? 100 : same ? percent(answer.progress, job.progress) : job.progress;
  if (progress !== job.progress) change.progress = progress;
  const message = answer.error === undefined ? null : text(answer.error.message, 10_000);
  // A success may carry a note about what did not work; it replaces the error of an earlier state.
  if ((later || (same && job.error === null)) && message !== job.error) {
    change.error = message;
    change.errorClass = answer.error?.class === undefined ? null : text(answer.error.class, 200);
  }
  const timings = { ...job.timings, ...timingsOf(answer.generation) };
  if (JSON.stringify(timings) !== JSON.stringify(job.timings)) change.timings = timings;
  const { generation } = answer;
  if (status !== 'queued' && job.startedAt === null) change.startedAt = timeOf(generation['startedAt'], now);
  if (hasEnded(status) && job.completedAt === null) change.completedAt = timeOf(generation['completedAt'], now);
  return Object.keys(change).length > 0 ? change : undefined;
}

/** The provider's time, else the time of arrival. */
function timeOf(said: unknown, now: Date): string {
  const time = typeof said === 'string' ? Date.parse(said) : Number.NaN;
  return Number.isFinite(time) && Math.abs(time - now.getTime()) < YEAR_MS
    ? new Date(time).toISOString()
    : now.toISOString();
}
const YEAR_MS = 365 * 24 * 60 * 60_000;

function percent(said: number | undefined, before: number | null): number | null {
  if (said === undefined) return before;
  return Math.max(before ?? 0, Math.min(100, Math.max(0, Math.round(said))));
}

function timingsOf(generation: JsonObject): JsonObject {
  return compactAnswer(Object.fromEntries(Object.entries(generation).filter(([name]) => TIMINGS.has(name))));
}

function text(value: string, maxBytes: number): string {
  return cutBytes(storable(value), maxBytes);
}
