import { expect, test } from 'vitest';
import { AppError } from '../../../src/errors.ts';
import { StorageError } from '../../../src/storage/driver.ts';
import {
  asS3Failure,
  isAmbiguous,
  isCredentialProblem,
  isMissing,
  isStall,
  nameOf,
  reasonOf,
  statusOf,
} from '../../../src/storage/s3/errors.ts';

interface Answer {
  status?: number | undefined;
  name?: string;
  code?: unknown;
  message?: string;
  requestId?: string;
  headers?: Record<string, string>;
  /** Of the socket, e.g. ECONNRESET. */
  socket?: string;
}
const failed = ({ status, name = 'Unknown', code, message = 'no', requestId, headers, socket }: Answer) =>
  Object.assign(new Error(message), {
    name,
    ...(code !== undefined && { Code: code }),
    ...(status !== undefined && { $metadata: { httpStatusCode: status, requestId } }),
    ...(headers && { $response: { headers } }),
    ...(socket !== undefined && { code: socket }),
  });

test("the server's name of a failure comes before the SDK's", () => {
  expect(nameOf(failed({ name: 'A', code: 'B' }))).toBe('B');
  expect(nameOf(failed({ name: 'A', code: 7 }))).toBe('A');
  expect(nameOf('text')).toBe('');
  expect(statusOf(failed({ status: 404 }))).toBe(404);
  expect(statusOf({ $metadata: { httpStatusCode: 404 } })).toBeUndefined();
});

test('a missing object is not a missing bucket', () => {
  expect(isMissing(failed({ status: 404 }))).toBe(true);
  expect(isMissing(failed({ status: 404, name: 'NoSuchBucket' }))).toBe(false);
  expect(isMissing(failed({ status: 403 }))).toBe(false);
});

test.each([
  [undefined, true],
  [200, true],
  [399, true],
  [400, false],
  [404, false],
  [408, true],
  [499, false],
  [500, true],
])('after the status %s the outcome is unclear: %s', (status, expected) => {
  expect(isAmbiguous(failed({ status }))).toBe(expected);
});

test('a socket without progress is a stall, a reset one is not', () => {
  expect(isStall(failed({ name: 'TimeoutError' }))).toBe(true);
  expect(isStall(failed({ name: 'TimeoutError', socket: 'ECONNRESET' }))).toBe(false);
  expect(isStall(failed({ name: 'AbortError' }))).toBe(false);
});

test.each([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
  'RequestTimeTooSkewed',
  'CredentialsProviderError',
])('%s is a problem with the credentials', (name) => {
  expect(isCredentialProblem(failed({ name }))).toBe(true);
});

test('other failures are no problem with the credentials', () => {
  expect(isCredentialProblem(failed({ name: 'NoSuchKey' }))).toBe(false);
});

test.each([
  [failed({ status: 503, name: 'SlowDown', requestId: 'r1' }), 'SlowDown, HTTP 503, request r1'],
  [failed({ status: 503, name: 'Unknown' }), 'HTTP 503'],
  [failed({ status: 503, name: 'UnknownError' }), 'HTTP 503'],
  [failed({ status: 503, name: '503' }), 'HTTP 503'],
  [failed({ socket: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  [failed({ message: 'socket hang up' }), 'socket hang up'],
  [failed({ message: '', name: 'TimeoutError' }), 'TimeoutError'],
  ['text', 'no reason was given'],
])('%s is told as "%s"', (error, words) => {
  expect(reasonOf(error)).toBe(words);
});

test.each([
  [{ name: 'QuotaExceeded', status: 403 }, 'NO_SPACE'],
  [{ name: 'XMinioStorageFull', status: 507 }, 'NO_SPACE'],
  [{ status: 507 }, 'NO_SPACE'],
  [{ name: 'EntityTooLarge', status: 400 }, 'TOO_LARGE'],
  [{ status: 413 }, 'TOO_LARGE'],
  [{ name: 'KeyTooLongError', status: 400 }, 'OUTSIDE'],
  [{ name: 'PreconditionFailed', status: 400 }, 'EXISTS'],
  [{ status: 412 }, 'EXISTS'],
  [{ status: 500 }, 'UNAVAILABLE'],
  [{ status: 400 }, 'UNAVAILABLE'],
  [{}, 'UNAVAILABLE'],
])('%j becomes %s', (answer: Answer, code) => {
  const error = failed(answer);
  expect(asS3Failure(error, 'Writing')).toMatchObject({ code, cause: error });
});

test('what has its code already stays', () => {
  for (const error of [new StorageError('EXISTS', 'a'), new AppError('overloaded', 'b')])
    expect(asS3Failure(error, 'Writing')).toBe(error);
});

test.each([
  ['7', 7],
  ['0', 1],
  ['99999', 3600],
  ['later', undefined],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 1],
])('the Retry-After "%s" means %s seconds', (header, expected) => {
  const error = asS3Failure(failed({ status: 503, headers: { 'retry-after': header } }), 'Writing');
  expect((error as StorageError).retryAfter).toBe(expected);
});

test('a Retry-After may be a date', () => {
  const header = new Date(Date.now() + 100_000).toUTCString();
  const { retryAfter } = asS3Failure(failed({ status: 503, headers: { 'retry-after': header } }), 'x') as StorageError;
  expect(retryAfter).toBeGreaterThan(95);
  expect(retryAfter).toBeLessThanOrEqual(100);
});
