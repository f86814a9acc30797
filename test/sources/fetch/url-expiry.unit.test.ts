import fc from 'fast-check';
import { expect, test } from 'vitest';
import { urlExpiresAt } from '../../../src/sources/fetch/url-expiry.ts';

const HOST = 'https://cdn.example.com/a.png';
const since = new Date('2026-11-21T08:00:00Z');

test.each([
  ['S3', `${HOST}?X-Amz-Date=20261121T080000Z&X-Amz-Expires=3600&X-Amz-Signature=x`, '2026-11-21T09:00:00.000Z'],
  ['S3 in small letters', `${HOST}?x-amz-date=20261121T080000Z&x-amz-expires=60`, '2026-11-21T08:01:00.000Z'],
  ['Google', `${HOST}?X-Goog-Date=20261121T080000Z&X-Goog-Expires=604800`, '2026-11-28T08:00:00.000Z'],
  ['CloudFront', `${HOST}?Expires=1795248000&Signature=x&Key-Pair-Id=y`, '2026-11-21T08:00:00.000Z'],
  ['Azure', `${HOST}?sv=2024-11-04&se=2026-11-21T09%3A30%3A00Z&sr=b&sig=x`, '2026-11-21T09:30:00.000Z'],
])('the expiry in a URL signed by %s is read', (_name, url, expected) => {
  expect(urlExpiresAt(url, { provider: 'replicate', since })?.toISOString()).toBe(expected);
});

test.each([
  ['openai', '2026-11-21T09:00:00.000Z'],
  ['replicate', '2026-11-21T09:00:00.000Z'],
  ['runpod', '2026-11-28T08:00:00.000Z'],
  ['fal', undefined],
  ['constructor', undefined],
])('a URL of %s without an expiry lives as long as the provider keeps it', (provider, expected) => {
  expect(urlExpiresAt(HOST, { provider, since })?.toISOString()).toBe(expected);
});

test.each([
  'Expires=soon',
  'Expires=99999999999999',
  'se=',
  'X-Amz-Expires=60',
  'X-Amz-Date=1&X-Amz-Expires=60',
  'X-Amz-Date=20269921T080000Z&X-Amz-Expires=1',
])('a query of %j has no expiry', (query) => expect(urlExpiresAt(`${HOST}?${query}`)).toBeUndefined());

test('any text gives a valid date or undefined', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webUrl({ withQueryParameters: true })), (text) => {
      const dies = urlExpiresAt(text);
      expect(dies === undefined || Number.isFinite(dies.getTime())).toBe(true);
    }),
  );
});
