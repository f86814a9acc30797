import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createFolderSync, gatherBytes } from '../../src/storage/local-write.ts';

test('whoever comes while a folder is being synced waits for a sync that began after that, and shares it', async () => {
  const began: number[] = [];
  let clock = 0;
  const sync = createFolderSync(async () => {
    began.push((clock += 1));
    await sleep(10);
  });
  const first = sync('a');
  await sleep(1);
  const asked = (clock += 1);
  const others = await Promise.all([sync('a'), sync('a'), sync('a')]).then(() => began.length);
  await first;
  expect(others).toBe(2);
  expect(began[1]).toBeGreaterThan(asked);
  await sync('a');
  expect(began).toHaveLength(3);
});

test('a sync that fails fails those who waited for it, and the next one is another', async () => {
  let fails = true;
  const sync = createFolderSync(async () => {
    await sleep(1);
    if (fails) throw new Error('no');
  });
  const first = sync('a');
  const second = sync('a');
  await expect(first).rejects.toThrow('no');
  fails = false;
  await expect(second).resolves.toBeUndefined();
});

test('a writer gathers half a megabyte, and less when many write', () => {
  expect([1, 64, 200, 100_000].map(gatherBytes)).toEqual([512 * 1024, 512 * 1024, 167_772, 64 * 1024]);
});
