import { spawn } from 'node:child_process';
import { readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isProcessAlive, withFileLock } from '../../../src/db/embedded/file-lock.ts';
import { type DataFolder, createDataFolder } from '../../support/data-folder.ts';

let folder: DataFolder;
beforeAll(async () => {
  folder = await createDataFolder('lock');
});
afterAll(() => folder.remove());

const lock = (name: string) => path.join(folder.path, name);

/** Work that fails when two calls overlap. */
function alone(): () => Promise<void> {
  let inside = 0;
  return async () => {
    inside += 1;
    expect(inside).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inside -= 1;
  };
}

test('work under one lock never overlaps, and the lock is removed afterwards, even when the work fails', async () => {
  const work = alone();
  await Promise.all(Array.from({ length: 5 }, () => withFileLock(lock('a'), work)));
  await expect(withFileLock(lock('a'), () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  await expect(readFile(lock('a'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the lock of a dead process is taken over', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.on('exit', resolve));
  await writeFile(lock('b'), String(child.pid));
  expect(isProcessAlive(child.pid ?? 0)).toBe(false);
  expect(await withFileLock(lock('b'), async () => 'done')).toBe('done');
});

test.each([
  ['this process', true, process.pid],
  ['a process of any user', true, 1],
  ['its own group of processes', false, 0],
  ['every process', false, -1],
  ['a group of processes', false, -process.pid],
  ['a fraction', false, process.pid + 0.5],
  ['no number', false, Number.NaN],
  ['a number beyond all ids', false, 2 ** 32 + process.pid],
])('the id of %s is that of a running process: %s', (_what, expected, id) => {
  expect(isProcessAlive(id)).toBe(expected);
});

test('processes that find the lock of a dead process at the same moment take turns', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.on('exit', resolve));
  for (let round = 0; round < 20; round += 1) {
    const file = lock(`together-${round}`);
    await writeFile(file, String(child.pid));
    const work = alone();
    await Promise.all(Array.from({ length: 4 }, () => withFileLock(file, work)));
  }
  expect((await readdir(folder.path)).filter((name) => name.startsWith('together'))).toEqual([]);
});

test('an interrupted takeover does not block the next one', async () => {
  await writeFile(lock('e'), '999999999');
  await writeFile(lock('e.takeover'), '');
  const earlier = new Date(Date.now() - 60_000);
  await utimes(lock('e.takeover'), earlier, earlier);
  expect(await withFileLock(lock('e'), async () => 'done')).toBe('done');
});

test('the lock of a killed process with the same process id is taken over at once, even one that was held here before', async () => {
  for (let round = 0; round < 2; round += 1) {
    await writeFile(lock('c'), String(process.pid));
    const started = performance.now();
    expect(await withFileLock(lock('c'), async () => 'done')).toBe('done');
    expect(performance.now() - started).toBeLessThan(2000);
  }
});

test('an empty lock is taken over after a few seconds: its process was killed before it wrote its id', async () => {
  await writeFile(lock('d'), '');
  const earlier = new Date(Date.now() - 60_000);
  await utimes(lock('d'), earlier, earlier);
  expect(await withFileLock(lock('d'), async () => 'done')).toBe('done');
});

test('while another process takes the lock of a dead one over, nobody else does', async () => {
  await writeFile(lock('f'), '999999999');
  await writeFile(lock('f.takeover'), '');
  let isDone = false;
  const waiting = withFileLock(lock('f'), async () => (isDone = true));
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(isDone).toBe(false);
  await rm(lock('f.takeover'));
  await waiting;
  expect(isDone).toBe(true);
});
