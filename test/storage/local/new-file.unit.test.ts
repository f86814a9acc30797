import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createNewFile, linkAsNew } from '../../../src/storage/local/new-file.ts';
import { createDataFolder } from '../../support/data-folder.ts';

const made = await createDataFolder('new-file');
afterAll(() => made.remove());

/** What a process that polls constantly reads first. */
async function firstSeen(file: string): Promise<string> {
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return text;
  }
}

test('concurrent creators of a file all read the whole text of the first', async () => {
  for (let round = 0; round < 100; round += 1) {
    const folder = path.join(made.path, `round-${round}`);
    await mkdir(folder);
    const file = path.join(folder, 'identity');
    const seen = await Promise.all([
      ...Array.from({ length: 4 }, async (_, copy) => {
        await createNewFile(file, `copy ${copy}`);
        return readFile(file, 'utf8');
      }),
      firstSeen(file),
      firstSeen(file),
    ]);
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toMatch(/^copy \d$/);
    expect(await readdir(folder)).toEqual(['identity']);
  }
});

test('an existing file stays as it is, and a new one has the requested mode', async () => {
  const file = path.join(made.path, 'secret');
  await createNewFile(file, 'first', 0o600);
  await createNewFile(file, 'second', 0o644);
  expect(await readFile(file, 'utf8')).toBe('first');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('a taken name is refused, and both files stay', async () => {
  const [temp, final] = [path.join(made.path, 'temp'), path.join(made.path, 'final')];
  await writeFile(temp, 'new');
  await writeFile(final, 'old');
  await expect(linkAsNew(temp, final)).rejects.toMatchObject({ code: 'EEXIST' });
  expect([await readFile(temp, 'utf8'), await readFile(final, 'utf8')]).toEqual(['new', 'old']);
});

test('a name that was reserved for what cannot take it is free again', async () => {
  // A folder can neither be linked nor take the place of a file.
  const [temp, final] = [path.join(made.path, 'folder'), path.join(made.path, 'free')];
  await mkdir(temp);
  await expect(linkAsNew(temp, final)).rejects.toMatchObject({ code: 'ENOTDIR' });
  expect(await readdir(made.path)).not.toContain('free');
  expect((await stat(temp)).isDirectory()).toBe(true);
});
