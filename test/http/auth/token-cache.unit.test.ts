import { expect, test } from 'vitest';
import type { Caller } from '../../../src/domain/caller.ts';
import { rememberCallers } from '../../../src/http/auth/token-cache.ts';

const SECOND = 1000;
const caller = (expires: number): Caller => ({ sub: 'a', scopes: new Set(), expires });

test('a caller is cached for half a minute, and never beyond the expiry of its token', () => {
  let now = 1_000_000 * SECOND;
  const known = rememberCallers(() => now);
  known.remember('Bearer long', caller(1_000_900));
  known.remember('Bearer short', caller(1_000_010));
  known.remember('Bearer endless', { sub: 'a', scopes: new Set() });
  expect([known.get('Bearer long')?.sub, known.get('Bearer short')?.sub]).toEqual(['a', 'a']);
  expect(known.get('Bearer endless')).toBeUndefined();
  expect(known.get('Bearer other')).toBeUndefined();
  now += 10 * SECOND;
  expect([known.get('Bearer long')?.sub, known.get('Bearer short')]).toEqual(['a', undefined]);
  now += 20 * SECOND;
  expect(known.get('Bearer long')).toBeUndefined();
});

test('at most a thousand callers are cached; the oldest is evicted first', () => {
  const known = rememberCallers(() => 0);
  for (let n = 0; n <= 1000; n += 1) known.remember(`Bearer ${n}`, caller(900));
  expect(known.get('Bearer 0')).toBeUndefined();
  expect(known.get('Bearer 1')).toBeDefined();
  expect(known.get('Bearer 1000')).toBeDefined();
});
