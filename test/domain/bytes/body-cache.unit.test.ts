import { expect, test } from 'vitest';
import type { Location } from '../../../src/db/objects/locations.ts';
import { createBodyCache } from '../../../src/domain/bytes/body-cache.ts';

const MIB = 1024 * 1024;
const at = (key: string, bytes: number, owned = true): Location => ({
  store: 'local',
  key,
  bytes,
  sha256: null,
  owned,
  state: 'stored',
  verifiedAt: null,
});

test('a small body is cached from its second request on, by store and key', () => {
  const bodies = createBodyCache(MIB);
  const location = at('a', 3);
  expect([bodies.get(location), bodies.wants(location), bodies.wants(location)]).toEqual([undefined, false, true]);
  bodies.keep(location, Buffer.from('abc'));
  expect(bodies.get(location)?.toString()).toBe('abc');
  expect(bodies.get({ ...location, store: 's3' })).toBeUndefined();
  expect(bodies.get(at('b', 3))).toBeUndefined();
});

test('large bodies, adopted objects and truncated bodies are never cached, and 0 caches nothing', () => {
  const bodies = createBodyCache(64 * MIB);
  for (const location of [at('large', MIB + 1), at('theirs', 3, false)])
    expect([bodies.wants(location), bodies.wants(location)]).toEqual([false, false]);
  bodies.keep(at('cut', 4), Buffer.from('abc'));
  expect(bodies.get(at('cut', 4))).toBeUndefined();
  const none = createBodyCache(0);
  expect([none.wants(at('a', 3)), none.wants(at('a', 3))]).toEqual([false, false]);
});

test('the cache stays within its bound, and a full scan evicts nothing', () => {
  const bodies = createBodyCache(10);
  for (const key of ['a', 'b', 'c']) bodies.keep(at(key, 4), Buffer.alloc(4));
  expect(['a', 'b', 'c'].map((key) => bodies.get(at(key, 4)) !== undefined)).toEqual([false, true, true]);
  for (let round = 0; round < 2; round += 1)
    for (let n = 0; n < 600; n += 1) expect(bodies.wants(at(`cold-${n}`, 4))).toBe(false);
});
