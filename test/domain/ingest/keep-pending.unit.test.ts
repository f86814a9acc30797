import { expect, test } from 'vitest';
import { once } from '../../../src/domain/bytes/incoming-body.ts';
import type { Source } from '../../../src/domain/bytes/source.ts';
import { addressToKeep } from '../../../src/domain/ingest/keep-pending.ts';
import { AppError } from '../../../src/errors.ts';

const url: Source = { type: 'url', url: 'https://x.example/a.png' };
const bytes: Source = { type: 'bytes', via: 'raw', body: once(Buffer.from('a')) };
const fields = { userId: 'u', tags: [], originalUrl: 'https://x.example/original.png' };
const down = new AppError('store_unavailable', 'down');

test.each(['store_unavailable', 'storage_full', 'overloaded', 'fetch_failed'] as const)(
  'after %s the bytes can be fetched later from their address',
  (code) => {
    expect(addressToKeep(url, fields, new AppError(code, 'no'))).toBe('https://x.example/a.png');
    expect(addressToKeep(bytes, fields, new AppError(code, 'no'))).toBe('https://x.example/original.png');
  },
);

test.each([new AppError('too_large', 'no'), new AppError('unsupported_media', 'no'), new Error('no')])(
  'after another failure (%s) a retry is pointless',
  (error) => {
    expect(addressToKeep(url, fields, error)).toBeUndefined();
    expect(addressToKeep(bytes, fields, error)).toBeUndefined();
  },
);

test('without an address, and while fields may still follow the bytes, there is nothing to keep', () => {
  expect(addressToKeep(bytes, { userId: 'u', tags: [] }, down)).toBeUndefined();
  expect(addressToKeep({ ...bytes, finish: () => ({}) }, fields, down)).toBeUndefined();
  expect(addressToKeep({ type: 'object', store: 'one', key: 'a' }, fields, down)).toBeUndefined();
  expect(addressToKeep({ type: 'none' }, fields, down)).toBeUndefined();
});
