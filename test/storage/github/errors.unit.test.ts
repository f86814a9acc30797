import { expect, test } from 'vitest';
import { StorageError } from '../../../src/storage/driver.ts';
import { GithubError, asGithubError, asGithubFailure } from '../../../src/storage/github/errors.ts';
import type { GithubPlace } from '../../../src/storage/github/options.ts';

const place = { owner: 'octo', repo: 'media', setting: (name: string) => `STORE_${name}` } as GithubPlace;
const answered = (status: number, message = 'no', headers: Record<string, string> = {}) =>
  asGithubError(Object.assign(new Error(message), { status, response: { headers } }), 'GET /x');
const failure = (error: unknown) => asGithubFailure(error, place) as StorageError;

test('a failure keeps its status, its route and a message without the address of the documentation', () => {
  expect(answered(422, 'Invalid request - https://docs.github.com/rest')).toMatchObject({
    status: 422,
    route: 'GET /x',
    message: 'Invalid request',
    limitedFor: undefined,
  });
  expect(answered(422, 'x'.repeat(400)).message).toHaveLength(300);
});

test('a failure that has been read already stays, and any other error is not an answer of GitHub', () => {
  const read = answered(500);
  expect(asGithubError(read, 'other')).toBe(read);
  const other = new Error('other');
  expect(asGithubFailure(other, place)).toBe(other);
});

test.each([
  ['a response', { status: 500 }],
  ['a status', { response: { headers: {} } }],
])('without %s it is no answer', (_what, properties) => {
  const error = asGithubError(Object.assign(new Error('reset'), properties), 'GET /x');
  expect(error).toMatchObject({ status: 0, message: 'no answer (reset)', limitedFor: undefined });
});

test.each([
  [0, true],
  [500, true],
  [502, true],
  [499, false],
  [422, false],
])('after the status %d it is unknown whether the request had an effect: %s', (status, unknown) => {
  const error = status === 0 ? asGithubError(new Error('reset'), 'x') : answered(status);
  expect(error.outcomeUnknown).toBe(unknown);
});

test.each([
  [409, 'Git Repository is empty.', true],
  [409, 'Conflict', false],
  [404, 'Git Repository is empty.', false],
])('%d "%s": the repository is empty: %s', (status, message, empty) => {
  expect(answered(status, message).repositoryEmpty).toBe(empty);
});

test('a rate limit says how long to wait: its own time, that of the reset, or a minute', () => {
  const inSeconds = (seconds: number) => String(Math.floor(Date.now() / 1000) + seconds);
  const exhausted = (reset: string) => ({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset });
  expect(answered(429, 'no', { 'retry-after': '7' }).limitedFor).toBe(7);
  expect(answered(403, 'no', { 'retry-after': '0' }).limitedFor).toBe(0);
  expect(answered(403, 'no', { 'retry-after': '-5' }).limitedFor).toBe(0);
  const { limitedFor } = answered(403, 'no', exhausted(inSeconds(100)));
  expect(limitedFor).toBeGreaterThanOrEqual(100);
  expect(limitedFor).toBeLessThanOrEqual(102);
  expect(answered(429, 'no', exhausted(inSeconds(-50))).limitedFor).toBe(1);
  expect(answered(403, 'no', exhausted('soon')).limitedFor).toBe(60);
  expect(answered(403, 'You have exceeded a secondary rate limit').limitedFor).toBe(60);
  expect(answered(429, 'no', { 'retry-after': 'soon' }).limitedFor).toBe(60);
  expect(answered(429, 'no', { 'x-ratelimit-remaining': '9', 'x-ratelimit-reset': inSeconds(900) }).limitedFor).toBe(
    60,
  );
});

test.each([
  ['a refusal', 403, {}],
  ['a success of the limit', 403, { 'x-ratelimit-remaining': '1' }],
  ['another status', 422, { 'x-ratelimit-remaining': '0', 'retry-after': '7' }],
])('%s is no rate limit', (_what, status, headers) => {
  expect(answered(status, 'no', headers).limitedFor).toBeUndefined();
});

test.each([
  [answered(413), 'TOO_LARGE', 'no object of that size'],
  [answered(422, 'blob is too large'), 'TOO_LARGE', 'no object of that size'],
  [answered(422, 'other'), 'UNAVAILABLE', '422: other'],
  [answered(404, 'too large'), 'UNAVAILABLE', 'no octo/media with the branch of STORE_BRANCH'],
  [answered(401), 'UNAVAILABLE', 'refuses the credentials (STORE_TOKEN or the App of STORE_APP_ID)'],
  [answered(403), 'UNAVAILABLE', 'forbids this to STORE_TOKEN'],
  [answered(500, 'down'), 'UNAVAILABLE', '500: down'],
  [asGithubError(new Error('reset'), 'x'), 'UNAVAILABLE', 'answered no answer (reset)'],
])('%s becomes %s, with words for the operator', (error, code, words) => {
  expect(failure(error)).toMatchObject({ code, message: expect.stringContaining(words), cause: error });
});

test('of a rate limit the service learns the whole seconds to wait', () => {
  const error = new GithubError('slow down', { status: 429, route: 'x', limitedFor: 6.2 });
  expect(failure(error)).toMatchObject({ code: 'UNAVAILABLE', retryAfter: 7 });
});
