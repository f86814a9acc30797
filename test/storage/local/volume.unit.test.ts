import { mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemFiles } from '../../../src/storage/local/files.ts';
import { mountCheck, openVolume } from '../../../src/storage/local/volume.ts';
import { createDriverContext } from '../../support/storage/driver-context.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-volume-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** As mounting does: another file of that name, at once. */
const mount = async (identity: string) => {
  await writeFile(path.join(folder, 'next'), `${identity}\n`);
  await rename(path.join(folder, 'next'), path.join(folder, '.mediakeep-volume'));
};
const unmount = () => rm(path.join(folder, '.mediakeep-volume'));
const unavailable = { code: 'UNAVAILABLE', message: expect.stringContaining('is it mounted?') };

test('a volume is checked each time: unmounted, or replaced by another, it is unavailable until it is back', async () => {
  const check = mountCheck({ path: folder, identity: 'mine' }, systemFiles);
  await expect(check()).rejects.toMatchObject(unavailable);
  await mount('mine');
  await check();
  await check();
  await mount('other');
  await expect(check()).rejects.toMatchObject(unavailable);
  await expect(check()).rejects.toMatchObject(unavailable);
  await unmount();
  await expect(check()).rejects.toMatchObject(unavailable);
  await mount('mine');
  await check();
});

test('callers that check at the same time share the outcome, later ones look again', async () => {
  const check = mountCheck({ path: folder, identity: 'mine' }, systemFiles);
  const [first, second] = [check(), check()];
  expect(first).toBe(second);
  await expect(first).rejects.toMatchObject(unavailable);
  await mount('mine');
  await check();
});

test('opening a volume removes what killed starts left an hour ago, and nothing younger or of others', async () => {
  const id = 'a1b2c3d4-0000-4000-8000-00000000000';
  const left = [`.mediakeep-volume.${id}1.part`, `.mediakeep-probe-${id}2`];
  const kept = [`.mediakeep-volume.${id}3.part`, '.mediakeep-notes', 'a.png'];
  for (const name of [...left, ...kept]) await writeFile(path.join(folder, name), '');
  const old = new Date(Date.now() - 3_700_000);
  for (const name of [...left, ...kept.slice(1)]) await utimes(path.join(folder, name), old, old);
  await openVolume(folder, createDriverContext('local'), systemFiles);
  expect((await readdir(folder)).toSorted()).toEqual(['.mediakeep-volume', ...kept].toSorted());
});
