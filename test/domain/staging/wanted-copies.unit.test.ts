import { expect, test } from 'vitest';
import { wantedCopies } from '../../../src/domain/staging/wanted-copies.ts';
import type { Store } from '../../../src/storage/stores/store.ts';

const store = (name: string, maxObjectBytes?: number) => ({ name, capabilities: { maxObjectBytes } }) as Store;
const wanted = (mirrors: Store[], more: { store?: string; bytes?: number; home?: Store } = {}) =>
  wantedCopies({ mirrors }, { store: 'one', key: 'a/b.png', bytes: 100, ...more }).map(
    ({ store: name, purpose, key }) => {
      expect(key).toMatch(/^a\/b-[0-9a-f]{16}\.png$/);
      return `${purpose} ${name}`;
    },
  );

test('every mirror gets a copy, except the store that has the bytes', () => {
  expect(wanted([store('one'), store('two'), store('three')])).toEqual(['mirror two', 'mirror three']);
});

test('a mirror gets what it can take: its limit is included', () => {
  expect(wanted([store('exact', 100), store('small', 99)])).toEqual(['mirror exact']);
});

test('what a fallback took goes home, once, even when that store is a mirror', () => {
  const home = store('home');
  expect(wanted([home, store('two')], { store: 'fallback', home })).toEqual(['home home', 'mirror two']);
});
