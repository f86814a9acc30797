import { expect, test } from 'vitest';
import { mountsOf } from '../../../src/storage/stores/mounts.ts';

const mounts = (own: string[], aliases: string[]) => mountsOf({ mounts: { own, aliases } });

test('the path of an object, here or where others have mounted the volume, gives its key', () => {
  const { keyAt } = mounts(['/data/media'], ['/mnt/media', '/srv/shared/']);
  expect(keyAt('/data/media/2026/a.png')).toBe('2026/a.png');
  expect(keyAt('/mnt/media/2026/a.png')).toBe('2026/a.png');
  expect(keyAt('/srv/shared/a.png')).toBe('a.png');
});

test('a path outside of the mounts has no key, also when only a part of a name is common', () => {
  const { keyAt } = mounts(['/data/media'], ['/mnt/media']);
  for (const path of ['/data/other/a.png', '/data/media2/a.png', '/data/media', 'data/media/a.png', ''])
    expect(keyAt(path)).toBeUndefined();
});

test('of nested mounts the innermost decides', () => {
  expect(mounts(['/data'], ['/data/media']).keyAt('/data/media/a.png')).toBe('a.png');
  expect(mounts(['/data/media'], ['/data']).keyAt('/data/media/a.png')).toBe('a.png');
});

test('repeated slashes in a path count as one; `..` is left to the check of the key', () => {
  const { keyAt } = mounts(['/data'], []);
  expect(keyAt('/data/2026//11///a.png')).toBe('2026/11/a.png');
  expect(keyAt('/data/../a.png')).toBe('../a.png');
});

test('slashes at the end of a mount do not matter, and a whole file system can be one', () => {
  expect(mounts(['/data//'], []).keyAt('/data/a.png')).toBe('a.png');
  expect(mounts(['/'], []).keyAt('/data/a.png')).toBe('data/a.png');
});

test("the first alias is where others find an object, not the service's own folder", () => {
  expect(mounts(['/data'], ['/mnt/media/', '/srv']).mountedPath('2026/a.png')).toBe('/mnt/media/2026/a.png');
  expect(mounts(['/data'], []).mountedPath('a.png')).toBeUndefined();
});

test('a store without a volume has neither', () => {
  const { keyAt, mountedPath } = mountsOf({});
  expect(keyAt('/data/a.png')).toBeUndefined();
  expect(mountedPath('a.png')).toBeUndefined();
});
