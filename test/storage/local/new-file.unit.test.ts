import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createNewFile } from '../../../src/storage/local/new-file.ts';
import { systemFiles } from '../../../src/storage/local/files.ts';
import { createDataFolder } from '../../support/data-folder.ts';
import { failingFiles } from '../../support/storage/failing-files.ts';

const made = await createDataFolder('new-file');
afterAll(() => made.remove());

/** What a process that polls constantly reads first. */
async function firstSeen(file: string): Promise<string> {
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return text;
  }
}

const withoutLinks = failingFiles((call) => (call === 'link' ? 'EIO' : undefined));

test.each([
  ['with hard links', systemFiles, 100],
  ['without hard links', withoutLinks, 20],
])('concurrent creators of a file all read the whole text of the first, %s', async (name, files, rounds) => {
  for (let round = 0; round < rounds; round += 1) {
    const folder = path.join(made.path, `${name} ${round}`);
    await mkdir(folder);
    const file = path.join(folder, 'identity');
    const seen = await Promise.all([
      ...Array.from({ length: 4 }, async (_, copy) => {
        await createNewFile(file, `copy ${copy}`, { files });
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

test('without hard links, a creator that was killed holds up the next one for some seconds only', async () => {
  const file = path.join(made.path, 'held');
  await writeFile(`${file}.claim`, '');
  await createNewFile(file, 'text', { files: withoutLinks });
  expect(await readFile(file, 'utf8')).toBe('text');
  expect((await readdir(made.path)).filter((name) => name.startsWith('held'))).toEqual(['held']);
});

test('an existing file stays as it is, and a new one has the requested mode', async () => {
  const file = path.join(made.path, 'secret');
  await createNewFile(file, 'first', { mode: 0o600 });
  await createNewFile(file, 'second', { mode: 0o644 });
  expect(await readFile(file, 'utf8')).toBe('first');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});
